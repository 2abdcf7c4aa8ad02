"""Referrals, for the member who brings friends and for the merchant who looks after all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, select
from sqlmodel import Session, col

from loyalty.core.decide.referrals import CLAIMED, COMPLETED, ORDERED, SHARED, STATES
from loyalty.core.referrals import masked
from loyalty.models import AwardRow, Member, Referral
from loyalty.statement.keyset import Cursor, Page, fetch_page
from loyalty.statement.members import MemberRow, names_of

MOST_FRIENDS = 50
_SHOWN = (SHARED, CLAIMED, ORDERED, COMPLETED)
ENDED = "ended"


@dataclass(frozen=True, slots=True)
class FriendRow:
    """One friend, as the member who brought them may see it: a masked address, and nothing of why something ended."""

    friend: str | None
    state: str
    points: int
    at: datetime
    due: datetime | None


@dataclass(frozen=True, slots=True)
class OwnReferrals:
    """A member's referrals: how many there are in each state, the points that they brought and those on hold, and the newest friends."""

    counts: Mapping[str, int]
    points: int
    pending: int
    friends: tuple[FriendRow, ...]


@dataclass(frozen=True, slots=True)
class ReferralRow:
    """One referral for the merchant. ``points`` is what it is worth to the advocate now."""

    referral: Referral
    advocate: MemberRow | None
    friend: MemberRow | None
    points: int


def own_referrals(session: Session, member_id: int) -> OwnReferrals:
    """What a member's friends have come to."""
    mine = col(Referral.advocate_id) == member_id
    found = session.execute(
        select(col(Referral.state), func.count()).where(mine).group_by(col(Referral.state))
    )
    by_state = {row[0]: int(row[1]) for row in found}
    counts = {state: by_state.get(state, 0) for state in _SHOWN}
    counts[ENDED] = sum(by_state.values()) - sum(counts.values())
    points, pending = session.execute(
        select(func.coalesce(func.sum(AwardRow.posted), 0), func.coalesce(func.sum(_held()), 0)).where(
            col(AwardRow.member_id) == member_id, col(AwardRow.source_kind) == "referral"
        )
    ).one()
    rows = session.execute(
        _with_award(select(Referral, col(Member.email), col(AwardRow.worth)))
        .join(Member, col(Member.id) == col(Referral.friend_id))
        .where(mine)
        .order_by(col(Referral.id).desc())
        .limit(MOST_FRIENDS)
    )
    friends = tuple(_friend(referral, email, worth or 0) for referral, email, worth in rows)
    return OwnReferrals(counts, int(points), int(pending), friends)


def referrals_page(
    session: Session, shop_id: int, *, state: str = "", cursor: Cursor | None = None, limit: int = 50
) -> Page[ReferralRow]:
    """One page of a shop's referrals, the newest first."""
    statement = _with_award(select(Referral, col(AwardRow.worth))).where(col(Referral.shop_id) == shop_id)
    if state in STATES:
        statement = statement.where(col(Referral.state) == state)
    identity: Any = col(Referral.id)
    page = fetch_page(
        session, statement, [identity], cursor=cursor, limit=limit, key_of=lambda row: (row[0].id,)
    )
    return Page(_with_people(session, page.rows), page.newer, page.older)


def referral(session: Session, shop_id: int, referral_id: int) -> ReferralRow | None:
    """One referral of a shop, or None."""
    statement = _with_award(select(Referral, col(AwardRow.worth))).where(
        col(Referral.shop_id) == shop_id, col(Referral.id) == referral_id
    )
    return next(iter(_with_people(session, session.execute(statement).all())), None)


def _with_people(session: Session, rows: Iterable[Any]) -> tuple[ReferralRow, ...]:
    found = [(referral, worth or 0) for referral, worth in rows]
    named = {one.advocate_id for one, _ in found} | {one.friend_id for one, _ in found}
    people = names_of(session, named)
    return tuple(
        ReferralRow(one, people.get(one.advocate_id), people.get(one.friend_id), worth)
        for one, worth in found
    )


def _with_award(statement: Any) -> Any:
    """The award of a referral beside it, if there is one."""
    of_referral = and_(
        col(AwardRow.shop_id) == col(Referral.shop_id),
        col(AwardRow.source_kind) == "referral",
        col(AwardRow.source_ref) == col(Referral.key),
    )
    return statement.outerjoin(AwardRow, of_referral)


def _held() -> Any:
    unposted = and_(col(AwardRow.postings) == 0, col(AwardRow.release_at).is_not(None))
    return case((unposted, col(AwardRow.worth)), else_=0)


def _friend(referral: Referral, email: str | None, worth: int) -> FriendRow:
    is_shown = referral.state in _SHOWN
    return FriendRow(
        friend=masked(email),
        state=referral.state if is_shown else ENDED,
        points=worth if is_shown else 0,
        at=referral.completed_at or referral.ordered_at or referral.claimed_at or referral.created_at,
        due=referral.due_at if referral.state == ORDERED else None,
    )
