"""A shop, a local Klaviyo over real HTTP, a real database and a real queue server, for the tests of the Klaviyo edge."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import Engine, func, insert, update
from sqlmodel import select

from klaviyo_oauth import connect, connections, review_door
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.sender import KlaviyoSender
from loyalty import outbox, programs
from loyalty.encryption import Cipher
from loyalty.models import KlaviyoConnection, Member, OutboxMessage, RewardIssue, Shop
from loyalty.runtime import Runtime
from loyalty.sending import Sent, drain_outbox
from sandbox import klaviyo as local_klaviyo
from sandbox.klaviyo import KlaviyoSandbox
from settings import Settings, load_settings

APP_URL = "http://127.0.0.1:5000"
CALLBACK = f"{APP_URL}/klaviyo/callback"
ADMIN = "https://admin.shopify.com/store/{name}/apps/laurel/klaviyo"
# How long ago members of tests changed last, where nothing else is said.
_SETTLED = timedelta(hours=1)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True)
class Merchant:
    """Who is at the page."""

    shop_id: int
    domain: str
    user_id: str = "81001"


@dataclass
class World:
    """Everything a test of this edge needs."""

    engine: Engine
    redis: Redis
    klaviyo: KlaviyoSandbox
    clock: Clock = field(default_factory=Clock)
    nudges: list[tuple[Any, ...]] = field(default_factory=list)
    http: requests.Session = field(default_factory=requests.Session)
    merchant: Merchant | None = None

    def __post_init__(self) -> None:
        self.key = Fernet.generate_key().decode()
        self.cipher = Cipher([self.key])
        self.runtime = Runtime(self.engine, self.cipher, self._nudge, self.clock)
        self.config = KlaviyoConfig(
            app_url=APP_URL,
            client_id=local_klaviyo.DEFAULT_CLIENT_ID,
            client_secret=local_klaviyo.DEFAULT_CLIENT_SECRET,
            authorize_url=f"{self.klaviyo.url}/oauth/authorize",
            api_url=self.klaviyo.url,
            production=False,
        )
        self.shop = self.add_shop("fern-and-fig")
        self.merchant = self.shop

    def _nudge(self, job: str, *args: int | str, delay: float = 0) -> None:
        self.nudges.append((job, *args))

    def add_shop(self, name: str) -> Merchant:
        with self.runtime.transaction() as session:
            shop = Shop(
                domain=f"{name}.myshopify.com",
                first_installed_at=self.clock(),
                installed_at=self.clock(),
            )
            session.add(shop)
            session.flush()
            assert shop.id is not None
            return Merchant(shop.id, shop.domain)

    def settings(self, var: Path) -> Settings:
        """What a process of ours would be told to find all of this."""
        queue = self.redis.connection_pool.connection_kwargs
        return load_settings(
            laurel_var=var,
            database_url=self.engine.url.render_as_string(hide_password=False),
            redis_url=f"redis://{queue['host']}:{queue['port']}"
            if "host" in queue
            else f"unix://{queue['path']}",
            token_keys=self.key,
            shopify_api_key="laurel",
            shopify_api_secret="not-a-secret-at-all",
            klaviyo_client_id=self.config.client_id,
            klaviyo_client_secret=self.config.client_secret,
            klaviyo_api_url=self.klaviyo.url,
            klaviyo_authorize_url=self.config.authorize_url,
        )

    # -- the browser -------------------------------------------------------------------------------

    def browser(self) -> FlaskClient:
        """A client of the edge's routes, with ``merchant`` at the page."""
        app = Flask("edge")

        def require_merchant() -> Merchant:
            assert self.merchant is not None
            return self.merchant

        def admin_address(merchant: Merchant) -> str:
            return ADMIN.format(name=merchant.domain.partition(".")[0])

        app.register_blueprint(
            connect.create_blueprint(
                self.runtime,
                self.config,
                require_merchant,
                self.redis,
                admin_address=admin_address,
                page_address=lambda outcome: f"/klaviyo?klaviyo={outcome}",
                http=self.http,
            )
        )
        app.register_blueprint(review_door.create_blueprint(self.runtime))
        return app.test_client()

    def allow(self, authorize_url: str, *, account: str = "FernFg", decision: str = "allow") -> str:
        """Press the button on Klaviyo's consent page; gives the path and query that the browser is sent to."""
        answer = self.http.post(
            authorize_url, data={"decision": decision, "account": account}, allow_redirects=False
        )
        assert answer.status_code in (302, 303), answer.text
        parts = urlsplit(answer.headers["Location"])
        return f"{parts.path}?{parts.query}"

    def connect(self, *, account: str = "FernFg", merchant: Merchant | None = None) -> str:
        """Walk the whole OAuth road; gives the outcome that the admin page is told."""
        self.merchant = merchant or self.shop
        browser = self.browser()
        started = browser.post("/klaviyo/connect")
        assert started.status_code == 200, started.text
        return self.come_back(browser, self.allow(started.get_json()["redirect"], account=account))

    def come_back(self, browser: FlaskClient, path: str) -> str:
        """Klaviyo's answer leads into the admin, whose page finishes what it began; gives the outcome that is told."""
        address = browser.get(path).headers["Location"]
        if (ticket := ticket_of(address)) is None:
            return outcome_of(address)
        answer = browser.post("/klaviyo/finish", json={"ticket": ticket})
        assert answer.status_code == 200, answer.text
        told = answer.get_json()
        assert outcome_of(told["redirect"]) == told["state"]
        return str(told["state"])

    # -- rows --------------------------------------------------------------------------------------

    def connection(self, shop_id: int | None = None) -> KlaviyoConnection:
        with self.runtime.reading() as session:
            row = connections.load(session, shop_id or self.shop.shop_id)
        assert row is not None
        return row

    def change_connection(self, **values: Any) -> None:
        with self.runtime.transaction() as session:
            row = connections.load(session, self.shop.shop_id, lock=True)
            assert row is not None
            for name, value in values.items():
                setattr(row, name, value)

    def change_shop(self, **values: Any) -> None:
        with self.runtime.transaction() as session:
            session.execute(update(Shop).where(Shop.id == self.shop.shop_id).values(**values))

    def add_member(self, email: str | None, **values: Any) -> int:
        given: dict[str, Any] = {
            "state": "member",
            "balance": 540,
            "lifetime_earned": 600,
            "lifetime_spent": 60,
            "updated_at": self.clock() - _SETTLED,
        } | values
        with self.runtime.transaction() as session:
            member = Member(
                shop_id=self.shop.shop_id,
                email=email,
                created_at=self.clock(),
                joined_at=self.clock(),
                **given,
            )
            session.add(member)
            session.flush()
            assert member.id is not None
            return member.id

    def add_members(self, count: int) -> list[int]:
        """Members with the addresses member0@fernandfig.shop and so on."""
        now = self.clock()
        rows = [
            {
                "shop_id": self.shop.shop_id,
                "email": f"member{number}@fernandfig.shop",
                "state": "member",
                "joined_at": now,
                "balance": 540,
                "lifetime_earned": 600,
                "lifetime_spent": 60,
                "entry_count": 0,
                "chain_head": "",
                "created_at": now,
                "updated_at": now - _SETTLED,
            }
            for number in range(count)
        ]
        with self.runtime.transaction() as session:
            session.execute(insert(Member), rows)
            return list(session.exec(select(Member.id).order_by(Member.id)).all())[-count:]

    def apply(self, document: Mapping[str, Any]) -> None:
        """Begin another version of the shop's program."""
        with self.runtime.transaction() as session:
            programs.apply(session, self.shop.shop_id, document, author="test", now=self.clock())

    def change_member(self, member_id: int, **values: Any) -> None:
        with self.runtime.transaction() as session:
            session.execute(update(Member).where(Member.id == member_id).values(**values))

    def add_code(self, member_id: int, code: str, **values: Any) -> None:
        """A reward that the member has and can use."""
        given: dict[str, Any] = {
            "state": "issued",
            "points": 500,
            "expires_at": None,
            "created_at": self.clock(),
        } | values
        with self.runtime.transaction() as session:
            session.add(
                RewardIssue(
                    id=f"issue-{code}",
                    shop_id=self.shop.shop_id,
                    member_id=member_id,
                    request_key=code,
                    reward="five_off",
                    title="$5 off",
                    amount=Decimal(5),
                    currency="USD",
                    program_version=1,
                    code=code,
                    **given,
                )
            )

    def change_code(self, code: str, **values: Any) -> None:
        with self.runtime.transaction() as session:
            session.execute(update(RewardIssue).where(RewardIssue.code == code).values(**values))

    def news(
        self,
        member_id: int,
        number: int,
        *,
        kind: str = "points_earned",
        backfill: bool = False,
        **extra: Any,
    ) -> dict[str, Any]:
        """The values of an outbox row."""
        payload = {"points": 120, "points_balance": 540, "source": "order", "order_name": "#1001"} | extra
        return outbox.row(
            self.shop.shop_id,
            "klaviyo",
            kind,
            f"entry-{number}",
            payload,
            member_id=member_id,
            occurred_at=self.clock(),
            now=self.clock(),
            backfill=backfill,
        )

    def put_news(self, member_id: int, number: int, **rest: Any) -> None:
        with self.runtime.transaction() as session:
            outbox.put_many(session, [self.news(member_id, number, **rest)])

    def messages(self) -> list[OutboxMessage]:
        with self.runtime.reading() as session:
            return list(session.exec(select(OutboxMessage).order_by(OutboxMessage.id)).all())

    def row_count(self, table: type) -> int:
        with self.runtime.reading() as session:
            return session.exec(select(func.count()).select_from(table)).one()

    def states(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for message in self.messages():
            found[message.state] = found.get(message.state, 0) + 1
        return found

    # -- Klaviyo -----------------------------------------------------------------------------------

    def sender(self, channel: str = outbox.KLAVIYO) -> KlaviyoSender:
        return KlaviyoSender(
            self.runtime, self.config, self.redis, self.http, channel=channel, jitter=lambda: 0.0
        )

    def drain(self, channel: str = outbox.KLAVIYO) -> Sent:
        return drain_outbox(self.runtime, self.sender(channel), self.shop.shop_id)

    def sandbox(self, method: str, path: str, **body: Any) -> Any:
        answer = self.http.request(method, f"{self.klaviyo.url}/_sandbox{path}", json=body or None)
        assert answer.ok, answer.text
        return answer.json()

    def fault(self, place: str, kind: str, **more: Any) -> None:
        self.sandbox("POST", "/faults", place=place, kind=kind, **more)

    def counts(self, account: str = "FernFg") -> Any:
        return self.sandbox("GET", f"/counts?account={account}")

    def events(self, **query: str) -> list[Any]:
        asked = "&".join(f"{key}={value}" for key, value in query.items())
        return list(self.sandbox("GET", f"/events?limit=1000&{asked}")["events"])

    def profile(self, email: str) -> Any:
        found = self.sandbox("GET", f"/profiles?email={email}")["profiles"]
        return found[0]["attributes"] if found else None

    def await_shown(self, email: str, name: str, value: object) -> None:
        """A profile shows this. An import job takes Klaviyo a moment, so it is waited for."""
        until = time.monotonic() + 60
        while (found := (self.profile(email) or {"properties": {}})["properties"].get(name)) != value:
            assert time.monotonic() < until, found
            time.sleep(0.02)

    def write_profile(self, email: str, **properties: Any) -> None:
        """What somebody else does to a profile."""
        body = {"data": {"type": "profile", "attributes": {"email": email, "properties": properties}}}
        headers = {
            "Authorization": "Klaviyo-API-Key pk_sandbox_FernFg",
            "revision": self.config.revision,
            "Content-Type": "application/vnd.api+json",
        }
        answer = self.http.post(f"{self.klaviyo.url}/api/profile-import", json=body, headers=headers)
        assert answer.ok, answer.text

    def requests_to(self, path: str) -> list[Any]:
        logged = self.sandbox("GET", "/requests?limit=1000")["requests"]
        return [entry for entry in logged if entry["path"].startswith(path)]

    def no_pause(self) -> None:
        """Let the pauses of an outage be over without waiting for them."""
        for key in self.redis.scan_iter("laurel:klaviyo:*:pause"):
            self.redis.delete(key)


def outcome_of(address: str) -> str:
    """What the admin page is told in its address."""
    return parse_qs(urlsplit(address).query)["klaviyo"][0]


def ticket_of(address: str) -> str | None:
    """What the admin page finishes the connection with, if there is something to finish."""
    return parse_qs(urlsplit(address).query).get("klaviyo_ticket", [None])[0]


@pytest.fixture
def klaviyo() -> Iterator[KlaviyoSandbox]:
    """A local Klaviyo without rate limits."""
    with local_klaviyo.start(redirect_uris=[CALLBACK], limits="off") as sandbox:
        yield sandbox


@pytest.fixture
def world(sqlite_engine: Engine, queue: Redis, klaviyo: KlaviyoSandbox) -> Iterator[World]:
    """A shop that is not connected yet, on SQLite."""
    yield from _world(sqlite_engine, queue, klaviyo)


@pytest.fixture
def either_world(engine: Engine, queue: Redis, klaviyo: KlaviyoSandbox) -> Iterator[World]:
    """A shop that is not connected yet; once on SQLite and once on PostgreSQL."""
    yield from _world(engine, queue, klaviyo)


@pytest.fixture
def connected(world: World) -> World:
    """A shop that is connected by OAuth to the account FernFg."""
    assert world.connect() == "connected"
    return world


def _world(engine: Engine, queue: Redis, klaviyo: KlaviyoSandbox) -> Iterator[World]:
    with requests.Session() as http:
        yield World(engine, queue, klaviyo, http=http)
