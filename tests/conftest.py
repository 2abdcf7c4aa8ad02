"""The real parts that tests stand on: queue server, PostgreSQL, SQLite, Chromium, each started once per test process.

Databases are made fresh for every test, as copies of one that the migrations built: code under test opens and commits its own
transactions, as it does in life. Only a shared server is reused, never what is in it.

Every test loads this file, and most by far need none of its parts. What takes long to import is imported by the part that needs it.
"""

import gc
import itertools
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests import patience

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from redis import Redis
    from sqlalchemy import Engine

    from engines.postgres import Postgres

# The examples are the same each time (the seed stands in pyproject.toml), so that a failure can be repeated. `make test` takes
# the thorough profile.
settings.register_profile(
    "quick",
    deadline=None,
    database=None,
    max_examples=3,
    # How long examples take to be made says more of the machine than of the test.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=100)
settings.load_profile("quick")

_TEMPLATE = "laurel_template"
_numbers = itertools.count(1)


def pytest_collection_finish() -> None:
    """What was collected lives to the end: nobody needs to look through it for garbage, again and again, while tests run."""
    gc.freeze()


@pytest.fixture
def free_port() -> int:
    """A port on 127.0.0.1 that was free a moment ago, for servers that cannot be given port 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The address of a real queue server, one per test process. Take ``queue_url`` to find it empty."""
    from engines import valkey as engine

    with engine.running() as url:
        yield url


@pytest.fixture
def queue_url(valkey: str) -> str:
    """The address of the queue server, emptied."""
    from redis import Redis

    with Redis.from_url(valkey) as client:
        client.flushall()
    return valkey


@pytest.fixture
def queue(queue_url: str) -> Iterator["Redis"]:
    """A client of the emptied queue server."""
    from redis import Redis

    with Redis.from_url(queue_url) as client:
        yield client


@pytest.fixture(scope="session")
def postgres_server() -> Iterator["Postgres"]:
    """A real PostgreSQL, one per test process, with the migrated template that the tests' databases are copies of."""
    from engines import postgres

    with postgres.running() as server:
        _migrate(server.create(_TEMPLATE))
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that the tests' databases are copies of."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


def _migrate(url: str) -> None:
    from engines import schema
    from loyalty.database import make_engine

    engine = make_engine(url)
    schema.upgrade(engine)
    engine.dispose()  # the last connection to close folds SQLite's write-ahead log into the file


@pytest.fixture
def postgres_url(postgres_server: "Postgres") -> Iterator[str]:
    """The address of an empty, migrated PostgreSQL database of this test's own."""
    name = f"laurel_{next(_numbers)}"
    yield postgres_server.create(name, template=_TEMPLATE)
    postgres_server.drop(name)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of an empty, migrated SQLite database of this test's own."""
    path = tmp_path / "laurel.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty, migrated database; the test runs once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator["Engine"]:
    """An engine on an empty, migrated database; the test runs once on SQLite and once on PostgreSQL."""
    yield from _engine(database_url)


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator["Engine"]:
    """An engine on an empty, migrated PostgreSQL database, for what SQLite does otherwise."""
    yield from _engine(postgres_url)


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator["Engine"]:
    """An engine on an empty, migrated SQLite database, for what PostgreSQL does otherwise and for what needs no choice."""
    yield from _engine(sqlite_url)


def _engine(url: str) -> Iterator["Engine"]:
    from loyalty.database import make_engine

    engine = make_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """The machine's own Chromium, headless. Make a ``new_context()`` per test: it shares nothing with the others."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "no Chromium: `make browser` installs it"
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=patience.PAGES_MS)
    with sync_playwright() as playwright:
        # Root may not use Chromium's own sandbox, and the pages are ours.
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()
