"""A database file, a clock that stands still and a bell that notes who rang it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlmodel import SQLModel

from loyalty.database import make_engine
from loyalty.encryption import Cipher
from loyalty.models import Shop
from loyalty.runtime import Runtime
from shopify_app.config import ShopifyConfig

DOMAIN = "fern-and-fig.myshopify.com"
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that moves when told to."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@dataclass
class Bell:
    """Notes the nudges."""

    rung: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, job: str, *args: int | str, delay: float = 0) -> None:
        self.rung.append((job, *map(str, args)))


@pytest.fixture
def clock() -> Clock:
    """The time of the test."""
    return Clock()


@pytest.fixture
def bell() -> Bell:
    """The bell of the test."""
    return Bell()


@pytest.fixture
def runtime(tmp_path: Path, clock: Clock, bell: Bell) -> Iterator[Runtime]:
    """A runtime on a fresh SQLite file."""
    engine = make_engine(f"sqlite:///{tmp_path / 'laurel.db'}")
    SQLModel.metadata.create_all(engine)
    yield Runtime(engine, Cipher([Fernet.generate_key().decode()]), bell, clock)
    engine.dispose()


@pytest.fixture
def config() -> ShopifyConfig:
    """An app with a secret."""
    return ShopifyConfig(api_key="client-1", api_secret="s" * 40, app_url="https://laurel.fernandfig.shop")


@pytest.fixture
def shop(runtime: Runtime, clock: Clock) -> Shop:
    """An installed shop with a token that is good for an hour."""
    seal = runtime.cipher.seal
    row = Shop(
        domain=DOMAIN,
        name="Fern & Fig",
        access_token=seal("shpat_1", row=f"shop:{DOMAIN}"),
        access_token_expires_at=clock() + timedelta(hours=1),
        refresh_token=seal("shprt_1", row=f"shop:{DOMAIN}"),
        refresh_token_expires_at=clock() + timedelta(days=90),
        code_key=seal("k" * 43, row=f"shop:{DOMAIN}"),
        first_installed_at=clock(),
        installed_at=clock(),
    )
    with runtime.transaction() as session:
        session.add(row)
    return row
