"""What a member may know of their own account: the latest movements, what waits, and which ways to earn are open to them now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from loyalty.core.decide import why_not
from loyalty.core.ledger import Source
from loyalty.core.limits import allows
from loyalty.core.program import Program
from loyalty.core.standing import Award, AwardKey, Standing
from loyalty.models import AwardRow, LedgerEntry, Member, RewardIssue

MOST_ENTRIES = 20
# A limit looks at the latest of what was earned; so many in its time are more than any limit allows in earnest.
_MOST_AWARDS = 500
_DID_NOT_HAPPEN = ("failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement of points as its owner may read it. ``title`` is that of the award that it belongs to, where it belongs to one."""

    points: int
    kind: str
    reason: str
    occurred_at: datetime
    source_kind: str
    why: Mapping[str, Any]
    title: str | None


def movements(session: Session, member_id: int) -> Sequence[Movement]:
    """The latest movements, the newest first."""
    entry = LedgerEntry
    columns = (entry.points, entry.kind, entry.reason, entry.occurred_at, entry.source_kind, entry.why)
    rows = session.execute(
        select(*columns, AwardRow.title)  # type: ignore[call-overload]  # more columns than there are overloads
        .join(
            AwardRow,
            (col(AwardRow.shop_id) == col(entry.shop_id))
            & (col(AwardRow.source_kind) == col(entry.source_kind))
            & (col(AwardRow.source_ref) == col(entry.source_ref))
            & (col(AwardRow.rule) == col(entry.rule)),
            isouter=True,
        )
        .where(entry.member_id == member_id)
        .order_by(col(entry.position).desc())
        .limit(MOST_ENTRIES)
    )
    return [Movement(*row) for row in rows]


def next_release(session: Session, member: Member, *, now: datetime) -> datetime | None:
    """When the next of the points that wait can be spent."""
    if not member.pending:
        return None
    return session.exec(
        select(func.min(AwardRow.release_at)).where(
            AwardRow.member_id == member.id,
            AwardRow.worth > 0,
            AwardRow.postings == 0,
            col(AwardRow.release_at) > now,
        )
    ).one()


def closed_ways(
    session: Session, member: Member | None, program: Program, *, now: datetime
) -> Mapping[str, str]:
    """The rules by which the member earns nothing now, with the reason (see ``why_not``)."""
    standing = _standing(session, member, program)
    found = ((rule.key, why_not(standing, rule, program, at=now)) for rule in program.earning)
    return {key: reason for key, reason in found if reason is not None}


def closed_rewards(
    session: Session, member: Member | None, program: Program, *, now: datetime
) -> Mapping[str, str]:
    """The rewards that the member cannot have now however many points there are: ``wrong_tier`` or ``limit_reached``."""
    tier = member.tier if member is not None else None
    closed = {
        reward.key: "wrong_tier" for reward in program.rewards if reward.tiers and tier not in reward.tiers
    }
    limited = {reward.key: reward.limit for reward in program.rewards if reward.limit is not None}
    if member is None or not limited:
        return closed
    had: dict[str, list[datetime]] = {}
    for key, at in session.execute(
        select(RewardIssue.reward, RewardIssue.created_at).where(
            RewardIssue.member_id == member.id,
            col(RewardIssue.reward).in_(limited),
            col(RewardIssue.given_for).is_(None),
            col(RewardIssue.state).not_in(_DID_NOT_HAPPEN),
        )
    ):
        had.setdefault(key, []).append(at)
    reached = {
        key: "limit_reached"
        for key, limit in limited.items()
        if not allows(limit, had.get(key, []), now, program.timezone)
    }
    return reached | closed


def _standing(session: Session, member: Member | None, program: Program) -> Standing:
    """As much of the member's standing as ways to earn ask for: what may be had once, and what a limit counts."""
    if member is None:
        return Standing(is_guest=False)
    limited = [rule.key for rule in program.earning if rule.limit is not None]
    statement = (
        select(AwardRow)
        .where(
            AwardRow.member_id == member.id,
            AwardRow.worth > 0,
            or_(col(AwardRow.slot) != "", col(AwardRow.rule).in_(limited)),
        )
        .order_by(col(AwardRow.occurred_at).desc())
        .limit(_MOST_AWARDS)
    )
    awards: dict[AwardKey, Award] = {}
    for row in session.exec(statement):
        source = Source(row.source_kind, row.source_ref)
        awards[AwardKey(source, row.rule)] = Award(
            source,
            row.rule,
            row.way,
            row.title,
            row.worth,
            row.occurred_at,
            row.program_version,
            slot=row.slot,
        )
    return Standing(is_guest=False, tier=member.tier, awards=awards)
