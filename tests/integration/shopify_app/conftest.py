"""A shop of the local Shopify with the app before it: real HTTP both ways, on a real database.

Jobs are run by hand (``settle``), so that a test says when things happen; deliveries come over the wire as in life.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet
from flask import Flask
from sqlmodel import col, select
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from loyalty import outbox, runs
from loyalty.encryption import Cipher
from loyalty.models import InboxMessage, LedgerEntry, Member, OutboxMessage, Run, Shop
from loyalty.receiving import Reception, drain_inbox
from loyalty.runtime import Runtime
from loyalty.sending import drain_outbox
from loyalty.statement.formats import Formats
from loyalty.statement.runs import describe, view
from sandbox.shopify import DEMO_SHOP, ShopifySandbox, start
from shopify_app import referral_door, referral_page, storefront
from shopify_app.config import ShopifyConfig
from shopify_app.imports import steps
from shopify_app.lifecycle import shop_handlers
from shopify_app.merchant import MerchantGate
from shopify_app.sender import ShopifySender
from shopify_app.translate import translate
from shopify_app.webhook_door import WebhookDoor

TOML = Path(__file__).parents[3] / "shopify.app.toml"
SECRET = "laurel-client-secret-of-the-tests"


class Quiet(WSGIRequestHandler):
    """Serves without writing a line for every request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@dataclass
class Store:
    """A shop, the app, and what a test does with both."""

    sandbox: ShopifySandbox
    runtime: Runtime
    config: ShopifyConfig
    http: requests.Session
    app: Flask
    domain: str = DEMO_SHOP
    sender: ShopifySender = field(init=False)
    rewards: ShopifySender = field(init=False)

    def __post_init__(self) -> None:
        self.sender = ShopifySender(self.runtime, self.config, self.http)
        self.rewards = ShopifySender(self.runtime, self.config, self.http, channel=outbox.REWARDS)

    # What people do

    def act(self, method: str, path: str, **body: Any) -> Any:
        """An action in the sandbox, for example ``act("POST", "/orders", lines=[...])``."""
        address = f"{self.sandbox.url}/_sandbox/shops/{self.domain}{path}"
        response = self.http.request(method, address, json=body, timeout=30)
        assert response.ok, response.text
        return response.json()

    def switch(self, path: str, **body: Any) -> Any:
        """A switch of the sandbox, for example ``switch("/faults", place="graphql", kind="throttled")``."""
        response = self.http.post(f"{self.sandbox.url}/_sandbox{path}", json=body, timeout=30)
        assert response.ok, response.text
        return response.json()

    def sign_up(self, email: str = "iris@fernandfig.shop", **fields: Any) -> int:
        """A shopper opens an account; returns the customer id."""
        named = {"first_name": "Iris", "last_name": "Vale"} | fields
        return int(self.act("POST", "/customers", email=email, **named)["id"])

    def buy(self, price: str = "100.00", **fields: Any) -> dict[str, Any]:
        """A shopper buys one thing."""
        order: dict[str, Any] = self.act("POST", "/orders", **({"lines": [{"price": price}]} | fields))
        return order

    def open_app(self, path: str = "/", **query: str) -> Any:
        """The merchant opens a page of the app with a fresh ID token."""
        token = self.act("POST", "/id_token")["id_token"]
        return self.app.test_client().get(
            path, query_string={"shop": self.domain, "embedded": "1", "id_token": token} | query
        )

    # What the app does

    def receive(self) -> None:
        """Wait for the deliveries under way and settle what came."""
        assert self.sandbox.state.sender.idle(60)
        drain_inbox(
            self.runtime, Reception({"shopify": translate}, shop_handlers(self.runtime.cipher)), self.domain
        )

    def settle(self) -> None:
        """Let everything happen that is due, until nothing is."""
        for _ in range(20):
            self.receive()
            shop_id = self.shop().id or 0
            sent = [drain_outbox(self.runtime, sender, shop_id) for sender in (self.rewards, self.sender)]
            if (
                not any(drained.messages for drained in sent)
                and self.sandbox.state.sender.idle(0)
                and not self._due()
            ):
                return
        raise AssertionError("it never settles")

    def advance(self, run_id: int) -> Run:
        """Take a run to its end."""
        known = steps(self.config, self.http)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with self.runtime.reading() as session:
                run = session.get(Run, run_id)
            assert run is not None
            if run.state not in runs.OPEN:
                return run
            # Shopify works on a bulk operation beside us: it is given the time for it.
            time.sleep(min(runs.advance(self.runtime, run_id, known[run.kind], seconds=0.5) or 0.0, 0.01))
        raise AssertionError("the run never ends")

    def until_it_says(self, run_id: int, words: str) -> str:
        """Take a run's steps until a merchant reads these words of it, and give all that they read."""
        known = steps(self.config, self.http)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with self.runtime.reading() as session:
                run = session.get_one(Run, run_id)
            said = describe(view(run, now=self.runtime.clock()), Formats()).text
            if words in said:
                return said
            time.sleep(min(runs.advance(self.runtime, run_id, known[run.kind], seconds=0.0) or 0.0, 0.01))
        raise AssertionError(said)

    def erase(self, run_id: int) -> None:
        """Take an erasure to its end, after which its run is gone too."""
        step = steps(self.config, self.http)["shop_erasure"]
        assert runs.advance(self.runtime, run_id, step) is None
        with self.runtime.reading() as session:
            assert session.get(Run, run_id) is None

    # What is true

    def shop(self) -> Shop:
        """The shop's row."""
        with self.runtime.reading() as session:
            return session.exec(select(Shop).where(Shop.domain == self.domain)).one()

    def member(self, customer_id: int) -> Member:
        """A member by customer id."""
        with self.runtime.reading() as session:
            return session.exec(select(Member).where(Member.shopify_customer_id == customer_id)).one()

    def rows(self, table: type, **where: Any) -> list[Any]:
        """All rows of a table, oldest first."""
        order = col(LedgerEntry.recorded_at) if table is LedgerEntry else table.id  # type: ignore[attr-defined]
        with self.runtime.reading() as session:
            return list(session.exec(select(table).filter_by(**where).order_by(order)).all())

    def outbox(self, kind: str) -> list[OutboxMessage]:
        """The messages of a kind."""
        return self.rows(OutboxMessage, kind=kind)

    def metafield(self, owner: str, key: str) -> str | None:
        """A metafield's value in the sandbox."""
        fields = self.act("GET", "/metafields")["metafields"]
        return next((row["value"] for row in fields if row["owner"] == owner and row["key"] == key), None)

    def _due(self) -> bool:
        now = self.runtime.clock()
        with self.runtime.reading() as session:
            inbox = session.exec(
                select(InboxMessage.id).where(InboxMessage.state == "due", col(InboxMessage.due_at) <= now)
            ).first()
            outbox = session.exec(
                select(OutboxMessage.id).where(OutboxMessage.state == "due", col(OutboxMessage.due_at) <= now)
            ).first()
        return inbox is not None or outbox is not None


@pytest.fixture
def store(engine: Any) -> Iterator[Store]:
    """The demo shop with the app installed by its merchant's first visit."""
    yield from _store(engine, visited=True)


@pytest.fixture
def unvisited(engine: Any) -> Iterator[Store]:
    """The demo shop, in which the app was installed and not yet opened."""
    yield from _store(engine, visited=False)


def _store(engine: Any, *, visited: bool) -> Iterator[Store]:
    runtime = Runtime(engine, Cipher([Fernet.generate_key().decode()]), lambda *_, **__: None)
    app = Flask("laurel")
    with (
        start(client_secret=SECRET, install=True, time_scale=0.0001, toml_path=TOML) as sandbox,
        requests.Session() as http,
    ):
        config = ShopifyConfig(
            api_key=sandbox.state.config.client_id,
            api_secret=SECRET,
            shop_url=sandbox.shop_url(),
            admin_url=sandbox.url,
            cdn_url=sandbox.url,
        )
        gate = MerchantGate(runtime, config, http)
        app.register_blueprint(gate.blueprint)
        for edge in (storefront, referral_door, referral_page):
            app.register_blueprint(edge.create_blueprint(runtime, config))
        app.add_url_rule("/", "home", lambda: f"<p>{gate().domain}</p>")
        door = WebhookDoor(app, runtime, config)
        server = make_server("127.0.0.1", 0, door, threaded=True, request_handler=Quiet)
        with _serving(server):
            sandbox.set_app_url(f"http://127.0.0.1:{server.server_port}")
            store = Store(sandbox, runtime, config, http, app)
            if visited:
                assert store.open_app().status_code == 200
            yield store
            # What the test set going last is let finish: a delivery under way holds a connection.
            sandbox.state.sender.idle(60)
        door.close()


class _serving:  # noqa: N801  # reads as a verb where it is used
    """Serves in a thread for as long as the block lasts."""

    def __init__(self, server: BaseWSGIServer) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
