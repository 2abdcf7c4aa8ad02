"""Changes and conditions of many rows that go to the database as one value. It decides nothing.

A driver that is given a thousand rows sends a thousand statements, and one that is given a thousand ids writes a thousand parameters. PostgreSQL
takes either as one: rows as a JSON document, ids as an array.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    String,
    Update,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlmodel import Session, SQLModel

from loyalty.models.columns import Money, UtcDateTime, table_of

# The types that refuse what must not be stored.
_GUARDS = (Money, UtcDateTime)


def update_rows(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Give rows, each found by its ``id``, new values; all name the same columns. Objects of the session do not learn of it."""
    if not rows:
        return
    names, dialect = tuple(rows[0]), session.get_bind().dialect
    if dialect.name == "postgresql":
        document = _document(model, names, rows, dialect)
        session.execute(_from_document(model, names), {"document": document})
    else:
        session.execute(
            _one_by_one(model, names), [{f"to_{name}": row[name] for name in names} for row in rows]
        )


def among(session: Session, attribute: Any, values: Collection[Any]) -> ColumnElement[bool]:
    """That a column has one of many values."""
    found: ColumnElement[Any] = attribute
    if session.get_bind().dialect.name == "postgresql":
        return found == any_(literal(list(values), ARRAY(found.type)))
    return found.in_(values)


@lru_cache(maxsize=32)
def _from_document(model: type[SQLModel], names: tuple[str, ...]) -> Update:
    table = table_of(model)
    document = cast(bindparam("document", type_=String), JSON)
    told = (
        func.json_to_recordset(document)
        .table_valued(*(column(name, table.c[name].type) for name in names), name="told")
        .render_derived(name="told", with_types=True)
    )
    changes = {name: told.c[name] for name in names if name != "id"}
    return update(table).where(table.c.id == told.c.id).values(changes)


@lru_cache(maxsize=32)
def _one_by_one(model: type[SQLModel], names: tuple[str, ...]) -> Update:
    table = table_of(model)
    told = {name: bindparam(f"to_{name}", type_=table.c[name].type) for name in names}
    return update(table).where(table.c.id == told.pop("id")).values(told)


def _document(
    model: type[SQLModel], names: Sequence[str], rows: Sequence[Mapping[str, Any]], dialect: Dialect
) -> str:
    """Rows as JSON, every value as its column's type hands it to the driver."""
    types = {name: table_of(model).c[name].type for name in names}
    guarded = {name: kind for name, kind in types.items() if isinstance(kind, _GUARDS)}
    if guarded:
        rows = [
            {**row, **{name: kind.process_bind_param(row[name], dialect) for name, kind in guarded.items()}}
            for row in rows
        ]
    return json.dumps(rows, default=_instant)


def _instant(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no value of a column")
