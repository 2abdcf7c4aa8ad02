"""Checks one member's chain, entry by entry, as it is read."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row

from loyalty.core.ledger import KINDS, chain_hash, entry_id
from loyalty.ledger.problem import Problem
from loyalty.ledger.reading import Fold, as_entry


def chain_problems(rows: Iterator[Row[Any]], fold: Fold) -> Iterator[Problem]:
    """What is wrong with the entries of a member. ``fold`` takes them up on the way and holds their figures at the end."""
    position = 0
    for row in rows:
        position += 1
        if row.position != position:
            yield _about(
                row, f"is at position {row.position} where {position} was expected: an entry is missing"
            )
            position = row.position  # one gap is one problem
        yield from _entry_problems(row, fold.chain_head)
        fold.add(row)


def _entry_problems(row: Row[Any], head: str) -> Iterator[Problem]:
    entry = as_entry(row)
    if row.previous_hash != head:
        yield _about(row, "does not follow the entry before it")
    if chain_hash(row.previous_hash, row.member_id, row.position, entry) != row.hash:
        yield _about(row, "was changed after it was recorded: its hash does not match")
    if row.id != entry_id(row.shop_id, entry):
        yield _about(row, "has an id that does not belong to its source, rule and sequence")
    if row.kind not in KINDS:
        yield _about(row, f"is of the unknown kind {row.kind!r}")


def _about(row: Row[Any], what: str) -> Problem:
    return Problem(row.member_id, row.id, what)
