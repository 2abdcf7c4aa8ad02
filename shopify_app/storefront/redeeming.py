"""A shopper spends points on a reward."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from loyalty.core.decide import RewardRefused
from loyalty.core.facts import RewardRequested
from loyalty.core.program import Program
from loyalty.database import retry_on_conflict
from loyalty.models import Shop
from loyalty.points import redeem as redeem_points
from loyalty.runtime import Runtime
from shopify_app.storefront.issues import issue_answer
from shopify_app.visitors import Visitor, person_of, program_of, refuse

_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_MOST_POINTS = 2**53


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: a reward, the client's own key, and how many points where one can choose."""

    reward: str
    key: str
    points: int | None


@retry_on_conflict
def redeem(runtime: Runtime, visitor: Visitor, body: Mapping[str, Any]) -> dict[str, Any]:
    """Take the points and begin the reward; the same key again is the same redemption. Ends the request when it cannot be had."""
    wish, now = _wish(body), runtime.clock()
    if visitor.customer_id is None:
        refuse("not_signed_in")
    with runtime.transaction() as session:
        person = person_of(session, visitor)
        if person is None:
            _refuse_stranger(program_of(session, visitor), wish)
        shop = session.get_one(Shop, visitor.shop.id)
        asked = RewardRequested(wish.reward, wish.key, uuid.uuid4().hex, now, points=wish.points)
        try:
            issue = redeem_points(session, shop, person, asked, now=now)
        except RewardRefused as refused:
            missing = {"missing": refused.missing} if refused.missing else {}
            refuse(refused.code, **missing)
        session.refresh(person)
        return {"issue": issue_answer(issue, now=now), "balance": person.balance}


def _wish(body: Mapping[str, Any]) -> Wish:
    reward, key, points = body.get("reward"), body.get("key"), body.get("points")
    if not isinstance(reward, str) or not isinstance(key, str) or len(reward) > 50 or not _KEY.fullmatch(key):
        refuse("bad_request")
    if points is not None and (type(points) is not int or not 0 < points < _MOST_POINTS):
        refuse("wrong_amount")
    return Wish(reward, key, points)


def _refuse_stranger(program: Program, wish: Wish) -> NoReturn:
    """Somebody who is logged in and whom we have not met has no points yet; their record is on its way to us."""
    wanted = program.reward(wish.reward)
    if wanted is None or not wanted.listed:
        refuse("unknown_reward")
    refuse("not_enough_points", missing=wish.points or wanted.minimum_points or wanted.points)
