"""Locks and reads the rows that a batch touches, each kind in one statement and always in the order of their ids."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from loyalty.book.records import MEMBER_FIELDS, Account
from loyalty.core.ledger import Source
from loyalty.models import LedgerEntry, Member, OrderStanding


def read_accounts(session: Session, shop_id: int, condition: Any) -> Iterator[Account]:
    """The members of a shop that meet a condition."""
    columns = [getattr(Member, name) for name in MEMBER_FIELDS]
    statement = select(*columns).where(Member.shop_id == shop_id, condition)
    for row in session.execute(statement.order_by(col(Member.id)).with_for_update()):
        yield Account(**dict(zip(MEMBER_FIELDS, row, strict=True)))


def read_orders(session: Session, shop_id: int, order_ids: Iterable[int]) -> list[OrderStanding]:
    """What is known of these orders."""
    statement = (
        select(OrderStanding)
        .where(OrderStanding.shop_id == shop_id, col(OrderStanding.order_id).in_(set(order_ids)))
        .order_by(col(OrderStanding.id))
        .with_for_update()
    )
    return list(session.exec(statement).all())


def read_posted(
    session: Session, shop_id: int, sources: Iterable[Source]
) -> dict[tuple[str, str], tuple[int, int]]:
    """The sum and the number of the entries that these sources already have."""
    refs: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        refs[source.kind].add(source.ref)
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for kind, wanted in refs.items():
        statement = (
            select(LedgerEntry.source_ref, func.sum(LedgerEntry.points), func.count())
            .where(
                LedgerEntry.shop_id == shop_id,
                LedgerEntry.source_kind == kind,
                col(LedgerEntry.source_ref).in_(wanted),
            )
            .group_by(LedgerEntry.source_ref)
        )
        for ref, points, count in session.execute(statement):
            found[kind, ref] = (int(points), int(count))
    return found
