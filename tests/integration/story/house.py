"""The whole house as operators run it: web, workers and cron as processes of their own, beside a local Shopify and a local Klaviyo.

Tests act over HTTP as people do, and look into the database to see what came of it.
"""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from random import SystemRandom
from typing import Any, Self, TypeVar

import requests
from redis import Redis
from sqlalchemy import func, update
from sqlmodel import Session, col, select

from demo.children import Child
from demo.people import Merchant, Remote, Shopper, browser
from demo.stage import SHOP, Stage
from demo.telling import wait_for
from loyalty.database import make_engine, reading, transaction
from loyalty.ledger import verify
from loyalty.models import (
    InboxMessage,
    KlaviyoConnection,
    Lease,
    LedgerEntry,
    Member,
    OutboxMessage,
    Run,
    Shop,
)
from loyalty.runtime import utc_now
from queues import job_queue
from tests import patience

T = TypeVar("T")

OURS = ("Joined Program", "Points Earned", "Points Redeemed", "Points Adjusted")
# How long a killed process's work stays reserved for it.
LEASE_SECONDS = 2
# Below the ports that the kernel hands out by itself: between finding one free and listening on it, nobody's connection takes it.
_PORTS = range(12_000, 32_000, 4)


class House:
    """Everything that runs. Use it as a context."""

    def __init__(self, directory: Path, database_url: str, redis_url: str) -> None:
        self._stack = ExitStack()
        self.stage = Stage(
            directory,
            wanted_ports=_ports(),
            database_url=database_url,
            redis_url=redis_url,
            settings={"LAUREL_LEASE_SECONDS": str(LEASE_SECONDS)},
            retry_scale=0.003,
        )
        self._stack.callback(self.stage.close)
        self.engine = make_engine(database_url)
        self._stack.callback(self.engine.dispose)
        self.redis = Redis.from_url(redis_url)
        self._stack.callback(self.redis.close)
        self.shopify = self._closing(Remote(f"{self.stage.at.shopify}/_sandbox"))
        self.klaviyo = self._closing(Remote(f"{self.stage.at.klaviyo}/_sandbox"))
        self.merchant = self._closing(Merchant(self.stage.at))
        self.web: Child | None = None
        self.workers: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    # -- processes ---------------------------------------------------------------------------------

    def start(self, *, workers: int = 1) -> Self:
        """Start everything and wait until it answers."""
        sandbox = self.stage.start_sandbox()
        self.web = self.stage.start_web()
        for _ in range(workers):
            self.add_worker()
        self.stage.start_cron()
        self.stage.wait_sandbox(sandbox)
        self.stage.wait_web(self.web)
        self.shopify.post("/limits", bucket_size=100_000, restore_rate=100_000)
        return self

    def add_worker(self) -> Child:
        """One more worker."""
        child = self.stage.start_worker(f"worker-{len(self.workers) + 1}")
        self.workers.append(child)
        return child

    def kill_worker(self) -> None:
        """SIGKILL for the oldest worker."""
        self.stage.children.kill(self.workers.pop(0))

    def restart_web(self) -> None:
        """SIGKILL for the web process, and a new one in its place."""
        assert self.web is not None
        self.stage.children.kill(self.web)
        self.web = self.stage.start_web()
        self.stage.wait_web(self.web)

    def a_minute_passes(self) -> None:
        """The cron's sweep is due again: tests do not wait for a minute to be over."""
        self.let_cron_ring("sweep")

    def sweep(self) -> None:
        """The sweep has looked, and what it rang for was done: one worker carries jobs out in their order."""
        assert len(self.workers) == 1
        for sweep in ("this one rings", "this one comes after whatever was rung for"):
            job = job_queue(self.redis).enqueue("tasks.sweep", result_ttl=600, description=sweep)
            self.eventually("finished", job.get_status)

    def let_cron_ring(self, job: str) -> None:
        """Make a periodic job due at once."""
        long_ago = utc_now() - timedelta(days=7)
        with transaction(self.engine) as session:
            session.execute(update(Lease).where(col(Lease.name) == f"cron:{job}").values(done_at=long_ago))

    # -- people ------------------------------------------------------------------------------------

    def install(self) -> Self:
        """The merchant installs the app and opens it."""
        self.in_shop("/install")
        self.merchant.page("/")
        self.eventually("done", lambda: self.run_state("customer_import"))
        return self

    def connect(self) -> Self:
        """The merchant connects Klaviyo, and the review webhook is there."""
        assert self.merchant.connect_klaviyo() == "connected"
        self.eventually(1, lambda: len(self.klaviyo.get("/webhooks")["webhooks"]))
        return self

    def in_shop(self, path: str, **body: Any) -> Any:
        """Something happens in the shop."""
        return self.shopify.post(f"/shops/{SHOP}{path}", **body)

    def sign_up(self, email: str, **fields: Any) -> int:
        """Somebody opens an account; the customer's id."""
        return int(
            self.in_shop("/customers", email=email, first_name="Fern", last_name="Fig", **fields)["id"]
        )

    def buy(self, customer: int, price: str = "100.00", **fields: Any) -> Any:
        """A customer buys something."""
        return self.in_shop("/orders", customer=customer, lines=[{"price": price}], **fields)

    def shopper(self, email: str) -> Shopper:
        """A customer who is logged in at the storefront."""
        shopper = self._closing(Shopper(self.stage.at.storefront, email))
        shopper.log_in()
        return shopper

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> requests.Response:
        """Something is sent to the app."""
        with browser() as http:
            return http.post(f"{self.stage.at.app}{path}", data=body, headers=headers, timeout=30)

    # -- looking -----------------------------------------------------------------------------------

    def eventually(self, expected: T, look: Callable[[], T], seconds: float = patience.SECONDS) -> None:
        """Look until it is so, or fail with what is there instead."""
        assert wait_for(look, lambda found: bool(found == expected), seconds) == expected, self.doings()

    def balance(self, customer: int) -> int | None:
        """A member's balance on the books."""
        with reading(self.engine) as session:
            return session.exec(select(Member.balance).where(Member.shopify_customer_id == customer)).first()

    def profile(self, email: str) -> dict[str, Any] | None:
        """Somebody's properties at Klaviyo."""
        found = self.klaviyo.get("/profiles", email=email)["profiles"]
        return dict(found[0]["attributes"]["properties"]) if found else None

    def profile_balance(self, email: str) -> int | None:
        """The balance on somebody's profile at Klaviyo."""
        return (self.profile(email) or {}).get("Laurel Points Balance")

    def events(self, **query: Any) -> list[dict[str, Any]]:
        """Our events at Klaviyo."""
        found = self.klaviyo.get("/events", limit=10_000, **query)["events"]
        return [event for event in found if event["metric"] in OURS]

    def rows(self, table: type[T], **where: Any) -> list[T]:
        """Rows of a table, oldest first."""
        key = (
            col(LedgerEntry.recorded_at) if table is LedgerEntry else next(iter(table.__table__.primary_key))
        )  # type: ignore[attr-defined]
        with reading(self.engine) as session:
            return list(session.exec(select(table).filter_by(**where).order_by(key)).all())

    def run_state(self, kind: str) -> str | None:
        """The state of the newest run of a kind."""
        runs = self.rows(Run, kind=kind)
        return runs[-1].state if runs else None

    def waiting(self) -> tuple[int, int]:
        """How many messages are due: in, out."""
        with reading(self.engine) as session:
            return _count(session, InboxMessage, ("due",)), _count(session, OutboxMessage, ("due", "sending"))

    def settle(self, seconds: float = patience.SECONDS) -> None:
        """Wait until all webhooks are delivered, all of them are taken in and everything is sent."""
        assert self.shopify.post("/webhooks/wait", timeout=min(seconds, 60))["idle"]
        self.eventually((0, 0), self.waiting, seconds)

    def problems_of_the_ledger(self) -> list[str]:
        """What `flask ledger verify` would name."""
        with reading(self.engine) as session:
            ids = session.exec(select(Shop.id)).all()
            return [problem.what for shop_id in ids for problem in verify.verify(session, shop_id)]

    def connection(self) -> KlaviyoConnection:
        """The shop's link to Klaviyo."""
        (row,) = self.rows(KlaviyoConnection)
        return row

    def doings(self) -> str:
        """What is stuck, for the message of a failed test."""
        with reading(self.engine) as session:
            stuck_in = session.execute(
                select(InboxMessage.topic, InboxMessage.state, InboxMessage.error, func.count())
                .where(col(InboxMessage.state).in_(("due", "parked")))
                .group_by(col(InboxMessage.topic), col(InboxMessage.state), col(InboxMessage.error))
            ).all()
            stuck_out = session.execute(
                select(OutboxMessage.kind, OutboxMessage.state, OutboxMessage.error, func.count())
                .where(col(OutboxMessage.state) != "delivered")
                .group_by(col(OutboxMessage.kind), col(OutboxMessage.state), col(OutboxMessage.error))
            ).all()
        return f"in: {stuck_in}; out: {stuck_out}; logs in {self.stage.directory}"

    def logs(self) -> str:
        """Everything that the app's processes wrote."""
        files = [path for path in self.stage.directory.glob("*.log") if path.stem != "sandbox"]
        return "\n".join(path.read_text(errors="replace") for path in files)

    def _closing(self, thing: T) -> T:
        self._stack.callback(thing.close)  # type: ignore[attr-defined]
        return thing


def _ports() -> tuple[int, int, int, int]:
    first = SystemRandom().choice(_PORTS)
    return first, first + 1, first + 2, first + 3


def _count(session: Session, table: Any, states: tuple[str, ...]) -> int:
    return session.scalar(select(func.count()).select_from(table).where(table.state.in_(states))) or 0
