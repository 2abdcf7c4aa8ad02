"""The migrations, on both databases."""

import subprocess
import sys
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel

import loyalty.models  # noqa: F401  # fills the metadata
from engines import schema
from loyalty.database import make_engine

_UPGRADE = """
import sys
from engines import schema
from loyalty.database import make_engine
schema.upgrade(make_engine(sys.argv[1]))
"""


@pytest.fixture(name="empty_url", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def _empty_url(request, tmp_path):
    """The address of a database in which nothing has been made yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/fresh.db"
    else:
        server = request.getfixturevalue("postgres_server")
        yield server.create("fresh")
        server.drop("fresh")


@pytest.fixture(name="empty")
def _empty(empty_url):
    engine = make_engine(empty_url)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    """The tables in the database, but for Alembic's own."""
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def _lookups(there, table: str) -> list[Any]:
    """The indexes of a table, and what it keeps unique, by which rows are found just as well."""
    key = {"column_names": there.get_pk_constraint(table)["constrained_columns"]}
    return [*there.get_indexes(table), *there.get_unique_constraints(table), key]


class TestUpgrade:
    def test_makes_every_table(self, empty):
        """A fresh database gets exactly the tables of the models, and says that it is current."""
        assert not schema.is_current(empty)

        schema.upgrade(empty)

        assert tables(empty) == set(SQLModel.metadata.tables)
        assert schema.is_current(empty)

    def test_again(self, engine):
        """Upgrading what is current changes nothing and does not fail."""
        before = tables(engine)

        schema.upgrade(engine)

        assert tables(engine) == before

    # PostgreSQL alone has indexes of folded names (migration 0005); on SQLite they could not be compared, and Alembic says so.
    @pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
    def test_same_as_the_models(self, engine):
        """The models hold nothing that no migration makes: columns, indexes and constraints alike."""
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, SQLModel.metadata) == []

    def test_found_by_the_member(self, engine):
        """Whatever names a member is found by the member: the database looks for it whenever one is removed, and a shop has a million."""
        there = inspect(engine)
        unfindable = [
            (table, key["constrained_columns"])
            for table in there.get_table_names()
            for key in there.get_foreign_keys(table)
            if key["referred_table"] == "member"
            and key["constrained_columns"][0]
            not in {row["column_names"][0] for row in _lookups(there, table)}
        ]
        assert unfindable == []

    def test_at_once(self, empty_url, empty):
        """Processes that start together and all upgrade take turns, and every one of them succeeds."""
        command = [sys.executable, "-c", _UPGRADE, empty_url]
        racers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        errors = [racer.communicate(timeout=200)[1] for racer in racers]

        assert [racer.returncode for racer in racers] == [0, 0], errors
        assert schema.is_current(empty)

    def test_all_or_nothing(self, empty):
        """An upgrade that fails half-way leaves the database as it was."""
        with empty.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE referral (id integer)")

        with pytest.raises(DatabaseError, match="referral"):
            schema.upgrade(empty)

        assert inspect(empty).get_table_names() == ["referral"]

    def test_makes_the_directory(self, tmp_path):
        """The default SQLite file may be the first thing in its directory."""
        engine = make_engine(f"sqlite:///{tmp_path}/not/yet/laurel.db")
        schema.upgrade(engine)

        assert schema.is_current(engine)
        engine.dispose()

    def test_there_and_back(self, engine):
        """Every migration can be taken back, and applied again."""
        schema.downgrade(engine, "base")
        assert tables(engine) == set()

        schema.upgrade(engine)

        assert tables(engine) == set(SQLModel.metadata.tables)

    def test_keys_enforced_again(self, sqlite_engine):
        """SQLite's foreign keys, switched off while tables are rebuilt, are on again afterwards."""
        with sqlite_engine.connect() as connection:
            schema.upgrade(sqlite_engine)
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
