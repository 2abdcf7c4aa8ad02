"""The app proxy: what a shopper's browser may ask and do. Shopify signs every request and says who is logged in.

A signed address can be replayed for a minute and a half, so nothing changes on GET; a POST names its own key, so a repeat is the
same redemption. The customer is only ever the signed ``logged_in_customer_id``.
"""

import re
import uuid
from datetime import datetime
from typing import Any, NoReturn

from flask import Blueprint, Response, jsonify
from sqlmodel import Session, col, select

from loyalty import outbox
from loyalty.core.decide import RewardRefused
from loyalty.core.facts import RewardRequested
from loyalty.core.program import Program
from loyalty.models import Member, RewardIssue, Shop
from loyalty.redemption import request_reward
from loyalty.runtime import Runtime
from shopify_app.config import ShopifyConfig
from shopify_app.program_view import program_view
from shopify_app.visitors import Visitor, body_of_request, person_of, program_of, refuse, visitor_of

MOST_ISSUES = 20
_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_SHOWN_CODES = frozenset({"issued", "used", "expired"})


def create_blueprint(runtime: Runtime, config: ShopifyConfig) -> Blueprint:
    """The routes below ``/proxy``."""
    blueprint = Blueprint("storefront", __name__, url_prefix="/proxy")

    @blueprint.after_request
    def never_stored(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.get("/member")
    def member() -> Response:
        visitor = visitor_of(runtime, config)
        with runtime.reading() as session:
            person = person_of(session, visitor)
            return jsonify(_member_answer(session, visitor, person, now=runtime.clock()))

    @blueprint.post("/redeem")
    def redeem() -> tuple[Response, int]:
        visitor = visitor_of(runtime, config)
        reward, key = _asked_for()
        answer = _redeem(runtime, visitor, reward, key)
        runtime.nudge("drain_outbox", visitor.shop.id or 0, outbox.SHOPIFY)
        return jsonify(answer), 202

    @blueprint.get("/rewards/<issue_id>")
    def reward(issue_id: str) -> Response:
        visitor = visitor_of(runtime, config)
        if visitor.customer_id is None:
            refuse("not_signed_in")
        with runtime.reading() as session:
            person = person_of(session, visitor)
            issue = session.get(RewardIssue, issue_id)
            if person is None or issue is None or issue.member_id != person.id:
                refuse("not_found")
            return jsonify(issue=_issue(issue, now=runtime.clock()), balance=person.balance)

    return blueprint


def _member_answer(
    session: Session, visitor: Visitor, person: Member | None, *, now: datetime
) -> dict[str, Any]:
    program = program_of(session, visitor)
    view = program_view(program, currency=visitor.shop.currency)
    if visitor.prefix is not None:
        view["proxy"] = visitor.prefix  # merchants may move the proxy
    balance = person.balance if person is not None else 0
    state = person.state if person is not None else "member"
    issues = _issues(session, person) if person is not None else []
    return {
        "program": view,
        "member": None if visitor.customer_id is None else {"balance": balance, "pending": 0, "state": state},
        "rewards": [
            {
                "key": reward.key,
                "title": reward.title,
                "points": reward.points,
                "affordable": visitor.customer_id is not None and balance >= reward.points,
                "missing": max(reward.points - balance, 0),
            }
            for reward in program.rewards
        ],
        "issues": [_issue(issue, now=now) for issue in issues],
    }


def _redeem(runtime: Runtime, visitor: Visitor, reward: str, key: str) -> dict[str, Any]:
    now = runtime.clock()
    if visitor.customer_id is None:
        refuse("not_signed_in")
    with runtime.transaction() as session:
        person = person_of(session, visitor)
        if person is None:
            _refuse_stranger(program_of(session, visitor), reward)
        shop = session.get_one(Shop, visitor.shop.id)
        asked = RewardRequested(reward, key, uuid.uuid4().hex, now)
        try:
            issue = request_reward(session, shop, person, asked, now=now)
        except RewardRefused as refused:
            missing = {"missing": refused.missing} if refused.missing else {}
            refuse(refused.code, **missing)
        session.refresh(person)
        return {"issue": _issue(issue, now=now), "balance": person.balance}


def _refuse_stranger(program: Program, reward: str) -> NoReturn:
    """Somebody who is logged in and whom we have not met has no points yet; their record is on its way to us."""
    wanted = program.reward(reward)
    if wanted is None:
        refuse("unknown_reward")
    refuse("not_enough_points", missing=wanted.points)


def _asked_for() -> tuple[str, str]:
    body = body_of_request()
    reward, key = body.get("reward"), body.get("key")
    if not isinstance(reward, str) or not isinstance(key, str) or len(reward) > 50 or not _KEY.fullmatch(key):
        refuse("bad_request")
    return reward, key


def _issues(session: Session, person: Member) -> list[RewardIssue]:
    return list(
        session.exec(
            select(RewardIssue)
            .where(RewardIssue.member_id == person.id)
            .order_by(col(RewardIssue.created_at).desc(), col(RewardIssue.id).desc())
            .limit(MOST_ISSUES)
        ).all()
    )


def _issue(issue: RewardIssue, *, now: datetime) -> dict[str, Any]:
    is_over = issue.state == "issued" and issue.expires_at is not None and issue.expires_at <= now
    state = "expired" if is_over else issue.state
    return {
        "id": issue.id,
        "title": issue.title,
        "points": issue.points,
        "state": state,
        # Until Shopify has the discount the code would only disappoint.
        "code": issue.code if state in _SHOWN_CODES else None,
        "expires_at": issue.expires_at.isoformat() if issue.expires_at else None,
    }
