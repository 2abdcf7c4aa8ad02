"""Column types and the naming convention that every table shares. It refuses naive datetimes and binary floats for money."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Integer, String, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

# Constraint names must be predictable: migrations drop them by name and error handling recognises them by name.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite only auto-increments a column that is exactly INTEGER; ids from Shopify need 64 bits elsewhere.
BigId = BigInteger().with_variant(Integer(), "sqlite")

# A currency without cents takes a busy shop's customer past 2**31 points.
Points = BigInteger()

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

# As it was written: jsonb would sort the keys.
OrderedJson = JSON(none_as_null=True)


def table_of(model: type[SQLModel]) -> Table:
    """The table of a model, for statements of many rows: through the model each row passes the unit of work, which costs as much
    as the rest of its way to the database."""
    table: Table = model.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    return table


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Takes and gives aware UTC datetimes on every database (SQLite keeps no zone of its own)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Sealed(TypeDecorator[str]):
    """A secret in its seal (see ``loyalty.encryption``). The type is how ``loyalty.resealing`` finds every one of them."""

    impl = String
    cache_ok = True


class Money(TypeDecorator[Decimal]):
    """An exact amount of money, kept as text so that no database turns it into a binary float."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        if isinstance(value, float):
            raise TypeError("money is never a float")
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)
