"""Changes and conditions of many rows that go to the database as one value. It decides nothing.

A driver that is given a thousand rows sends a thousand statements, and one that is given a thousand ids writes a thousand parameters. PostgreSQL
takes either as one: rows as a JSON document, ids as an array. The rows of one statement are written in no certain order.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Insert,
    String,
    TableValuedAlias,
    Update,
    any_,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, SQLModel

from loyalty.models.columns import Money, UtcDateTime, table_of

# The types that refuse what must not be stored.
_GUARDS = (Money, UtcDateTime)


def update_rows(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Give rows, each found by its ``id``, new values; all name the same columns. Objects of the session show them too."""
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
    held = {one.id: one for one in session.identity_map.values() if isinstance(one, model)}  # type: ignore[attr-defined]
    for row in rows if held else ():
        if row["id"] in held:
            for name in names:
                set_committed_value(held[row["id"]], name, row[name])


def insert_rows(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns."""
    if not rows:
        return
    names, dialect = tuple(rows[0]), session.get_bind().dialect
    if dialect.name == "postgresql":
        session.execute(_of_document(model, names), {"document": _document(model, names, rows, dialect)})
    else:
        session.execute(insert(table_of(model)), rows)


def new_ids(session: Session, model: type[SQLModel], count: int) -> list[int]:
    """Ids for so many rows that are not there yet. Nobody else gets them."""
    table = table_of(model)
    if session.get_bind().dialect.name == "postgresql":
        numbers = func.generate_series(1, count).table_valued("number")
        following = func.nextval(func.pg_get_serial_sequence(table.name, "id"))
        return list(session.scalars(select(following).select_from(numbers)))
    # Whoever writes to SQLite is alone with it until the transaction ends.
    last = session.scalar(select(func.max(table.c.id))) or 0
    return list(range(last + 1, last + 1 + count))


def among(session: Session, attribute: Any, values: Collection[Any]) -> ColumnElement[bool]:
    """That a column has one of many values."""
    found: ColumnElement[Any] = attribute
    if session.get_bind().dialect.name == "postgresql":
        return found == any_(literal(list(values), ARRAY(found.type)))
    return found.in_(values)


@lru_cache(maxsize=32)
def _from_document(model: type[SQLModel], names: tuple[str, ...]) -> Update:
    table, told = table_of(model), _told(model, names)
    changes = {name: told.c[name] for name in names if name != "id"}
    return update(table).where(table.c.id == told.c.id).values(changes)


@lru_cache(maxsize=32)
def _of_document(model: type[SQLModel], names: tuple[str, ...]) -> Insert:
    told = _told(model, names)
    values = select(*(told.c[name] for name in names))
    return insert(table_of(model)).from_select(names, values, include_defaults=False)


def _told(model: type[SQLModel], names: Sequence[str]) -> TableValuedAlias:
    table, document = table_of(model), cast(bindparam("document", type_=String), JSON)
    return (
        func.json_to_recordset(document)
        .table_valued(*(column(name, table.c[name].type) for name in names), name="told")
        .render_derived(name="told", with_types=True)
    )


@lru_cache(maxsize=32)
def _one_by_one(model: type[SQLModel], names: tuple[str, ...]) -> Update:
    table = table_of(model)
    told = {name: bindparam(f"to_{name}", type_=table.c[name].type) for name in names}
    return update(table).where(table.c.id == told.pop("id")).values(told)


def _document(
    model: type[SQLModel], names: Sequence[str], rows: Sequence[Mapping[str, Any]], dialect: Dialect
) -> str:
    """Rows as JSON, every value as its column's type hands it to the driver. What is nothing is left out: it reads as NULL."""
    types = {name: table_of(model).c[name].type for name in names}
    guarded = {name: kind for name, kind in types.items() if isinstance(kind, _GUARDS)}
    guards = [(name, kind.process_bind_param) for name, kind in guarded.items()]
    plain = []
    for row in rows:
        told = {name: value for name, value in row.items() if value is not None}
        for name, guard in guards:
            if name in told:
                told[name] = guard(told[name], dialect)
        plain.append(told)
    return json.dumps(plain, default=_instant)


def _instant(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no value of a column")
