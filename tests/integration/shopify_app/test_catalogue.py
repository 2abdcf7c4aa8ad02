"""Rules for some goods, and for agreeing to e-mail, from the shop to the ledger."""

import time
from typing import Any

import pytest

from loyalty import programs, runs
from loyalty.models import InboxMessage, LedgerEntry, OrderStanding, Run

PLANTS: dict[str, Any] = {
    "points": {"one": "point", "many": "points"},
    "earn": {
        "plants": {
            "way": "order",
            "title": "Buy plants",
            "rate": "2",
            "goods": {"tags": ["FERN"], "without_collections": []},
        },
        "newsletter": {"title": "Join our newsletter", "points": 50},
    },
}


def use(store, document: dict[str, Any]) -> None:
    """Put a program in force."""
    with store.runtime.transaction() as session:
        programs.apply(session, store.shop().id, document, author="test", now=store.runtime.clock())


@pytest.fixture
def plants(store):
    """A shop whose rule is about ferns."""
    use(store, PLANTS)
    return store


class TestGoods:
    def test_order(self, plants):
        """Only the ferns of an order earn, although no message tells what is a fern; a repeat asks nobody again."""
        customer = plants.sign_up()
        plants.buy(
            customer=customer,
            lines=[{"product": "boston-fern", "quantity": 2}, {"product": "terracotta-pot"}],
        )
        plants.settle()
        assert plants.member(customer).balance == 112
        (standing,) = plants.rows(OrderStanding)
        assert [line[7] for line in standing.snapshot["lines"]] == [["fern", "shade"], []]
        (entry,) = plants.rows(LedgerEntry)
        assert len(entry.why["lines"]) == 1

    def test_changed_later(self, plants):
        """What becomes of the catalogue later changes no order's points, also when a refund is reckoned."""
        customer = plants.sign_up()
        order = plants.buy(customer=customer, lines=[{"product": "boston-fern", "quantity": 2}])
        plants.settle()
        plants.act("PATCH", "/products/boston-fern", tags=["moss"])
        plants.act("POST", f"/orders/{order['id']}/refund", lines=[{"index": 0, "quantity": 1}])
        plants.settle()
        assert plants.member(customer).balance == 56

    def test_import(self, plants):
        """Imported orders earn by their products too, without asking for each order."""
        customer = plants.sign_up()
        for _ in range(3):
            plants.buy(
                customer=customer, lines=[{"product": "maidenhair-fern"}, {"price": "9.00"}], silent=True
            )
        plants.settle()
        with plants.runtime.transaction() as session:
            run = runs.start(session, plants.shop().id, "order_import", {}, now=plants.runtime.clock())
            run_id = run.id
        assert plants.advance(run_id).state == "done"
        assert plants.member(customer).balance == 3 * 49
        assert plants.outbox("reread_order") == []

    @pytest.mark.parametrize("has_file", [False, True])
    def test_no_right(self, plants, has_file):
        """An import that may not read products, from the beginning or in the middle, says so and goes on when it may."""
        customer = plants.sign_up()
        plants.buy(customer=customer, lines=[{"product": "maidenhair-fern"}], silent=True)
        plants.settle()
        with plants.runtime.transaction() as session:
            run_id = runs.start(session, plants.shop().id, "order_import", {}, now=plants.runtime.clock()).id
        if has_file:
            plants.until_it_says(run_id, "0 so far")
            deadline = time.monotonic() + 60
            while not plants.rows(InboxMessage, topic="bulk_operations/finish"):
                assert time.monotonic() < deadline
                plants.receive()
        plants.act("POST", "/scopes", remove=["read_products"])
        said = plants.until_it_says(run_id, "waiting for")
        assert "the permission read_products: open Laurel from your Shopify admin" in said
        assert [bool(run.cursor.get("operation")) for run in plants.rows(Run, id=run_id)] == [has_file]
        plants.act("POST", "/scopes", add=["read_products"])
        assert plants.advance(run_id).state == "done"
        assert plants.member(customer).balance == 49


class TestNewsletter:
    def test_while_signing_up(self, plants):
        """Whoever ticks the box with their new account has the points for it, once."""
        customer = plants.sign_up(email_consent="subscribed")
        plants.settle()
        assert plants.member(customer).balance == 50
        for state in ("unsubscribed", "subscribed"):
            plants.act("PATCH", f"/customers/{customer}", email_consent=state)
            plants.settle()
        assert plants.member(customer).balance == 50

    def test_later(self, plants):
        """Whoever agrees later has them then; who was only asked has not."""
        customer = plants.sign_up()
        plants.act("PATCH", f"/customers/{customer}", email_consent="pending")
        plants.settle()
        assert plants.member(customer).balance == 0
        plants.act("PATCH", f"/customers/{customer}", email_consent="subscribed")
        plants.settle()
        assert plants.member(customer).balance == 50
        assert plants.member(customer).subscribed_at is not None

    def test_import(self, plants):
        """An import tells who agreed since the installation, of whom no message had been heard."""
        customer = plants.sign_up(email_consent="subscribed", silent=True)
        other = plants.sign_up("rowan@fernandfig.shop", silent=True)
        plants.settle()
        with plants.runtime.transaction() as session:
            run_id = runs.start(
                session, plants.shop().id, "customer_import", {}, now=plants.runtime.clock()
            ).id
        assert plants.advance(run_id).state == "done"
        assert (plants.member(customer).balance, plants.member(other).balance) == (50, 0)

    def test_nobody_is_read(self, store):
        """Where the program gives nothing for it nobody is read."""
        store.sign_up(email_consent="subscribed")
        store.settle()
        assert store.outbox("reread_customer") == []
