"""Brings a database to the current schema, and tells whether it is there. It writes no migrations."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

_CONFIG = Path(__file__).resolve().parent.parent / "alembic.ini"


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Apply what is missing, in one transaction. Processes that do so at once take turns."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    with engine.connect() as connection:
        command.upgrade(_config(connection=connection), revision)
        connection.commit()


def downgrade(engine: Engine, revision: str) -> None:
    """Take migrations back, down to ``revision`` ("base" for all)."""
    with engine.connect() as connection:
        command.downgrade(_config(connection=connection), revision)
        connection.commit()


def is_current(engine: Engine) -> bool:
    """Whether every migration we know has been applied."""
    with engine.connect() as connection:
        applied = set(MigrationContext.configure(connection).get_current_heads())
    return applied == set(ScriptDirectory.from_config(_config()).get_heads())


def _config(**attributes: object) -> Config:
    config = Config(_CONFIG)
    config.attributes.update(attributes)
    return config
