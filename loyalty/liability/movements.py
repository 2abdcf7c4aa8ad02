"""What moved in each period, and what was outstanding and pending at its end: a few statements over whole periods.

The ledger is grouped by the database, over the stretches of the shop's calendar and along the index of (shop, instant). What was
outstanding before the first period is what all members have now, less everything since: nobody reads years of entries for a week's report.

The points of somebody who is gone (the customer was deleted, or erased) are owed to nobody. They leave the outstanding points as *released*
at that moment, and whatever is still posted for that person afterwards leaves them as it comes. The ledger is not touched.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Subquery, case, func, literal, select, type_coerce, union_all
from sqlmodel import Session, col

from loyalty.core import ledger
from loyalty.liability.periods import Period
from loyalty.models import AwardRow, LedgerEntry, Member
from loyalty.models.columns import UtcDateTime

# The columns of the report, with the sign by which a movement is a positive number in its column.
COLUMNS = {
    "earned": (ledger.EARN, 1),
    "reversed": (ledger.REVERSE, -1),
    "redeemed": (ledger.REDEEM, -1),
    "returned": (ledger.RETURN, 1),
    "expired": (ledger.EXPIRE, -1),
    "forgiven": (ledger.FORGIVE, 1),
    "adjusted": (ledger.ADJUST, 1),
    "imported": (ledger.IMPORT, 1),
    "transferred": (ledger.TRANSFER, 1),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One period. ``moved`` has a number for each of ``COLUMNS``; ``released`` is what was owed to people who are gone; ``outstanding``
    and ``pending`` are at its end."""

    period: Period
    moved: dict[str, int]
    released: int
    outstanding: int
    pending: int

    @property
    def change(self) -> int:
        """By how much the outstanding points changed."""
        return sum(COLUMNS[name][1] * points for name, points in self.moved.items()) - self.released


def lines(session: Session, shop_id: int, periods: Sequence[Period], *, now: datetime) -> tuple[Line, ...]:
    """The periods, which follow one another, with what happened in each up to ``now``."""
    if not periods:
        return ()
    moved = _moved(session, shop_id, periods)
    released_before, released = _released(session, shop_id, periods)
    outstanding, pending = _opening(session, shop_id, periods[0])
    outstanding -= released_before
    waits = _waits(session, shop_id, periods, now)
    found = []
    for place, period in enumerate(periods):
        outstanding += sum(moved[place].values()) - released[place]
        pending += waits[place]
        named = {name: sign * moved[place].get(kind, 0) for name, (kind, sign) in COLUMNS.items()}
        found.append(Line(period, named, released[place], outstanding, pending))
    return tuple(found)


def owed_now(session: Session, shop_id: int) -> int:
    """What all members who are there have together."""
    return _balances(session, shop_id, col(Member.gone_at).is_(None))


def pending_now(session: Session, shop_id: int) -> int:
    """What the same members have earned and cannot spend yet."""
    statement = select(func.coalesce(func.sum(Member.pending), 0)).where(
        col(Member.shop_id) == shop_id, col(Member.gone_at).is_(None)
    )
    return int(session.execute(statement).scalar_one())


def _balances(session: Session, shop_id: int, *which: Any) -> int:
    statement = select(func.coalesce(func.sum(Member.balance), 0)).where(
        col(Member.shop_id) == shop_id, *which
    )
    return int(session.execute(statement).scalar_one())


def _opening(session: Session, shop_id: int, first: Period) -> tuple[int, int]:
    """What was on the books and pending when the first period began."""
    since = select(func.coalesce(func.sum(LedgerEntry.points), 0)).where(
        col(LedgerEntry.shop_id) == shop_id, col(LedgerEntry.occurred_at) >= first.starts
    )
    waiting = select(func.coalesce(func.sum(AwardRow.worth), 0)).where(
        col(AwardRow.shop_id) == shop_id,
        col(AwardRow.occurred_at) < first.starts,
        col(AwardRow.release_at) >= first.starts,
    )
    outstanding = _balances(session, shop_id) - int(session.execute(since).scalar_one())
    return outstanding, int(session.execute(waiting).scalar_one())


def _moved(session: Session, shop_id: int, periods: Sequence[Period]) -> dict[int, dict[str, int]]:
    calendar = _calendar(periods)
    at, kind = col(LedgerEntry.occurred_at), col(LedgerEntry.kind)
    statement = (
        select(calendar.c.place, kind, func.sum(LedgerEntry.points))
        .join(LedgerEntry, (at >= calendar.c.starts) & (at < calendar.c.ends))
        .where(col(LedgerEntry.shop_id) == shop_id)
        .group_by(calendar.c.place, kind)
    )
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for place, moved_as, points in session.execute(statement):
        found[place][moved_as] = int(points)
    return found


def _released(session: Session, shop_id: int, periods: Sequence[Period]) -> tuple[int, dict[int, int]]:
    """What was released before the first period, and in each. An entry of somebody who is gone counts when it happened, but not before
    the person went."""
    at, gone_at = col(LedgerEntry.occurred_at), col(Member.gone_at)
    entries = (
        select(
            type_coerce(case((at < gone_at, gone_at), else_=at), UtcDateTime).label("at"),
            col(LedgerEntry.points).label("points"),
        )
        .join(Member, col(Member.id) == col(LedgerEntry.member_id))
        .where(col(Member.shop_id) == shop_id, gone_at.is_not(None))
        .subquery()
    )
    total = func.coalesce(func.sum(entries.c.points), 0)
    before = session.execute(select(total).where(entries.c.at < periods[0].starts)).scalar_one()
    calendar = _calendar(periods)
    within = (
        select(calendar.c.place, func.sum(entries.c.points))
        .join(entries, (entries.c.at >= calendar.c.starts) & (entries.c.at < calendar.c.ends))
        .group_by(calendar.c.place)
    )
    found: dict[int, int] = defaultdict(int)
    for place, points in session.execute(within):
        found[place] = int(points)
    return int(before), found


def _waits(session: Session, shop_id: int, periods: Sequence[Period], now: datetime) -> dict[int, int]:
    """By how much the points on hold changed in each period, at their present worth: a refund takes them off as if they had never been.
    What is released after ``now`` is still on hold, however long its period goes on."""
    begun, over = _calendar(periods), _calendar(periods)
    earned, released = col(AwardRow.occurred_at), col(AwardRow.release_at)
    mine = (col(AwardRow.shop_id) == shop_id, released >= periods[0].starts)
    first, last = periods[0].starts, periods[-1].ends
    changes: Any = union_all(
        select(begun.c.place.label("place"), func.sum(AwardRow.worth).label("points"))
        .join(AwardRow, (earned >= begun.c.starts) & (earned < begun.c.ends))
        .where(*mine, earned >= first, earned < last)
        .group_by(begun.c.place),
        select(over.c.place, -func.sum(AwardRow.worth))
        .join(AwardRow, (released >= over.c.starts) & (released < over.c.ends))
        .where(*mine, released < last, released <= now)
        .group_by(over.c.place),
    )
    found: dict[int, int] = defaultdict(int)
    for place, points in session.execute(changes):
        found[place] += int(points)
    return found


def _calendar(periods: Sequence[Period]) -> Subquery:
    instants = [
        select(
            literal(place, Integer).label("place"),
            literal(period.starts, UtcDateTime).label("starts"),
            literal(period.ends, UtcDateTime).label("ends"),
        )
        for place, period in enumerate(periods)
    ]
    return union_all(*instants).subquery()
