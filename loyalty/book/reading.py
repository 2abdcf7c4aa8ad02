"""Locks and reads the rows that a batch touches, each kind in one statement and always in the order of their ids."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlmodel import Session, col, select

from loyalty.book.records import MEMBER_FIELDS, Account, account_of
from loyalty.bulk import among
from loyalty.core.ledger import Entry, Source
from loyalty.core.standing import Award, OpenIssue
from loyalty.ledger.reading import as_entry
from loyalty.models import AwardRow, LedgerEntry, Member, OrderStanding, RewardIssue

# The columns of an award: whose it is, its source, and then the fields of ``Award`` in their order.
AWARD = tuple(
    getattr(AwardRow, name)
    for name in (
        "member_id",
        "source_kind",
        "source_ref",
        "rule",
        "way",
        "title",
        "worth",
        "occurred_at",
        "program_version",
        "release_at",
        "posted",
        "postings",
        "slot",
        "why",
    )
)


def read_accounts(session: Session, shop_id: int, condition: Any) -> Iterator[Account]:
    """The members of a shop that meet a condition."""
    columns = [getattr(Member, name) for name in MEMBER_FIELDS]
    statement = select(*columns).where(Member.shop_id == shop_id, condition)
    for row in session.execute(statement.order_by(col(Member.id)).with_for_update()):
        yield account_of(dict(zip(MEMBER_FIELDS, row, strict=True)))


def read_orders(session: Session, shop_id: int, order_ids: Iterable[int]) -> list[OrderStanding]:
    """What is known of these orders."""
    statement = (
        select(OrderStanding)
        .where(OrderStanding.shop_id == shop_id, among(session, OrderStanding.order_id, set(order_ids)))
        .order_by(col(OrderStanding.id))
        .with_for_update()
    )
    return list(session.exec(statement).all())


def read_awards_of_sources(
    session: Session, shop_id: int, sources: Iterable[Source]
) -> Iterator[tuple[int, int, Award]]:
    """The awards of these sources: row id, member id, award."""
    refs: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        refs[source.kind].add(source.ref)
    for kind, wanted in refs.items():
        yield from _awards(
            session,
            AwardRow.shop_id == shop_id,
            AwardRow.source_kind == kind,
            among(session, AwardRow.source_ref, wanted),
        )


def read_awards_of_members(session: Session, member_ids: Iterable[int]) -> Iterator[tuple[int, int, Award]]:
    """All awards of these members: row id, member id, award."""
    return _awards(session, among(session, AwardRow.member_id, set(member_ids)))


def read_credits(
    session: Session, member_ids: Iterable[int], *, uncounted: bool = False
) -> Iterator[OrderStanding]:
    """All orders of these members, or only those that were never counted."""
    statement = select(OrderStanding).where(among(session, OrderStanding.member_id, set(member_ids)))
    if uncounted:
        statement = statement.where(col(OrderStanding.placed_at).is_(None))
    yield from session.exec(statement.order_by(col(OrderStanding.id)))


def read_counted(session: Session, member_ids: Iterable[int]) -> Iterator[tuple[int, int, datetime, Decimal]]:
    """What the orders of these members count: member id, order id, when it was placed, how much. Those that were never counted are left out."""
    names = ("member_id", "order_id", "placed_at", "counted")
    statement = select(*(getattr(OrderStanding, name) for name in names)).where(
        among(session, OrderStanding.member_id, set(member_ids)), col(OrderStanding.placed_at).is_not(None)
    )
    rows = session.execute(statement.order_by(col(OrderStanding.id)))
    return ((member_id, order_id, placed_at, counted) for member_id, order_id, placed_at, counted in rows)


def read_entries(session: Session, member_ids: Iterable[int]) -> Iterator[tuple[int, Entry]]:
    """All movements of points of these members, from the oldest to the newest."""
    statement = select(LedgerEntry).where(among(session, LedgerEntry.member_id, set(member_ids)))
    for row in session.exec(statement.order_by(col(LedgerEntry.member_id), col(LedgerEntry.position))):
        yield row.member_id, as_entry(row)


def read_open_issues(session: Session, member_ids: Iterable[int]) -> dict[int, list[OpenIssue]]:
    """The rewards of these members that can be used and end one day, by member."""
    found: dict[int, list[OpenIssue]] = defaultdict(list)
    statement = select(*_ISSUE).where(
        among(session, RewardIssue.member_id, set(member_ids)),
        RewardIssue.state == "issued",
        col(RewardIssue.expires_at).is_not(None),
    )
    for row in session.execute(statement.order_by(col(RewardIssue.expires_at), col(RewardIssue.id))):
        found[row.member_id].append(OpenIssue(row.id, row.issued_at or row.created_at, row.expires_at))
    return found


_ISSUE = tuple(
    getattr(RewardIssue, name) for name in ("member_id", "id", "issued_at", "created_at", "expires_at")
)


def posted_by(session: Session, shop_id: int, source: Source) -> tuple[int, str] | None:
    """Points and reason of the first entry of a source; None while it has none."""
    statement = select(LedgerEntry.points, LedgerEntry.reason).where(
        LedgerEntry.shop_id == shop_id,
        LedgerEntry.source_kind == source.kind,
        LedgerEntry.source_ref == source.ref,
    )
    found = session.exec(statement.order_by(col(LedgerEntry.sequence)).limit(1)).first()
    return (found[0], found[1]) if found is not None else None


def _awards(session: Session, *conditions: Any) -> Iterator[tuple[int, int, Award]]:
    for row in session.execute(select(AwardRow.id, *AWARD).where(*conditions).order_by(col(AwardRow.id))):
        row_id, member_id, kind, ref, *rest = row
        yield row_id, member_id, Award(Source(kind, ref), *rest)
