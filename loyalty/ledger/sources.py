"""Checks the ledger by what its entries come from: sequences without gaps, nothing taken back that was not given, merges that make
no points, and awards that say what was really posted for them."""

from collections.abc import Iterator
from contextlib import closing
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Row
from sqlmodel import Session, col, select

from loyalty.ledger.problem import Problem
from loyalty.ledger.reading import stream
from loyalty.models import AwardRow, LedgerEntry, ProgramVersion

SOURCES_AT_ONCE = 500

# Sources that give nothing by an award: staff, rewards, merges, the end of points, forgiven debts, imports.
_WITHOUT_AWARD = frozenset({"staff", "reward", "merge", "expiry", "debt", "import"})
_SAID = tuple(getattr(AwardRow, name) for name in ("source_kind", "source_ref", "rule", "posted", "postings"))
_T = TypeVar("_T")
_Group = tuple[str, str, list[Row[Any]]]


def source_problems(session: Session, shop_id: int) -> Iterator[Problem]:
    """What is wrong with the sources of a shop's entries."""
    for groups in _batches(_groups(session, shop_id), SOURCES_AT_ONCE):
        for kind, ref, rows in groups:
            yield from _sequence_problems(rows)
            yield from _sum_problems(kind, ref, rows)
        yield from _award_problems(
            session, shop_id, [group for group in groups if group[0] not in _WITHOUT_AWARD]
        )
    yield from _empty_awards(session, shop_id)
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
    if kind not in _WITHOUT_AWARD and total < 0:
        yield Problem(last.member_id, None, f"{kind} {ref} took back {-total} points more than it gave")
    elif kind == "reward" and total > 0:
        yield Problem(last.member_id, None, f"reward {ref} gave back {total} points more than it took")
    elif kind == "merge" and total != 0:
        yield Problem(last.member_id, None, f"merge {ref} does not sum to zero: {total:+} points")


def _award_problems(session: Session, shop_id: int, groups: list[_Group]) -> Iterator[Problem]:
    """Awards that say otherwise than their entries."""
    refs = {ref for _, ref, _ in groups}
    found = session.execute(
        select(*_SAID).where(AwardRow.shop_id == shop_id, col(AwardRow.source_ref).in_(refs))
    )
    said = {(row.source_kind, row.source_ref, row.rule): (row.posted, row.postings) for row in found}
    for kind, ref, rows in groups:
        for rule, postings in groupby(rows, attrgetter("rule")):
            entries = list(postings)
            right = (sum(row.points for row in entries), len(entries))
            known = said.get((kind, ref, rule))
            if known is None:
                what = f"{kind} {ref} has {right[1]} entries by {rule} and no award"
            elif known != right:
                what = (
                    f"the award of {kind} {ref} by {rule} says {known[0]} points in {known[1]} entries; "
                    f"there are {right[0]} in {right[1]}"
                )
            else:
                continue
            yield Problem(entries[-1].member_id, None, what)


def _empty_awards(session: Session, shop_id: int) -> Iterator[Problem]:
    """Awards that say that something was posted, and have no entry at all."""
    entry_of_award = (
        select(LedgerEntry.id)
        .where(
            LedgerEntry.shop_id == AwardRow.shop_id,
            LedgerEntry.source_kind == AwardRow.source_kind,
            LedgerEntry.source_ref == AwardRow.source_ref,
            LedgerEntry.rule == AwardRow.rule,
        )
        .exists()
    )
    statement = select(AwardRow.member_id, AwardRow.source_kind, AwardRow.source_ref, AwardRow.posted).where(
        AwardRow.shop_id == shop_id, (AwardRow.posted != 0) | (AwardRow.postings != 0), ~entry_of_award
    )
    for row in stream(session, statement):
        what = f"the award of {row.source_kind} {row.source_ref} says {row.posted} points and has no entry"
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
