"""Engines and transactions, the same for SQLite and PostgreSQL.

``transaction`` is the only way to write, and only views, jobs and commands open one. Nothing here runs at import.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

# FULL: a ledger that can forget a committed entry in a power cut is no ledger. It costs nothing measurable next to NORMAL here.
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=15000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",  # without it INSERT OR REPLACE slips past the guard of the ledger
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16000",
)


# PostgreSQL's words for it: a deadlock, a serialization failure, a row that another one added first.
_CONFLICTS = frozenset({"40P01", "40001", "23505"})
_MOST_TRIES = 10
_PAUSE = 0.02

P = ParamSpec("P")
R = TypeVar("R")


def make_engine(url: str, **options: Any) -> Engine:
    """An engine whose write transactions neither lose updates nor, on SQLite, fail for being upgraded half-way."""
    options.setdefault("pool_pre_ping", not url.startswith("sqlite"))
    engine = create_engine(url, **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One unit of work: committed when the block ends, rolled back when it raises."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


def retry_on_conflict(unit: Callable[P, R]) -> Callable[P, R]:
    """Begin a unit of work anew when the database gave it up in favour of another one, because they waited for each other's rows or
    added the same row at the same moment. ``unit`` opens one transaction and does nothing outside of it that may not be done twice.

    Two that met would meet again if both began at once, so each pauses for a while of its own, longer each time.
    """

    @wraps(unit)
    def carried_out(*args: P.args, **kwargs: P.kwargs) -> R:
        for tries in range(1, _MOST_TRIES):
            try:
                return unit(*args, **kwargs)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in _CONFLICTS:
                    raise
            time.sleep(random.uniform(0, _PAUSE * tries))  # noqa: S311  # it keeps no secret
        return unit(*args, **kwargs)

    return carried_out


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session for pages and reports. It sees one moment, takes no write lock, and whatever it changes is rolled back."""
    options: dict[str, Any] = {"laurel_reading": True}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"  # SQLite's readers see one moment as it is
    with (
        engine.connect().execution_options(**options) as connection,
        Session(connection, expire_on_commit=False, autoflush=False) as session,
    ):
        yield session


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins as a reader and then writes fails at once with "database is locked" when another one wrote meanwhile.
    reading_only = connection.get_execution_options().get("laurel_reading", False)
    connection.exec_driver_sql("BEGIN" if reading_only else "BEGIN IMMEDIATE")
