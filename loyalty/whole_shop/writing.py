"""Writes a shop's file, in flat memory. Give it a session that sees one moment (``loyalty.database.reading``)."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Column, select
from sqlmodel import Session, SQLModel

from loyalty.ledger.reading import stream
from loyalty.ledger.verify import digest
from loyalty.models import LedgerEntry, Shop
from loyalty.whole_shop.tables import KEPT, plain, self_links, table_of, written_columns

VERSION = 1
SHOP_COLUMNS = (
    "domain",
    "shopify_id",
    "name",
    "contact_email",
    "currency",
    "money_format",
    "timezone",
    "plan",
    "first_installed_at",
    "installed_at",
)


def shop_lines(session: Session, shop: Shop, *, now: datetime) -> Iterator[str]:
    """The lines of the file, without their ends: a head with what it is and the seal of its books, every row, and a count at the end."""
    assert shop.id is not None
    yield _line(
        laurel_shop=VERSION,
        exported_at=plain(now),
        shop={name: plain(getattr(shop, name)) for name in SHOP_COLUMNS},
        tables={table_of(model).name: [c.name for c in written_columns(model)] for model in KEPT},
        digest=asdict(digest(session, shop.id)),
    )
    counts: dict[str, int] = {}
    for model in KEPT:
        name = table_of(model).name
        counts[name] = 0
        for values in _rows(session, model, shop.id):
            counts[name] += 1
            yield _line(table=name, row=values)
        for link in _links(session, model, shop.id):
            yield _line(table=name, link=link)
    yield _line(end=counts)


def _rows(session: Session, model: type[SQLModel], shop_id: int) -> Iterator[list[Any]]:
    yield from _read(session, model, shop_id, written_columns(model))


def _links(session: Session, model: type[SQLModel], shop_id: int) -> Iterator[list[Any]]:
    """Of the rows that point at others of their table: their key and where they point."""
    (key,) = table_of(model).primary_key.columns
    for column in self_links(model):
        for values in _read(session, model, shop_id, [key, column]):
            if values[1] is not None:
                yield [values[0], column.name, values[1]]


def _read(
    session: Session, model: type[SQLModel], shop_id: int, columns: list[Column[Any]]
) -> Iterator[list[Any]]:
    table = table_of(model)
    order = [table.c.member_id, table.c.position] if model is LedgerEntry else list(table.primary_key.columns)
    statement = select(*columns).where(table.c.shop_id == shop_id).order_by(*order)
    with closing(stream(session, statement)) as rows:
        for row in rows:
            yield [plain(value) for value in row]


def _line(**values: Any) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
