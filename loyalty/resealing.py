"""Seals with the first key anew whatever an older key sealed: after that the older keys can be thrown away."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, select, update
from sqlmodel import SQLModel

from loyalty.encryption import Cipher, SealBroken
from loyalty.models import OutboxMessage
from loyalty.models.columns import Sealed, table_of
from loyalty.runtime import Runtime

_AT_ONCE = 200
# An address that a message is about, and that is not a member's, stands in it under this name.
_IN_MESSAGES = "sealed"


@dataclass(slots=True)
class Resealed:
    """What was found in one place: how many values had the first key's seal already, how many got it, and how many no key opens."""

    place: str
    kept: int = 0
    resealed: int = 0
    broken: int = 0


def reseal(runtime: Runtime) -> Iterator[Resealed]:
    """Go through every place that holds sealed values, a part of its rows in each transaction. They are locked meanwhile, so that nothing
    that is being kept at this moment is overwritten. Whoever was interrupted begins again, and finds most of it done."""
    for table in SQLModel.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, Sealed):
                yield _reseal(runtime, table, column)
    yield _reseal(runtime, table_of(OutboxMessage), table_of(OutboxMessage).c.payload)


def _reseal(runtime: Runtime, table: Table, column: Column[Any]) -> Resealed:
    found, after = Resealed(f"{table.name}.{column.name}"), None
    (key,) = table.primary_key.columns
    is_message = not isinstance(column.type, Sealed)
    has_one = column[_IN_MESSAGES].as_string().is_not(None) if is_message else column != ""
    change = _in_message if is_message else _by_itself
    while True:
        rows = select(key, column).where(has_one).order_by(key).limit(_AT_ONCE).with_for_update()
        with runtime.transaction() as session:
            page = session.execute(rows if after is None else rows.where(key > after)).all()
            for row_key, value in page:
                changed = change(runtime.cipher, value, found)
                if changed != value:
                    session.execute(update(table).where(key == row_key).values({column: changed}))
        if len(page) < _AT_ONCE:
            return found
        after = page[-1][0]


def _by_itself(cipher: Cipher, sealed: str, found: Resealed) -> str:
    try:
        anew = cipher.reseal(sealed, place=found.place)
    except SealBroken:
        found.broken += 1
        return sealed
    if anew == sealed:
        found.kept += 1
    else:
        found.resealed += 1
    return anew


def _in_message(cipher: Cipher, payload: dict[str, Any], found: Resealed) -> dict[str, Any]:
    return {**payload, _IN_MESSAGES: _by_itself(cipher, payload[_IN_MESSAGES], found)}
