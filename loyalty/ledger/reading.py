"""Reads ledgers of any size in flat memory: members in batches, and their entries as a stream beside them."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Executable, Row
from sqlmodel import Session, col, select

from loyalty.core.ledger import Entry, Source, lifetime
from loyalty.models import LedgerEntry, Member

MEMBERS_AT_ONCE = 500
ROWS_AT_ONCE = 2000

_MEMBER = tuple(
    getattr(Member, name)
    for name in (
        "id",
        "shop_id",
        "shopify_customer_id",
        "email",
        "balance",
        "lifetime_earned",
        "lifetime_spent",
        "entry_count",
        "chain_head",
    )
)
_ENTRY = tuple(LedgerEntry.__table__.columns)  # type: ignore[attr-defined]  # SQLModel does not declare it


@dataclass(slots=True)
class Fold:
    """What a member's entries add up to."""

    balance: int = 0
    lifetime_earned: int = 0
    lifetime_spent: int = 0
    entry_count: int = 0
    chain_head: str = ""

    def add(self, row: Row[Any]) -> None:
        """Take one more entry, as it is stored."""
        earned, spent = lifetime(row.kind, row.points)
        self.balance += row.points
        self.lifetime_earned += earned
        self.lifetime_spent += spent
        self.entry_count += 1
        self.chain_head = row.hash


def accounts(session: Session, shop_id: int) -> Generator[tuple[Row[Any], Iterator[Row[Any]]]]:
    """Every member of a shop by id, each with its entries by position. Use up the entries before the next member."""
    last = 0
    while members := _members(session, shop_id, after=last):
        last = members[-1].id
        with closing(_entries(session, [member.id for member in members])) as entries:
            yield from _side_by_side(members, groupby(entries, attrgetter("member_id")))


def _side_by_side(
    members: list[Row[Any]], groups: Iterator[tuple[int, Iterator[Row[Any]]]]
) -> Iterator[tuple[Row[Any], Iterator[Row[Any]]]]:
    group = next(groups, None)
    for member in members:
        if group is not None and group[0] == member.id:
            yield member, group[1]
            group = next(groups, None)
        else:
            yield member, iter(())


def as_entry(row: Row[Any] | LedgerEntry) -> Entry:
    """What a stored entry claims."""
    return Entry(
        kind=row.kind,
        points=row.points,
        source=Source(row.source_kind, row.source_ref),
        rule=row.rule,
        sequence=row.sequence,
        program_version=row.program_version,
        reason=row.reason,
        why=row.why,
        occurred_at=row.occurred_at,
    )


def stream(session: Session, statement: Executable) -> Generator[Row[Any]]:
    """Rows as they come, never all at once; the cursor is closed even when somebody stops half-way."""
    with session.execute(statement, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
        yield from rows


def _members(session: Session, shop_id: int, *, after: int) -> list[Row[Any]]:
    statement = select(*_MEMBER).where(Member.shop_id == shop_id, col(Member.id) > after)
    return list(session.execute(statement.order_by(col(Member.id)).limit(MEMBERS_AT_ONCE)))


def _entries(session: Session, member_ids: list[int]) -> Generator[Row[Any]]:
    statement = (
        select(*_ENTRY)
        .where(col(LedgerEntry.member_id).in_(member_ids))
        .order_by(col(LedgerEntry.member_id), col(LedgerEntry.position))
    )
    yield from stream(session, statement)
