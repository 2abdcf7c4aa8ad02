"""The pages on a SQLite file, with a shop whose story was told through the program's own functions."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient

from loyalty.database import make_engine, transaction
from loyalty.encryption import Cipher
from loyalty.runtime import Runtime
from tests.merchant_pages import NOW, Bell, Door, make_app
from tests.shop_story import Story, tell_story

Told = tuple[Path, Story]


@pytest.fixture
def bell() -> Bell:
    """Notes the nudges."""
    return Bell()


@pytest.fixture(scope="session")
def lived_shop(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A database with a shop after a month of life. It is told once; the tests get copies."""
    return _tell(sqlite_template, tmp_path_factory.mktemp("lived") / "laurel.db", lived=True)


@pytest.fixture(scope="session")
def new_shop(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A database with a shop in the minute of its installation."""
    return _tell(sqlite_template, tmp_path_factory.mktemp("new") / "laurel.db", lived=False)


@pytest.fixture
def runtime(sqlite_url: str, bell: Bell) -> Iterator[Runtime]:
    """A runtime at a fixed time. Its database is empty until ``story`` or ``bare`` fills it."""
    engine = make_engine(sqlite_url)
    yield Runtime(engine, Cipher([Fernet.generate_key().decode()]), bell, clock=lambda: NOW)
    engine.dispose()


@pytest.fixture
def story(lived_shop: Told, sqlite_url: str) -> Story:
    """The shop after a month of life."""
    return _copy(lived_shop, sqlite_url)


@pytest.fixture
def bare(new_shop: Told, sqlite_url: str) -> Story:
    """The shop in the minute of its installation."""
    return _copy(new_shop, sqlite_url)


@pytest.fixture
def door() -> Door:
    """Who is at the pages."""
    return Door()


@pytest.fixture
def client(runtime: Runtime, door: Door) -> Iterator[FlaskClient]:
    """A browser without scripts, on an application with nothing but the merchant's pages."""
    app: Flask = make_app(runtime, door)
    with app.test_client() as client:
        yield client


def _tell(template: Path, path: Path, *, lived: bool) -> Told:
    shutil.copyfile(template, path)
    engine = make_engine(f"sqlite:///{path}")
    with transaction(engine) as session:
        story = tell_story(session, now=NOW, lived=lived)
    engine.dispose()  # the last connection to close folds the write-ahead log into the file
    return path, story


def _copy(told: Told, url: str) -> Story:
    shutil.copyfile(told[0], url.removeprefix("sqlite:///"))
    return told[1]
