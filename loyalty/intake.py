"""The webhook doors' own way into the inbox: one insert that is its own transaction, in one round trip.

A transaction on a pooled connection costs four round trips (is it alive, begin, insert, commit), which is most of what a delivery
costs. Here a connection is not asked whether it is alive: when it turns out to be dead the insert is tried once more on a new one,
and a repeat is ignored anyway. It is for a single delivery; whoever has more to write opens a transaction and uses ``inbox``.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from loyalty.database import make_engine
from loyalty.models.columns import UtcDateTime

_COLUMNS = (
    "shop_domain",
    "source",
    "delivery_id",
    "topic",
    "body",
    "state",
    "attempts",
    "received_at",
    "due_at",
)
_PLACES = {"sqlite": "?", "postgresql": "%s"}


class NotKept(Exception):
    """The database did not take a delivery. ``kind`` is the name of its error, whose own text may quote the delivery."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Intake:
    """See the module. It has ``connections`` of its own, opened when they are first needed and kept."""

    def __init__(self, engine: Engine, *, connections: int = 8) -> None:
        self._engine = make_engine(
            engine.url.render_as_string(hide_password=False),
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=False,
            pool_reset_on_return=None,
            pool_size=connections,
            max_overflow=0,
        )
        dialect = self._engine.dialect
        places = ", ".join([_PLACES[dialect.name]] * len(_COLUMNS))
        self._statement = (
            f"INSERT INTO inbox ({', '.join(_COLUMNS)}) VALUES ({places})"  # noqa: S608  # constants only
            " ON CONFLICT (shop_domain, source, delivery_id) DO NOTHING"
        )
        self._instant: Callable[[datetime], Any] = (
            UtcDateTime().dialect_impl(dialect).bind_processor(dialect) or _unchanged
        )
        assert dialect.dbapi is not None
        self._trouble: type[Exception] = dialect.dbapi.Error

    def receive(
        self, *, shop_domain: str, source: str, delivery_id: str, topic: str, body: bytes, now: datetime
    ) -> bool:
        """Keep one delivery. False when it was there already (a repeat). Raises ``NotKept``."""
        at = self._instant(now)
        values = (shop_domain, source, delivery_id, topic, body, "due", 0, at, at)
        try:
            return self._insert(values)
        except self._trouble:
            # Most likely a connection that died since its last use, and then its neighbours did as well.
            self._engine.dispose()
        except SQLAlchemyError as error:
            raise NotKept(type(error).__name__) from None
        try:
            return self._insert(values)
        except (self._trouble, SQLAlchemyError) as error:
            raise NotKept(type(error).__name__) from None

    def close(self) -> None:
        """Close the connections that rest."""
        self._engine.dispose()

    def _insert(self, values: tuple[Any, ...]) -> bool:
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(self._statement, values)
            kept = cursor.rowcount == 1
            cursor.close()
        except self._trouble:
            connection.invalidate()
            raise
        connection.close()
        return kept


def _unchanged(value: datetime) -> datetime:
    return value
