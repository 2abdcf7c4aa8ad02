"""Orders of which no message came, on both databases."""

from datetime import timedelta

import pytest
from sqlmodel import select

from loyalty import inbox
from loyalty.models import Lease, Shop
from shopify_app import missed_orders


@pytest.fixture
def deaf(store, monkeypatch):
    """A shop that has been open for an hour, and whose messages are all lost from now on; a customer with 100 points."""
    monkeypatch.setattr(missed_orders, "SETTLED_AFTER", timedelta())
    customer = store.sign_up()
    store.settle()
    with store.runtime.transaction() as session:
        session.exec(select(Shop)).one().installed_at -= timedelta(hours=1)
    store.switch("/webhooks/modes", drop_percent=100)
    return store, customer


def find(store) -> int:
    """Look for missed orders."""
    return missed_orders.find(store.runtime, store.config, store.shop().id, session=store.http)


def a_minute_old(store, *orders: int) -> None:
    """Let orders have changed a minute earlier."""
    with store.sandbox.state.lock:
        for order in orders:
            store.sandbox.state.shop(store.domain).orders[order].updated_at -= timedelta(minutes=1)


def an_hour_later(store) -> None:
    """Let the last look have been an hour ago."""
    with store.runtime.transaction() as session:
        for lease in session.exec(
            select(Lease).where(Lease.name == f"orders-looked-through:{store.shop().id}")
        ):
            lease.done_at -= timedelta(hours=1)


class TestFind:
    """What Shopify tells when it is asked."""

    def test_bought_and_returned(self, deaf):
        """An order earns although nobody told of it, a refund takes its points back, and what is known is asked for no more."""
        store, customer = deaf
        order = store.buy("30.00", customer=customer)
        other = store.buy("20.00", customer=customer)
        a_minute_old(store, order["id"], other["id"])
        assert find(store) == 2
        store.settle()
        assert store.member(customer).balance == 150
        store.act("POST", f"/orders/{order['id']}/refund", full=True)
        an_hour_later(store)
        assert find(store) == 1
        store.settle()
        assert store.member(customer).balance == 120
        assert store.outbox("reread_order")[-1].payload["order_id"] == order["id"]

    def test_told(self, store, deaf):
        """An order of which a message came is not read for it."""
        store.switch("/webhooks/modes", drop_percent=0)
        store.buy("30.00", customer=deaf[1])
        store.settle()
        assert find(store) == 0

    def test_backlog(self, deaf):
        """While deliveries wait that came long before, nobody can say what was not told."""
        store, customer = deaf
        store.buy("30.00", customer=customer)
        waits = {"source": "shopify", "delivery_id": "w", "topic": "orders/paid", "body": b"{}"}
        with store.runtime.transaction() as session:
            long_ago = store.runtime.clock() - timedelta(hours=1)
            inbox.receive(session.connection(), shop_domain=store.domain, now=long_ago, **waits)
        assert find(store) == 0
        store.settle()
        assert find(store) == 1

    def test_many(self, deaf, monkeypatch):
        """A long list is read page by page, and the next look goes on where one had to end."""
        store, customer = deaf
        orders = [store.buy("10.00", customer=customer)["id"] for _ in range(3)]
        for some in (orders[:1], orders[:2], orders):
            a_minute_old(store, *some)
        few = missed_orders.documents.ORDERS_CHANGED.replace("first: 100", "first: 1")
        monkeypatch.setattr(missed_orders.documents, "ORDERS_CHANGED", few)
        monkeypatch.setattr(missed_orders, "_MOST_PAGES", 2)
        assert find(store) == 2
        store.settle()
        assert find(store) == 1
        store.settle()
        assert store.member(customer).balance == 130

    def test_before_us(self, deaf):
        """What happened before the installation, or while the app was away, is not made up for."""
        store, customer = deaf
        store.buy("30.00", customer=customer)
        assert find(store) == 1
        an_hour_later(store)
        store.buy("50.00", customer=customer)
        store.switch("/webhooks/modes", drop_percent=0)
        store.act("POST", "/uninstall")
        store.receive()
        assert find(store) == 0
        store.act("POST", "/install")
        store.open_app()
        with store.runtime.transaction() as session:
            session.exec(select(Shop)).one().installed_at += timedelta(seconds=2)
        assert find(store) == 0

    def test_shopify_down(self, deaf):
        """What cannot be asked now is asked the next time."""
        store, customer = deaf
        store.buy("30.00", customer=customer)
        store.switch("/faults", place="graphql", kind="status", status=503, times=3)
        assert find(store) == 0
        assert find(store) == 1
