"""Which tables a shop's file has, in the order in which they can be filled, and how their values are written."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Table
from sqlmodel import SQLModel

from loyalty.models import (
    ApiAction,
    AwardRow,
    ImportBatch,
    ImportRow,
    LedgerEntry,
    Member,
    MemberDevice,
    MemberMerge,
    OrderStanding,
    PrivacyRequest,
    ProgramVersion,
    Referral,
    Review,
    RewardIssue,
)
from loyalty.models.columns import Money, UtcDateTime

KEPT: tuple[type[SQLModel], ...] = (
    ProgramVersion,
    Member,
    LedgerEntry,
    AwardRow,
    OrderStanding,
    RewardIssue,
    Review,
    Referral,
    MemberDevice,
    MemberMerge,
    ImportBatch,
    ImportRow,
    PrivacyRequest,
    ApiAction,
)

# Every other table that belongs to a shop, and why it stays behind.
LEFT_OUT: Mapping[str, str] = {
    "api_key": "a key opens one installation",
    "import_chunk": "a file that is still being read",
    "inbox": "deliveries go to the installation that Shopify calls",
    "klaviyo_connection": "its tokens are sealed for one installation: connect again",
    "klaviyo_farewell": "a link that one installation still has to end",
    "oauth_state": "an attempt to connect that is under way",
    "outbox": "what one installation has sent or still sends",
    "run": "jobs of one installation",
    "run_item": "jobs of one installation",
}

# What a new row of a shop gets by itself.
_OWN = frozenset({"shop_id"})


def table_of(model: type[SQLModel]) -> Table:
    """The table of a model."""
    table: Table = model.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    return table


BY_NAME = {table_of(model).name: model for model in KEPT}


def written_columns(model: type[SQLModel]) -> list[Column[Any]]:
    """The columns of a table that a file has: not the shop, not what points at rows of the same table, and no number that nobody else
    points at (and that the other database gives anew)."""
    table = table_of(model)
    links = {column.name for column in self_links(model)}
    return [
        column
        for column in table.columns
        if column.name not in _OWN | links and not (column.primary_key and _is_given_anew(table))
    ]


def self_links(model: type[SQLModel]) -> list[Column[Any]]:
    """The columns that point at rows of their own table: they are told when all rows are there."""
    table = table_of(model)
    return [
        column for column in table.columns if any(key.column.table is table for key in column.foreign_keys)
    ]


def _is_given_anew(table: Table) -> bool:
    if table.name == "ledger_entry":
        return True  # its id is made of the shop's number and its business key
    (key,) = table.primary_key.columns
    if not issubclass(key.type.python_type, int):
        return False
    pointed_at = {
        foreign.column
        for model in KEPT
        for column in table_of(model).columns
        for foreign in column.foreign_keys
    }
    return key not in pointed_at


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def value_of(column: Column[Any], told: Any) -> Any:
    """A value as the column has it. Raises ``ValueError`` or ``TypeError`` for what it cannot hold."""
    if told is None:
        if not column.nullable:
            raise ValueError(f"{column.name} is missing")
        return None
    if isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat(told)
    if isinstance(column.type, Money):
        return Decimal(told)
    return told
