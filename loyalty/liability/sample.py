"""Reads the evidence for breakage: the whole ledgers of members spread evenly over all of them, never more than a page can wait for."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from sqlalchemy import func, select
from sqlmodel import Session, col

from loyalty.core.breakage import Evidence, evidence
from loyalty.core.program import Program
from loyalty.ledger.reading import as_entry
from loyalty.models import LedgerEntry, Member

MOST_MEMBERS = 2000
_AT_ONCE = 200


def gather(
    session: Session, shop_id: int, program: Program, *, now: datetime, most: int = MOST_MEMBERS
) -> Evidence:
    """Follow the points of up to about ``most`` members who ever had any and are there."""
    found = evidence(program, now)
    with_points = (
        col(Member.shop_id) == shop_id,
        col(Member.entry_count) > 0,
        col(Member.gone_at).is_(None),
    )
    count = session.execute(select(func.count()).select_from(Member).where(*with_points)).scalar_one()
    every = -(-int(count) // most) or 1
    chosen = select(col(Member.id)).where(*with_points, col(Member.id) % every == 0).order_by(col(Member.id))
    member_ids = list(session.execute(chosen).scalars())
    for start in range(0, len(member_ids), _AT_ONCE):
        for entries in _ledgers(session, member_ids[start : start + _AT_ONCE]):
            found.add([as_entry(entry) for entry in entries])
    return found


def _ledgers(session: Session, member_ids: list[int]) -> Iterator[list[LedgerEntry]]:
    statement = (
        select(LedgerEntry)
        .where(col(LedgerEntry.member_id).in_(member_ids))
        .order_by(col(LedgerEntry.member_id), col(LedgerEntry.position))
    )
    rows = session.execute(statement).scalars()
    for _, entries in groupby(rows, attrgetter("member_id")):
        yield list(entries)
