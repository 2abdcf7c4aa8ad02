"""The local Shopify's webhooks: signed, retried, logged, and as unreliable as told."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from sandbox.shopify import config
from sandbox.shopify.webhooks.sender import Sender
from tests.unit.sandbox.shopify_rig import SECRET, Receiver, Rig, receiver, rig


@pytest.fixture(name="app")
def _app() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture(name="shop")
def _shop(app) -> Iterator[Rig]:
    with rig(app_url=app.url) as found:
        yield found


@contextmanager
def slow_server() -> Iterator[str]:
    """Answers 200 a few bytes at a time, each of them soon after the one before."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            for part in (b"HTTP/1.1 200 OK\r\n", b"Content-Length: 2\r\n", b"\r\n", b"o", b"k"):
                connection.sendall(part)
                time.sleep(0.15)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(5)
        listener.close()


def signature(body: bytes) -> str:
    return base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()


class TestDelivery:
    def test_signed(self, shop, app):
        """The raw body is signed with the client secret, and the headers say what it is."""
        shop.post("/customers", email="ada@fernandfig.shop", first_name="Åda")
        shop.sent("customers/create")
        headers, body, path = next(row for row in app.got if row[0]["X-Shopify-Topic"] == "customers/create")
        assert headers["X-Shopify-Hmac-Sha256"] == signature(body)
        assert (headers["X-Shopify-Shop-Domain"], path) == (shop.domain, "/webhooks/shopify")
        assert headers["X-Shopify-API-Version"] == "2026-10"
        assert json.loads(body)["first_name"] == "Åda"

    def test_one_event(self, shop, app):
        """Deliveries of one action share the event id and differ in the webhook id."""
        shop.order(email="ada@fernandfig.shop")
        shop.sent("orders/create")
        events = {headers["X-Shopify-Event-Id"] for headers, _, _ in app.got}
        ids = {headers["X-Shopify-Webhook-Id"] for headers, _, _ in app.got}
        assert (len(events), len(ids)) == (1, len(app.got))

    def test_no_private_fields(self, shop):
        """Customers carry neither tags nor consent, which have topics of their own."""
        shop.post("/customers", email="ada@fernandfig.shop", tags=["vip"], email_consent="subscribed")
        (row,) = shop.sent("customers/create")
        assert not {"tags", "email_marketing_consent", "orders_count", "total_spent"} & set(row["body"])

    def test_scope(self, shop):
        """A topic whose scope was not granted is not sent."""
        shop.post("/scopes", remove=["read_orders"])
        shop.order()
        assert shop.sent("orders/create") == []

    def test_uninstalled(self, shop):
        """After an uninstall only its notice and the compliance topics are sent."""
        shop.post("/uninstall")
        shop.order()
        shop.post("/redact")
        assert len(shop.sent("app/uninstalled")) == len(shop.sent("shop/redact")) == 1
        assert shop.sent("orders/create") == []


class TestRetries:
    def test_until_accepted(self, shop, app):
        """A failed delivery comes again with the same id and body until it is accepted."""
        app.statuses = [500, 302, 503]
        shop.post("/webhooks", topic="shop/update", payload={"id": 1})
        (row,) = shop.sent("shop/update")
        assert [attempt["status"] for attempt in row["attempts"]] == [500, 302, 503, 200]
        assert len({(headers["X-Shopify-Webhook-Id"], body) for headers, body, _ in app.got}) == 1

    def test_given_up(self, shop, app):
        """After the first try and eight retries the delivery is given up."""
        app.statuses = [500] * 20
        shop.post("/webhooks", topic="shop/update", payload={"id": 1})
        (row,) = shop.sent("shop/update")
        assert (row["state"], len(row["attempts"])) == ("given_up", 9)

    def test_too_late(self, app):
        """An answer that took longer than the whole time allowed is none, though every part of it was quick."""
        with slow_server() as address:
            sender = Sender(time_scale=1000, workers=1, timeout=(30.0, 0.3))
            try:
                known = config.AppConfig("id", "secret", address)
                known.subscriptions = [config.Subscription("app/uninstalled", "/hook")]
                store = SimpleNamespace(domain="a.myshopify.com")
                (made,) = sender.send(
                    known, store, "app/uninstalled", {}, event_id="e", now=datetime.now(UTC)
                )
                deadline = time.monotonic() + 60
                while not made.attempts and time.monotonic() < deadline:
                    time.sleep(0.01)
                assert (made.attempts[0].get("status"), made.state) == (None, "waiting")
            finally:
                sender.close()

    def test_four_hours(self, shop):
        """Unscaled, the eight waits double and fill four hours."""
        sender = shop.sandbox.state.sender
        sender.time_scale = 1.0
        waits = [sender.retry_delay(n) for n in range(1, 9)]
        assert sum(waits) == pytest.approx(4 * 3600)
        assert waits[1] == pytest.approx(2 * waits[0])


class TestModes:
    def test_copies(self, shop, app):
        """Each delivery may come several times with one id."""
        shop.post("//webhooks/modes", copies=3)
        shop.post("/webhooks", topic="shop/update", payload={})
        shop.sent("shop/update")
        assert len(app.got) == 3
        assert len({headers["X-Shopify-Webhook-Id"] for headers, _, _ in app.got}) == 1

    def test_hold(self, shop, app):
        """Held deliveries wait for the release, and may come out of order."""
        shop.post("//webhooks/modes", hold=True, shuffle=True, seed=7)
        for n in range(12):
            shop.post("/webhooks", topic="shop/update", payload={"n": n})
        assert app.got == []
        shop.post("//webhooks/modes", hold=False)
        shop.sent("shop/update")
        order = [json.loads(body)["n"] for _, body, _ in app.got]
        assert sorted(order) == list(range(12))
        assert order != list(range(12))

    def test_drop(self, shop, app):
        """Dropped deliveries are logged and never sent."""
        shop.post("//webhooks/modes", drop_percent=100)
        shop.post("/webhooks", topic="shop/update", payload={})
        (row,) = shop.sent("shop/update")
        assert (row["state"], app.got) == ("dropped", [])

    def test_corrupt(self, shop, app):
        """A corrupted signature does not match the body."""
        shop.post("//webhooks/modes", corrupt_signature=True)
        shop.post("/webhooks", topic="shop/update", payload={})
        shop.sent("shop/update")
        headers, body, _ = app.got[0]
        assert headers["X-Shopify-Hmac-Sha256"] != signature(body)

    def test_events_family(self, shop, app):
        """The newer family of headers is lower-case and without the X."""
        shop.post("//webhooks/modes", events_headers=True)
        shop.post("/webhooks", topic="shop/update", payload={})
        shop.sent("shop/update")
        names = set(app.got[0][0])
        assert {"shopify-topic", "shopify-hmac-sha256", "shopify-shop-domain"} <= names
        assert not any(name.startswith("X-Shopify") for name in names)


class TestToml:
    def test_read(self, tmp_path):
        """Subscriptions, scopes, proxy and metafields come from the app's own configuration."""
        path = tmp_path / "shopify.app.toml"
        path.write_text(
            '[access_scopes]\nscopes = "read_orders, write_customers"\noptional_scopes = ["read_all_orders"]\n'
            '[webhooks]\napi_version = "2026-10"\n'
            '[[webhooks.subscriptions]]\ntopics = ["orders/create"]\nuri = "/hooks"\ninclude_fields = ["id"]\n'
            '[[webhooks.subscriptions]]\ncompliance_topics = ["shop/redact"]\nuri = "/hooks"\n'
            '[app_proxy]\nurl = "/p"\nprefix = "a"\nsubpath = "x"\n'
            '[customer.metafields.app.points]\ntype = "number_integer"\naccess.storefront = "public_read"\n'
        )
        found = config.read(path, client_id="c", client_secret="s", app_url="http://app.test")
        assert [(s.topic, found.absolute(s.uri)) for s in found.subscriptions] == [
            ("orders/create", "http://app.test/hooks"),
            ("shop/redact", "http://app.test/hooks"),
        ]
        assert (found.scopes, found.optional_scopes) == (
            ("read_orders", "write_customers"),
            ("read_all_orders",),
        )
        assert (found.proxy_prefix, found.proxy_subpath, found.proxy_url) == ("a", "x", "/p")
        assert [(d.owner, d.key, d.storefront) for d in found.definitions] == [("CUSTOMER", "points", True)]

    def test_filter(self, tmp_path):
        """A filter that the sandbox would not apply is refused."""
        path = tmp_path / "shopify.app.toml"
        path.write_text(
            '[[webhooks.subscriptions]]\ntopics = ["orders/paid"]\nuri = "/x"\nfilter = "total_price:>=1"\n'
        )
        with pytest.raises(ValueError, match="filter"):
            config.read(path, client_id="a", client_secret="b", app_url="http://127.0.0.1:9")

    def test_misplaced_compliance(self, tmp_path):
        """A compliance topic under `topics` is refused, as Shopify refuses it."""
        path = tmp_path / "shopify.app.toml"
        path.write_text('[[webhooks.subscriptions]]\ntopics = ["shop/redact"]\nuri = "/hooks"\n')
        with pytest.raises(ValueError, match="compliance_topics"):
            config.read(path, client_id="c", client_secret="s", app_url="http://app.test")
