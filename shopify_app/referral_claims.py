"""What the two doors for friends share: taking a claim, and what may be said of one to whoever knows its key."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from loyalty import referrals
from loyalty.core.decide.referrals import CLAIMED, COMPLETED, ORDERED
from loyalty.core.email import normal_email
from loyalty.core.moments import day_of
from loyalty.core.program import Program, Referrals
from loyalty.database import retry_on_conflict
from loyalty.models import Member, Referral, RewardIssue, Shop
from loyalty.runtime import Runtime
from loyalty.statement.money import Money
from shopify_app.origins import device_of, network_of
from shopify_app.visitors import Visitor, language_of_request, program_of, refuse

_GIVES = frozenset({CLAIMED, ORDERED, COMPLETED})
_SHOWN_CODES = frozenset({"issued", "used", "expired"})


@dataclass(frozen=True, slots=True)
class Offer:
    """What a member offers to friends: the advocate, and the program's word on it."""

    advocate: Member
    program: Program
    terms: Referrals

    @property
    def friend_title(self) -> str:
        """What the friend gets."""
        reward = self.program.reward(self.terms.friend)
        return reward.title if reward is not None else self.terms.title


def minimum_of(visitor: Visitor, program: Program) -> str | None:
    """What the friend's first order must come to, as the shop writes money; None where any order will do."""
    terms, shop = program.referrals, visitor.shop
    if terms is None or not terms.minimum:
        return None
    return Money(shop.currency, shop.money_format, program.currency).say(terms.minimum)


def offer_of(session: Session, visitor: Visitor, code: str) -> Offer:
    """The offer behind a code. Ends the request when there is none."""
    program = program_of(session, visitor)
    if program.referrals is None:
        refuse("no_referrals")
    advocate = referrals.advocate_of(session, visitor.shop.id or 0, code)
    if advocate is None:
        refuse("unknown_code")
    return Offer(advocate, program, program.referrals)


def open_offer_of(session: Session, visitor: Visitor, code: str, *, now: datetime) -> Offer:
    """The offer behind a code that can be taken up now. Ends the request when there is none."""
    offer = offer_of(session, visitor, code)
    if offer.terms.closed(day_of(now, offer.program.timezone), offer.advocate.tier) is not None:
        refuse("no_referrals")
    return offer


def take_claim(
    runtime: Runtime, visitor: Visitor, *, code: object, email: object, device: object
) -> Referral:
    """Record a claim and ring for what follows from it. Ends the request when it cannot be one."""
    address = normal_email(email) if isinstance(email, str) else None
    if not isinstance(code, str):
        refuse("bad_request")
    if address is None:
        refuse("bad_email")
    referral, channels = _take(runtime, visitor, code, address, device)
    for channel in sorted(channels):
        runtime.nudge("drain_outbox", visitor.shop.id or 0, channel)
    return referral


@retry_on_conflict
def _take(
    runtime: Runtime, visitor: Visitor, code: str, address: str, device: object
) -> tuple[Referral, frozenset[str]]:
    now = runtime.clock()
    with runtime.transaction() as session:
        shop = session.get_one(Shop, visitor.shop.id)
        fact = referrals.ReferralClaimed(
            key=uuid.uuid4().hex,
            code=code,
            email=address,
            claimed_at=now,
            device=device_of(runtime.cipher, shop, device),
            network=network_of(runtime.cipher, shop),
        )
        program_of(session, visitor)
        try:
            return referrals.claim(session, shop, fact, now=now)
        except referrals.ReferralRefused as refused:
            refuse(refused.code)


def claim_of(session: Session, visitor: Visitor, key: str) -> Referral | None:
    """A claim by its key, which only whoever made it knows."""
    return session.exec(
        select(Referral).where(Referral.shop_id == visitor.shop.id, Referral.key == key)
    ).first()


def nothing_given() -> str:
    """The words for whoever gets nothing, whatever the reason is: a form that told it would tell strangers who is a customer."""
    return language_of_request().say("friend_nothing")


def claim_answer(session: Session, referral: Referral) -> dict[str, Any]:
    """What is said of a claim: the code once it works, or that nothing is given."""
    issue = session.get(RewardIssue, referral.friend_issue_id) if referral.friend_issue_id else None
    if referral.state not in _GIVES or issue is None:
        return {"claim": None, "message": nothing_given()}
    reward = {
        "title": issue.title,
        "state": issue.state,
        "code": issue.code if issue.state in _SHOWN_CODES else None,
        "expires_at": issue.expires_at.isoformat() if issue.expires_at else None,
    }
    return {"claim": {"id": referral.key, "state": CLAIMED, "reward": reward}, "message": ""}
