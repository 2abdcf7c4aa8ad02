"""Checks the ledger by what its entries come from: sequences without gaps, nothing taken back that was not given, merges that make
no points, and orders whose standing says what was really posted for them."""

from collections.abc import Iterator
from contextlib import closing
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Row
from sqlmodel import Session, col, select

from loyalty.ledger.problem import Problem
from loyalty.ledger.reading import stream
from loyalty.models import LedgerEntry, OrderStanding, ProgramVersion

SOURCES_AT_ONCE = 500

# Sources that give points and may take back at most what they gave.
_GIVING = frozenset({"order", "signup", "review"})
_T = TypeVar("_T")
_Group = tuple[str, str, list[Row[Any]]]


def source_problems(session: Session, shop_id: int) -> Iterator[Problem]:
    """What is wrong with the sources of a shop's entries."""
    for groups in _batches(_groups(session, shop_id), SOURCES_AT_ONCE):
        for kind, ref, rows in groups:
            yield from _sequence_problems(rows)
            yield from _sum_problems(kind, ref, rows)
        yield from _order_problems(session, shop_id, [group for group in groups if group[0] == "order"])
    yield from _empty_orders(session, shop_id)
    yield from _unknown_versions(session, shop_id)


def _groups(session: Session, shop_id: int) -> Iterator[_Group]:
    columns = ("id", "member_id", "source_kind", "source_ref", "rule", "sequence", "points")
    key = ("source_kind", "source_ref", "rule", "sequence")  # the order of the unique index
    statement = (
        select(*(getattr(LedgerEntry, name) for name in columns))
        .where(LedgerEntry.shop_id == shop_id)
        .order_by(*(col(getattr(LedgerEntry, name)) for name in key))
    )
    with closing(stream(session, statement)) as rows:
        for (kind, ref), group in groupby(rows, attrgetter("source_kind", "source_ref")):
            yield kind, ref, list(group)


def _sequence_problems(rows: list[Row[Any]]) -> Iterator[Problem]:
    for _, group in groupby(rows, attrgetter("rule")):
        for expected, row in enumerate(group):
            if row.sequence != expected:
                what = f"is posting {row.sequence} of its source where {expected} was expected"
                yield Problem(row.member_id, row.id, what)
                break


def _sum_problems(kind: str, ref: str, rows: list[Row[Any]]) -> Iterator[Problem]:
    total = sum(row.points for row in rows)
    last = rows[-1]
    if kind in _GIVING and total < 0:
        yield Problem(last.member_id, None, f"{kind} {ref} took back {-total} points more than it gave")
    elif kind == "reward" and total > 0:
        yield Problem(last.member_id, None, f"reward {ref} gave back {total} points more than it took")
    elif kind == "merge" and total != 0:
        yield Problem(last.member_id, None, f"merge {ref} does not sum to zero: {total:+} points")


def _order_problems(session: Session, shop_id: int, groups: list[_Group]) -> Iterator[Problem]:
    """Orders whose standing says otherwise than their entries."""
    ids = [int(ref) for _, ref, _ in groups if ref.isdecimal()]
    found = session.execute(
        select(OrderStanding.order_id, OrderStanding.posted, OrderStanding.postings).where(
            OrderStanding.shop_id == shop_id, col(OrderStanding.order_id).in_(ids)
        )
    )
    standings = {str(row.order_id): (row.posted, row.postings) for row in found}
    for _, ref, rows in groups:
        right = (sum(row.points for row in rows), len(rows))
        said = standings.get(ref)
        if said is None:
            what = f"order {ref} has {right[1]} entries and no standing"
        elif said != right:
            what = f"order {ref} stands at {said[0]} points in {said[1]} entries; there are {right[0]} in {right[1]}"
        else:
            continue
        yield Problem(rows[-1].member_id, None, what)


def _empty_orders(session: Session, shop_id: int) -> Iterator[Problem]:
    """Orders that stand at something and have no entry at all."""
    statement = select(OrderStanding.order_id, OrderStanding.member_id, OrderStanding.posted).where(
        OrderStanding.shop_id == shop_id, (OrderStanding.posted != 0) | (OrderStanding.postings != 0)
    )
    for batch in _batches(stream(session, statement), SOURCES_AT_ONCE):
        posted = session.execute(
            select(LedgerEntry.source_ref)
            .where(
                LedgerEntry.shop_id == shop_id,
                LedgerEntry.source_kind == "order",
                col(LedgerEntry.source_ref).in_([str(row.order_id) for row in batch]),
            )
            .distinct()
        )
        known = set(posted.scalars())
        for row in batch:
            if str(row.order_id) not in known:
                what = f"order {row.order_id} stands at {row.posted} points and has no entry"
                yield Problem(row.member_id, None, what)


def _unknown_versions(session: Session, shop_id: int) -> Iterator[Problem]:
    """Versions of the program that entries name and that do not exist."""
    named = select(LedgerEntry.program_version).where(LedgerEntry.shop_id == shop_id).distinct()
    known = select(ProgramVersion.version).where(ProgramVersion.shop_id == shop_id)
    for version in sorted(set(session.scalars(named)) - set(session.scalars(known))):
        yield Problem(None, None, f"entries name version {version} of the program, which does not exist")


def _batches(items: Iterator[_T], size: int) -> Iterator[list[_T]]:
    while batch := list(islice(items, size)):
        yield batch
