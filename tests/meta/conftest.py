"""The whole application, built without touching any engine, and the source files of the product."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from settings import ROOT, load_settings

PACKAGES = ("commands", "demo", "engines", "klaviyo_oauth", "loyalty", "sandbox", "shopify_app")
ROOTS = ("app", "cli", "health", "logs", "queues", "settings", "tasks", "wiring")


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, valkey: str) -> Flask:
    """Everything joined as in a web process, on an empty database."""
    settings = load_settings(
        laurel_var=tmp_path_factory.mktemp("var"),
        database_url=f"sqlite:///{sqlite_template}",
        redis_url=valkey,
        shopify_api_key="laurel-client-id",
        shopify_api_secret="not-a-secret-at-all",
        klaviyo_client_id="laurel",
        klaviyo_client_secret="nor-is-this-one",
    )
    return create_app(settings)


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file of the product, parsed."""
    files = [ROOT / f"{name}.py" for name in ROOTS]
    for package in PACKAGES:
        files += sorted((ROOT / package).rglob("*.py"))
    for path in files:
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def trees() -> list[tuple[Path, ast.Module]]:
    """Every Python file of the product, parsed."""
    return list(sources())
