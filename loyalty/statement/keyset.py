"""Pages of a list that stay fast at any depth: a page begins at a row's key, never at an offset, and nothing is counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, literal, tuple_
from sqlmodel import Session

_Row = TypeVar("_Row")

_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: right below the row with this key (``older``), or right above it."""

    key: tuple[int, ...]
    older: bool = True

    def __str__(self) -> str:
        return "~".join(("older" if self.older else "newer", *map(str, self.key)))


@dataclass(frozen=True, slots=True)
class Page(Generic[_Row]):
    """Rows, newest first, and the cursors of the pages on both sides (None at an end)."""

    rows: tuple[_Row, ...]
    newer: Cursor | None = None
    older: Cursor | None = None


def parse_cursor(text: str | None, *, size: int) -> Cursor | None:
    """A cursor from an address. Whatever is not one means the first page: an address can be old or typed by hand."""
    direction, *key = (text or "").split("~")
    if direction not in ("older", "newer") or len(key) != size:
        return None
    try:
        numbers = tuple(int(part) for part in key)
    except ValueError:
        return None
    if any(abs(number) > _LARGEST for number in numbers):
        return None
    return Cursor(numbers, older=direction == "older")


def fetch_page(
    session: Session,
    statement: Select[Any],
    order: Sequence[ColumnElement[int]],
    *,
    cursor: Cursor | None,
    limit: int,
    key_of: Callable[[Any], tuple[int, ...]],
) -> Page[Any]:
    """One page of ``statement``, whose rows are ordered by ``order``, all descending. ``key_of`` gives a row's key."""
    upwards = cursor is not None and not cursor.older
    if cursor is not None:
        here, there = (
            tuple_(*order),
            tuple_(*(literal(number, column.type) for number, column in zip(cursor.key, order, strict=True))),
        )
        statement = statement.where(here > there if upwards else here < there)
    statement = statement.order_by(*(column.asc() if upwards else column.desc() for column in order))
    found = list(session.execute(statement.limit(limit + 1)).all())
    more, rows = len(found) > limit, found[:limit]
    if upwards:
        rows.reverse()
    if not rows:
        return Page(())
    newer_exists = more if upwards else cursor is not None
    older_exists = True if upwards else more
    return Page(
        tuple(rows),
        newer=Cursor(key_of(rows[0]), older=False) if newer_exists else None,
        older=Cursor(key_of(rows[-1])) if older_exists else None,
    )
