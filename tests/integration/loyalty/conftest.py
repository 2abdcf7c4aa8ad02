"""A shop with the default program and a Klaviyo link, on both databases, in a runtime whose clock and bell the test holds."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine

from loyalty import programs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.database import transaction
from loyalty.encryption import Cipher
from loyalty.models import KlaviyoConnection, Shop
from loyalty.runtime import Runtime

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
INSTALLED = NOW - timedelta(days=10)
DOMAIN = "fern-and-fig.myshopify.com"


@dataclass
class Hands:
    """What a test moves: the time. And what it reads: who was rung for."""

    now: datetime = NOW
    rung: list[tuple[object, ...]] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.now

    def nudge(self, job: str, *args: int | str, delay: float = 0) -> None:
        self.rung.append((job, *args))

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture(name="hands")
def _hands() -> Hands:
    return Hands()


@pytest.fixture(name="runtime")
def _runtime(engine: Engine, hands: Hands) -> Runtime:
    return Runtime(engine, Cipher([Fernet.generate_key().decode()]), hands.nudge, hands.clock)


@pytest.fixture(name="shop")
def _shop(engine: Engine) -> Shop:
    with transaction(engine) as session:
        shop = Shop(
            domain=DOMAIN, first_installed_at=INSTALLED, installed_at=INSTALLED, classic_accounts=True
        )
        session.add(shop)
        session.flush()
        assert shop.id is not None
        programs.apply(session, shop.id, DEFAULT_DOCUMENT, author="install", now=INSTALLED)
        session.add(
            KlaviyoConnection(shop_id=shop.id, road="private_key", state="connected", connected_at=INSTALLED)
        )
    return shop
