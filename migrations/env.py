"""Runs the migrations on the connection it is given (``engines.schema``, tests), or else on the settings' database.

All of them run in one transaction on both databases, so a failed upgrade leaves the schema as it was.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import JSON, Connection, text
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

import loyalty.models  # noqa: F401  # fills the metadata that autogenerate compares with
from loyalty.database import make_engine
from settings import load_settings

# Any constant: two processes that upgrade one PostgreSQL at once take turns on it.
_TURN = 7_308_332_045
_LONGEST_WAIT_MS = 600_000


def _plain_type(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Column types by what the database sees: a migration must run long after the models have changed."""
    if kind != "type":
        return False
    if isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    if isinstance(item, JSON) and "postgresql" in item._variant_mapping:  # noqa: SLF001  # there is no public way to ask
        # Alembic's own rendering of this variant names a type that it does not import.
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


@contextmanager
def _sqlite_prepared(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by building it anew, and dropping the old one would delete what refers to it; and who waits for another
    process that upgrades a large file may wait for long.

    The pragmas count only outside a transaction, so they go past SQLAlchemy, which would begin one.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    cursor = connection.connection.cursor()
    usual_wait = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.execute(f"PRAGMA busy_timeout={_LONGEST_WAIT_MS}")
    try:
        yield
    finally:
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={usual_wait}")


def _check_foreign_keys(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        broken = connection.execute(text("PRAGMA foreign_key_check")).all()
        if broken:
            raise RuntimeError(f"a migration left {len(broken)} rows of {broken[0][0]} that refer to nothing")


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        render_item=_plain_type,
        # Alembic would commit after each migration on SQLite, and another process could slip in between two of them.
        transactional_ddl=True,
    )
    with _sqlite_prepared(connection), context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})
        context.run_migrations()
        _check_foreign_keys(connection)


def _run_on_settings() -> None:
    engine = make_engine(load_settings().database_url)
    try:
        with engine.connect() as connection:
            _run(connection)
    finally:
        engine.dispose()


given: Connection | None = context.config.attributes.get("connection")
if context.is_offline_mode():
    raise SystemExit("The migrations look at the database while they run, so they cannot be printed as SQL.")
if given is not None:
    _run(given)
else:
    _run_on_settings()
