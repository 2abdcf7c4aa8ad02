"""The webhook doors' own way into the inbox: deliveries that arrive together are written together.

A delivery of its own transaction costs four round trips to the database and one wait for its disk, which is nearly all that a
delivery costs. Here the first one is written at once; those that arrive while it is being written go together in the next
statement, and each is answered for when its own row is committed. So the cost per delivery falls as the load rises, and nobody
waits longer than for two commits. A delivery that the database refuses is told apart from its neighbours.

It is for single deliveries that arrive side by side; whoever has more to write opens a transaction and uses ``inbox``.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from loyalty.database import make_engine
from loyalty.models.columns import UtcDateTime

MOST_AT_ONCE = 50

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


class _Delivery:
    """One row on its way in, and the thread that waits for it."""

    __slots__ = ("leads", "problem", "turn", "values")

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values
        self.problem: str | None = None
        self.leads = False
        self.turn = (
            threading.Lock()
        )  # released when the row is written, or when its thread shall write the next ones
        self.turn.acquire()


class Intake:
    """See the module. It keeps one connection of its own, opened when it is first needed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = make_engine(
            engine.url.render_as_string(hide_password=False),
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=False,
            pool_reset_on_return=None,
            pool_size=1,
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
        self._trouble: tuple[type[Exception], ...] = (dialect.dbapi.Error, SQLAlchemyError)
        self._lock = threading.Lock()
        self._waiting: deque[_Delivery] = deque()
        self._busy = False

    def receive(
        self, *, shop_domain: str, source: str, delivery_id: str, topic: str, body: bytes, now: datetime
    ) -> None:
        """Keep one delivery; a repeat is ignored. Returns when it is committed. Raises ``NotKept``."""
        at = self._instant(now)
        delivery = _Delivery((shop_domain, source, delivery_id, topic, body, "due", 0, at, at))
        with self._lock:
            self._waiting.append(delivery)
            if not self._busy:
                self._busy = delivery.leads = True
        if not delivery.leads:
            delivery.turn.acquire()
        if delivery.leads:
            self._lead()
        if delivery.problem is not None:
            raise NotKept(delivery.problem)

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    def _lead(self) -> None:
        """Write what waits, beginning with this thread's own delivery, and pass the lead to the next thread in the line."""
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE))]
        try:
            self._write(batch)
        except BaseException as error:
            # Nobody may be told that a delivery is kept when it may not be: the sender repeats it, and a repeat is harmless.
            for delivery in batch:
                delivery.problem = delivery.problem or type(error).__name__
            raise
        finally:
            with self._lock:
                follower = self._waiting[0] if self._waiting else None
                self._busy = follower is not None
            if follower is not None:
                follower.leads = True
                follower.turn.release()
            for delivery in batch[1:]:
                delivery.turn.release()

    def _write(self, batch: Sequence[_Delivery]) -> None:
        try:
            self._insert(batch)
        except self._trouble:
            # A connection that died since its last use, or one delivery that spoils the others': each is tried alone, and
            # one that was written after all is a repeat.
            for delivery in batch:
                try:
                    self._insert([delivery])
                except self._trouble as error:
                    delivery.problem = type(error).__name__

    def _insert(self, batch: Sequence[_Delivery]) -> None:
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            # In the order of their ids: two processes that write the same repeats must not wait for each other.
            self._run(cursor, sorted((delivery.values for delivery in batch), key=_delivery_id))
            cursor.close()
        except self._trouble:
            connection.invalidate()
            raise
        connection.close()

    def _run(self, cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
        if self._engine.dialect.name == "postgresql":
            # The driver sends them in one go, and PostgreSQL takes them as one transaction.
            cursor.executemany(self._statement, rows)
            return
        cursor.execute("BEGIN IMMEDIATE")
        try:
            cursor.executemany(self._statement, rows)
        except self._trouble:
            cursor.execute(
                "ROLLBACK"
            )  # a connection that is closed with a statement open would keep the write lock
            raise
        cursor.execute("COMMIT")


def _delivery_id(values: tuple[Any, ...]) -> tuple[str, str]:
    return values[0], values[2]


def _unchanged(value: datetime) -> datetime:
    return value
