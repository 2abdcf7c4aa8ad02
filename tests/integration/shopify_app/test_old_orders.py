"""Orders older than sixty days, which Shopify shows nobody who was not granted ``read_all_orders``, over real HTTP and on both databases."""

import random
from dataclasses import replace

import pytest

from loyalty.models import LedgerEntry, OrderStanding
from loyalty.statement.home import unreadable_orders
from shopify_app import granting, tokens
from shopify_app.lifecycle import look_again
from shopify_app.reread import ATTEMPTS_TO_SEE
from shopify_app.sender import ShopifySender

DAY = 24 * 60 * 60


@pytest.fixture
def store(store):
    """The demo shop, whose app lives by the clock of the local Shopify."""
    store.runtime = replace(store.runtime, clock=store.sandbox.state.clock.now)
    store.sender = ShopifySender(store.runtime, store.config, store.http)
    store.rewards = ShopifySender(store.runtime, store.config, store.http, channel=store.rewards.channel)
    return store


@pytest.fixture
def customer(store):
    """A customer with 100 points for the account."""
    return store.sign_up()


@pytest.fixture
def order(store, customer):
    """An order of 100.00 that earned its points 61 days ago."""
    placed = store.buy(customer=customer, lines=[{"price": "30.00", "quantity": 2}, {"price": "40.00"}])
    store.settle()
    assert store.member(customer).balance == 200
    store.switch("/clock", advance=61 * DAY)
    return placed["id"]


def settle(store) -> None:
    """Let everything happen, all tries of reading an order included."""
    for _ in range(ATTEMPTS_TO_SEE):
        store.settle()
        store.switch("/clock", advance=60)
    store.settle()


def refund(store, order: int, **what: object) -> None:
    store.act("POST", f"/orders/{order}/refund", **what)


def held(store, topic: str | None = None) -> list:
    """The messages that wait for the test to deliver them."""
    return [one for one in store.sandbox.state.sender.deliveries(topic=topic) if one.state == "held"]


def deliver(store, message, name: str = "a-copy") -> None:
    """Deliver a message under a new id, and hear of it before anything else comes."""
    headers = {**message.headers, "X-Shopify-Webhook-Id": name}
    assert store.http.post(message.uri, data=message.body, headers=headers, timeout=30).status_code == 200
    store.receive()


class TestUnreadable:
    """What happens to an order that cannot be read."""

    @pytest.mark.parametrize(
        ("what", "left"),
        [
            ({"lines": [{"index": 0, "quantity": 1}]}, 70),
            ({"amount": "25.00"}, 75),
            ({"amount": "25.00", "status": "pending"}, 100),
            ({"full": True}, 0),
        ],
    )
    def test_refund(self, store, customer, order, what, left):
        """A refund takes back what Shopify's last message says, and the entry says that it rests on that."""
        refund(store, order, **what)
        settle(store)
        assert store.member(customer).balance == 100 + left
        (standing,) = store.rows(OrderStanding)
        assert standing.unreadable
        taken = [row for row in store.rows(LedgerEntry, source_kind="order") if row.points < 0]
        assert all(row.why["unreadable"] for row in taken)
        assert {row.state for row in store.outbox("reread_order")} == {"dropped"}

    def test_cancel(self, store, customer, order):
        """A cancellation leaves exactly nothing; not at the first reading that finds nothing, because Shopify's copies lag behind each other."""
        store.act("POST", f"/orders/{order}/cancel")
        store.settle()
        assert store.member(customer).balance == 200
        assert {row.state for row in store.outbox("reread_order")} == {"due"}
        settle(store)
        assert store.member(customer).balance == 100

    def test_any_order(self, store, customer, order):
        """Its messages in any order, each of them five times, end at the newest of them."""
        chance = random.Random(7)
        store.switch("/webhooks/modes", hold=True)
        refund(store, order, lines=[{"index": 0, "quantity": 1}])
        store.switch("/clock", advance=5)
        refund(store, order, amount="10.00")
        store.switch("/clock", advance=5)
        refund(store, order, lines=[{"index": 0, "quantity": 1}])
        again = held(store) * 5
        assert {delivery.topic for delivery in again} == {"orders/updated", "refunds/create"}
        chance.shuffle(again)
        for number, delivery in enumerate(again):
            deliver(store, delivery, f"copy-{number}")
            if chance.random() < 0.1:
                settle(store)
        settle(store)
        assert store.member(customer).balance == 100 + 30


class TestGranted:
    """The merchant lets the app read all orders."""

    def test_read_at_last(self, store, customer, order):
        """What was believed is read, also what no message told."""
        store.switch("/webhooks/modes", hold=True)
        refund(store, order, lines=[{"index": 0, "quantity": 1}])
        (signal,) = held(store, "refunds/create")
        deliver(store, signal)
        settle(store)
        assert store.member(customer).balance == 200
        store.sandbox.state.sender.clear()
        store.switch("/webhooks/modes", hold=False)
        with store.runtime.reading() as session:
            assert unreadable_orders(session, store.shop().id) == 1
        store.act("POST", "/scopes", add=["read_all_orders"])
        settle(store)
        with store.runtime.reading() as session:
            assert unreadable_orders(session, store.shop().id) == 0
        (standing,) = store.rows(OrderStanding)
        assert (standing.authoritative, standing.unreadable) == (True, False)
        assert store.member(customer).balance == 170

    def test_at_once(self, store, customer, order):
        """With the right, an old order is read like any other."""
        store.act("POST", "/scopes", add=["read_all_orders"])
        store.settle()
        refund(store, order, lines=[{"index": 0, "quantity": 1}])
        store.settle()
        assert store.member(customer).balance == 170
        assert {row.state for row in store.outbox("reread_order")} == {"delivered"}

    def test_when_it_is_new(self, store, customer, order):
        """The right is noticed by whatever tells of it first; an order that is not shown even then is not asked for again every day."""
        refund(store, order, amount="25.00")
        settle(store)
        asked = len(store.outbox("reread_order"))
        store.switch("/webhooks/modes", hold=True)
        store.act("DELETE", f"/orders/{order}")
        store.act("POST", "/scopes", add=["read_all_orders"])
        tokens.keep_alive(store.runtime, store.config, store.shop().id, session=store.http)
        settle(store)
        assert len(store.outbox("reread_order")) == asked + 1
        for _ in range(2):
            store.switch("/clock", advance=DAY)
            with store.runtime.transaction() as session:
                look_again(session, store.shop().id, now=store.runtime.clock())
            settle(store)
        assert {row.state for row in store.outbox("shop_details")} == {"delivered"}
        assert len(store.outbox("reread_order")) == asked + 1
        assert store.member(customer).balance == 175

    def test_many(self, store, customer, monkeypatch):
        """However many they are, each is asked for once, and a part of them in each transaction."""
        monkeypatch.setattr(granting, "ORDERS_AT_ONCE", 2)
        orders = [store.buy(customer=customer)["id"] for _ in range(5)]
        store.settle()
        store.switch("/clock", advance=61 * DAY)
        for placed in orders:
            refund(store, placed, full=True)
        settle(store)
        with store.runtime.reading() as session:
            assert unreadable_orders(session, store.shop().id) == 5
        before = {row.id for row in store.outbox("reread_order")}
        store.act("POST", "/scopes", add=["read_all_orders"])
        settle(store)
        again = [row for row in store.outbox("reread_order") if row.id not in before]
        assert sorted(row.payload["order_id"] for row in again) == sorted(orders)
        assert all(row.backfill for row in again)
        assert [row.state for row in store.outbox(granting.READ_UNREADABLE)] == ["delivered"] * 3
        assert store.member(customer).balance == 100

    def test_twice(self, store, customer, order):
        """Whoever dies after it has queued them queues nothing twice."""
        refund(store, order, full=True)
        settle(store)
        before = len(store.outbox("reread_order"))
        for _ in range(2):
            with store.runtime.transaction() as session:
                granting.read_unreadable(
                    session, store.shop().id, "granted:x", after=0, now=store.runtime.clock()
                )
        assert len(store.outbox("reread_order")) == before + 1


class TestUnknown:
    def test_unknown(self, store):
        """A message about an order that nobody ever heard of, and that cannot be read, changes nothing."""
        customer = store.sign_up()
        store.settle()
        store.switch("/webhooks/modes", hold=True)
        placed = store.buy(customer=customer)
        store.switch("/clock", advance=61 * DAY)
        refund(store, placed["id"], amount="25.00")
        (signal,) = held(store, "refunds/create")
        deliver(store, signal)
        settle(store)
        assert store.rows(OrderStanding) == []
        assert store.member(customer).balance == 100
