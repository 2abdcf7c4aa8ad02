"""The app as the commands find it: on a database and a queue of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from settings import load_settings


@pytest.fixture
def open_app(sqlite_url: str, queue_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes the app, with more settings where a test names some; it is closed at the end."""
    opened: list[Flask] = []

    def open_it(**more: str) -> Flask:
        settings = load_settings(
            laurel_var=tmp_path,
            database_url=sqlite_url,
            redis_url=queue_url,
            shopify_api_key="laurel",
            shopify_api_secret="not-a-secret-at-all",
            **more,
        )
        opened.append(create_app(settings))
        return opened[-1]

    yield open_it
    for app in opened:
        app.extensions["laurel"].runtime.engine.dispose()
