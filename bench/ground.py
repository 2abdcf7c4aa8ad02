"""The ground that everything is measured on: one durable PostgreSQL and one queue server of our own, and a shop in a fresh database."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.fernet import Fernet
from redis import Redis
from sqlalchemy import Engine

from bench.orders import SHOP
from engines import postgres, schema, valkey
from loyalty import programs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.database import make_engine
from loyalty.encryption import Cipher
from loyalty.models import Shop
from loyalty.runtime import Runtime

_TEMPLATE = "bench_template"


@dataclass(frozen=True, slots=True)
class Ground:
    """Running engines. ``token_key`` seals what any process of a benchmark seals."""

    server: postgres.Postgres
    redis_url: str
    token_key: str
    _numbers: "itertools.count[int]"

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The address of an empty, migrated database that lasts as long as the block."""
        name = f"bench_{next(self._numbers)}"
        yield self.server.create(name, template=_TEMPLATE)
        self.server.drop(name)

    @contextlib.contextmanager
    def runtime(self, nudge: Callable[..., None] = lambda *_, **__: None) -> Iterator[Runtime]:
        """A runtime of this process on a database of its own. By default nobody hears its bell."""
        with self.database() as url:
            engine = make_engine(url)
            yield Runtime(engine, Cipher([self.token_key]), nudge)
            engine.dispose()

    def forget_limits(self) -> None:
        """Empty the queue server, which also counts the calls to Klaviyo."""
        with Redis.from_url(self.redis_url) as redis:
            redis.flushall()


@contextlib.contextmanager
def prepared() -> Iterator[Ground]:
    """The ground, for as long as the block lasts. PostgreSQL waits for the disk, as it does in production."""
    with postgres.running(durable=True) as server, valkey.running() as redis_url:
        engine = make_engine(server.create(_TEMPLATE))
        schema.upgrade(engine)
        engine.dispose()
        yield Ground(server, redis_url, Fernet.generate_key().decode(), itertools.count(1))


def open_shop(runtime: Runtime) -> int:
    """An installed shop with the default program; returns its id."""
    installed = datetime.now(UTC) - timedelta(days=400)
    with runtime.transaction() as session:
        shop = Shop(domain=SHOP, first_installed_at=installed, installed_at=installed)
        session.add(shop)
        session.flush()
        assert shop.id is not None
        programs.apply(session, shop.id, DEFAULT_DOCUMENT, author="bench", now=installed)
        return shop.id


def settle(engine: Engine) -> None:
    """Let PostgreSQL do now what it would otherwise do in the middle of a measurement."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
        connection.exec_driver_sql("CHECKPOINT")
