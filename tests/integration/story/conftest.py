"""The house for the tests of the whole: on PostgreSQL, and once on SQLite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.story.house import House

pytestmark = [pytest.mark.valkey]


@pytest.fixture
def house(postgres_url: str, queue_url: str, tmp_path: Path) -> Iterator[House]:
    """Everything running on PostgreSQL with one worker; the app is not installed in the shop yet."""
    with House(tmp_path / "house", postgres_url, queue_url) as house:
        yield house.start()


@pytest.fixture
def busy_house(postgres_url: str, queue_url: str, tmp_path: Path) -> Iterator[House]:
    """The same with two workers."""
    with House(tmp_path / "house", postgres_url, queue_url) as house:
        yield house.start(workers=2)


@pytest.fixture
def either_house(database_url: str, queue_url: str, tmp_path: Path) -> Iterator[House]:
    """The same; once on SQLite and once on PostgreSQL."""
    with House(tmp_path / "house", database_url, queue_url) as house:
        yield house.start()
