"""Webhooks become facts."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from loyalty.core.facts import (
    CustomerDeleted,
    CustomerSeen,
    CustomersMerged,
    Identity,
    OrderChanged,
    OrderSeen,
    OrderSnapshot,
    ShopMessage,
)
from loyalty.inbox import Malformed
from loyalty.models import InboxMessage
from shopify_app.translate import TOPICS, translate

DOMAIN = "fern-and-fig.myshopify.com"
AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def both(shop: str, presentment: str | None = None) -> dict[str, Any]:
    """An amount in both currencies."""
    return {
        "shop_money": {"amount": shop, "currency_code": "USD"},
        "presentment_money": {"amount": presentment or shop, "currency_code": "USD"},
    }


ORDER: dict[str, Any] = {
    "id": 820982911946154508,
    "name": "#1001",
    "created_at": "2026-11-20T10:00:00-05:00",
    "updated_at": "2026-11-20T10:00:05-05:00",
    "cancelled_at": None,
    "currency": "USD",
    "financial_status": "paid",
    "test": False,
    "source_name": "web",
    "email": "Iris@FernAndFig.shop ",
    "customer_locale": "en",
    "taxes_included": False,
    "total_outstanding": "0.00",
    "total_price_set": both("115.00"),
    "discount_codes": [{"code": "LAUREL-X", "amount": "5.00", "type": "fixed_amount"}],
    "customer": {
        "id": 706405506930370084,
        "email": "Iris@FernAndFig.shop",
        "first_name": "Iris",
        "last_name": "Vale",
        "created_at": "2026-11-01T00:00:00Z",
        "updated_at": "2026-11-20T10:00:04-05:00",
    },
    "line_items": [
        {
            "id": 1,
            "product_id": 11,
            "quantity": 3,
            "current_quantity": 2,
            "gift_card": False,
            "price": "35.00",
            "price_set": both("35.00"),
            "discount_allocations": [{"amount": "5.00", "amount_set": both("5.00")}],
            "tax_lines": [
                {"price": "8.00", "price_set": both("8.00")},
                {"price": "2.00", "price_set": both("2.00")},
            ],
        },
        {
            "id": 2,
            "product_id": None,
            "quantity": 1,
            "current_quantity": 1,
            "gift_card": True,
            "price": "10.00",
        },
    ],
    "refunds": [
        {
            "id": 5,
            "transactions": [
                {"kind": "refund", "status": "success", "amount": "20.00", "currency": "USD"},
                {"kind": "refund", "status": "pending", "amount": "7.00", "currency": "USD"},
                {"kind": "void", "status": "success", "amount": "9.00", "currency": "USD"},
                {"kind": "refund", "status": "failure", "amount": "1.00", "currency": "USD"},
            ],
            "refund_shipping_lines": [{"subtotal_amount_set": both("4.00"), "tax_amount_set": both("0.40")}],
        }
    ],
}


def message(topic: str, body: Any, **changes: Any) -> InboxMessage:
    """A delivery."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    values = {
        "shop_domain": DOMAIN,
        "source": "shopify",
        "delivery_id": "d",
        "received_at": AT,
        "due_at": AT,
        "id": 9,
    }
    return InboxMessage(topic=topic, body=data, **(values | changes))


def snapshot(**changes: Any) -> OrderSnapshot:
    """The snapshot of the order with changes."""
    seen = translate(message("orders/updated", ORDER | changes))[-1]
    assert isinstance(seen, OrderSeen)
    return seen.order


class TestOrder:
    """Orders, however they come."""

    @pytest.mark.parametrize("topic", ["orders/create", "orders/updated", "orders/paid", "orders/cancelled"])
    def test_facts(self, topic):
        """Every order topic tells of the customer and of the order's whole state."""
        customer, seen = translate(message(topic, ORDER))
        identity = Identity(706405506930370084, "iris@fernandfig.shop")
        assert customer == CustomerSeen(
            identity,
            "Iris",
            "Vale",
            "en",
            datetime(2026, 11, 1, tzinfo=UTC),
            datetime(2026, 11, 20, 15, 0, 4, tzinfo=UTC),
        )
        assert isinstance(seen, OrderSeen)
        assert (seen.identity, seen.authoritative, seen.history) == (identity, False, False)

    def test_snapshot(self):
        """Money is the shop's, discounts are taken off, tax is apart, and only money that moved counts as refunded."""
        found = snapshot()
        assert found.order_id == 820982911946154508
        assert found.updated_at == datetime(2026, 11, 20, 15, 0, 5, tzinfo=UTC)
        line, card = found.lines
        assert (line.quantity, line.remaining, line.amount, line.tax) == (
            3,
            2,
            Decimal("100.00"),
            Decimal("10.00"),
        )
        assert (card.gift_card, card.product_id, card.amount, card.tax) == (
            True,
            None,
            Decimal("10.00"),
            Decimal(0),
        )
        assert (found.refunded, found.refunded_shipping) == (Decimal("20.00"), Decimal("4.40"))
        assert found.discount_codes == ("LAUREL-X",)
        assert (found.financial_status, found.cancelled, found.source) == ("paid", False, "web")

    def test_round_trip(self):
        """A snapshot survives being kept as JSON."""
        assert OrderSnapshot.from_json(json.loads(json.dumps(snapshot().to_json()))) == snapshot()

    def test_taxes_included(self):
        """Where prices include the tax, the goods' part is what is left without it."""
        line = snapshot(taxes_included=True).lines[0]
        assert (line.amount, line.tax) == (Decimal("90.00"), Decimal("10.00"))

    def test_two_currencies(self):
        """A customer may pay in another currency: the shop's side of every pair is taken, and refunds are brought back."""
        foreign = copy.deepcopy(ORDER)
        foreign["total_price_set"] = both("115.00", "230.00")
        foreign["line_items"][0]["price"] = "70.00"
        foreign["refunds"][0]["transactions"] = [
            {"kind": "refund", "status": "success", "amount": "40.00", "currency": "CAD"}
        ]
        found = snapshot(**foreign)
        assert found.lines[0].amount == Decimal("100.00")
        assert found.refunded == Decimal("20.00")

    @pytest.mark.parametrize("keys", [{"tip_payment_gateway": None}, {"tip_payment_method": "visa"}])
    def test_tip(self, keys):
        """A tip is a line that a key marks, even an empty one; it is no goods."""
        tip = {"id": 3, "product_id": None, "quantity": 1, "price": "6.00"} | keys
        assert snapshot(line_items=[tip]).lines[0].tip

    @pytest.mark.parametrize(("included", "shipping"), [(False, "5.50"), (True, "5.00")])
    def test_shipping(self, included, shipping):
        """Shipping is told after its discount and with its tax, but for what was taken off the order."""
        line = {"discounted_price_set": both("5.00"), "price": "9.00", "tax_lines": [{"price": "0.50"}]}
        lines = [line, line | {"is_removed": True}]
        assert snapshot(shipping_lines=lines, taxes_included=included).shipping == Decimal(shipping)

    def test_duties_back(self):
        """Duties that went back were not for the lines."""
        refund = ORDER["refunds"][0] | {"duties": [{"duty_id": 1, "amount_set": both("3.00")}]}
        assert snapshot(refunds=[refund]).refunded_shipping == Decimal("7.40")

    def test_received(self):
        """A webhook does not tell what came in."""
        assert snapshot().received is None

    def test_discount_without_name(self):
        """What staff took off by hand stands among the codes, and may have no name: the order counts."""
        codes = [{"code": "", "amount": "5.00"}, {"amount": "1.00"}, {"code": "LAUREL-X"}]
        (_, seen) = translate(message("orders/paid", ORDER | {"discount_codes": codes}))
        assert seen.order.discount_codes == ("LAUREL-X",)

    def test_cancelled(self):
        """A cancelled order says so."""
        assert snapshot(cancelled_at="2026-11-21T00:00:00Z").cancelled

    def test_numbers(self):
        """Amounts that come as numbers are exact, not binary."""
        line = ORDER["line_items"][1] | {"price": 0.1, "quantity": 3}
        assert snapshot(line_items=[line]).lines[0].amount == Decimal("0.3")

    def test_guest(self):
        """An order without a customer names its person by e-mail."""
        (seen,) = translate(message("orders/paid", ORDER | {"customer": None}))
        assert isinstance(seen, OrderSeen)
        assert seen.identity == Identity(None, "iris@fernandfig.shop")

    def test_nobody(self):
        """An order may name nobody."""
        (seen,) = translate(message("orders/paid", ORDER | {"customer": None, "email": ""}))
        assert isinstance(seen, OrderSeen)
        assert seen.identity.is_nobody()

    def test_customer_without_dates(self):
        """A customer without dates is known by identity alone."""
        facts = translate(message("orders/paid", ORDER | {"customer": {"id": 7, "created_at": None}}))
        assert [type(fact) for fact in facts] == [OrderSeen]

    @pytest.mark.parametrize(
        "change",
        [
            {"id": None},
            {"id": "1"},
            {"id": True},
            {"id": -1},
            {"id": 2**63},
            {"name": None},
            {"updated_at": "yesterday"},
            {"updated_at": "2026-11-20T10:00:00"},
            {"updated_at": "0001-01-01T00:00:00+14:00"},
            {"created_at": "9999-12-31T23:59:59-12:00"},
            {"created_at": 5},
            {"currency": None},
            {"line_items": "none"},
            {"line_items": [1]},
            {"line_items": [{"id": 1, "quantity": 1, "price": "iris@fernandfig.shop"}]},
            {"line_items": [{"id": 1, "quantity": 1, "price": "NaN"}]},
            {"line_items": [{"id": 1, "quantity": 1, "price": "1e-99999999"}]},
            {"name": "\x00"},
            {"line_items": [{"id": 1, "quantity": "x"}]},
            {"line_items": [{"id": 1, "quantity": 1, "price_set": []}]},
            {"total_outstanding": {"a": 1}},
            {"customer": {"id": None}},
            {"refunds": [{"transactions": [{"kind": "refund", "status": "success"}]}]},
            {"test": "yes"},
        ],
    )
    def test_malformed(self, change):
        """What cannot be an order is refused by the name of a field, never by its value."""
        with pytest.raises(Malformed) as error:
            translate(message("orders/updated", ORDER | change))
        assert "iris" not in str(error.value)


class TestOthers:
    """Everything that is no order."""

    @pytest.mark.parametrize(
        ("topic", "body", "fact"),
        [
            ("refunds/create", {"id": 5, "order_id": 7}, OrderChanged(7, "refund:5")),
            ("orders/edited", {"order_edit": {"id": 3, "order_id": 7}}, OrderChanged(7, "edit:3")),
            ("customers/delete", {"id": 7}, CustomerDeleted(7)),
            ("app/uninstalled", {"id": 1}, ShopMessage("app/uninstalled", {"received_at": AT.isoformat()})),
            (
                "app/scopes_update",
                {"current": ["read_orders"], "previous": []},
                ShopMessage("app/scopes_update", {"delivery": "d"}),
            ),
            ("shop/update", {"id": 1}, ShopMessage("shop/update", {"delivery": "d"})),
            (
                "bulk_operations/finish",
                {"admin_graphql_api_id": "gid://shopify/BulkOperation/1", "status": "completed"},
                ShopMessage("bulk_operations/finish", {"operation": "gid://shopify/BulkOperation/1"}),
            ),
            ("shop/redact", {"shop_id": 1, "shop_domain": DOMAIN}, ShopMessage("shop/redact", {})),
        ],
    )
    def test_fact(self, topic, body, fact):
        """Each topic has its fact."""
        assert translate(message(topic, body)) == (fact,)

    def test_merge(self):
        """Only a completed merge has happened."""
        body = {
            "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/1",
            "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/2",
            "status": "completed",
        }
        assert translate(message("customers/merge", body)) == (CustomersMerged(1, 2, AT),)
        assert translate(message("customers/merge", body | {"status": "failed"})) == ()

    @pytest.mark.parametrize(
        ("told", "name"),
        [("Ir\x00is", "Iris"), ("Iris\ud83c", "Iris?"), ("\x00", None), ("Íris 🌿", "Íris 🌿")],
    )
    def test_odd_names(self, told, name):
        """What JSON can spell and no database takes is left out of a text; every real letter stays."""
        (seen,) = translate(message("customers/update", ORDER["customer"] | {"first_name": told}))
        assert isinstance(seen, CustomerSeen)
        assert seen.first_name == name

    def test_customer(self):
        """A customer as it is: no address, no note, only what a member needs."""
        (seen,) = translate(
            message("customers/update", ORDER["customer"] | {"note": "x", "default_address": {}})
        )
        assert isinstance(seen, CustomerSeen)
        assert replace(seen, identity=Identity(1, None)).first_name == "Iris"

    @pytest.mark.parametrize(
        ("state", "has_account"),
        [("enabled", True), (None, True), ("disabled", False), ("invited", False), ("declined", False)],
    )
    def test_account(self, state, has_account):
        """Shopify keeps a record of every guest who gave an address, and says of each whether there is an account."""
        (seen,) = translate(message("customers/enable", ORDER["customer"] | {"state": state}))
        assert isinstance(seen, CustomerSeen)
        assert seen.has_account is has_account

    def test_privacy(self):
        """A compliance request carries ids, and the address that finds a person who never had one."""
        body = {
            "shop_domain": DOMAIN,
            "customer": {"id": 7, "email": "Iris@fernandfig.shop", "phone": "1"},
            "data_request": {"id": 99},
            "orders_requested": [1],
        }
        details = {"customer_id": 7, "email": "iris@fernandfig.shop", "inbox_id": 9}
        assert translate(message("customers/redact", body)) == (ShopMessage("customers/redact", details),)
        asked = ShopMessage("customers/data_request", details | {"request": "99"})
        assert translate(message("customers/data_request", body)) == (asked,)

    @pytest.mark.parametrize("topic", ["customers/redact", "customers/data_request", "shop/redact"])
    def test_other_shop(self, topic):
        """A compliance request that names another shop than its sender is refused."""
        with pytest.raises(Malformed):
            translate(message(topic, {"shop_domain": "other.myshopify.com", "customer": {"id": 1}}))

    def test_unknown(self):
        """A topic that nobody asked for is ignored, whatever it carries."""
        assert translate(message("carts/update", b"not json")) == ()

    @pytest.mark.parametrize("topic", sorted(TOPICS))
    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
    def test_not_an_object(self, topic, body):
        """A body that is no JSON object is refused on every topic."""
        with pytest.raises(Malformed):
            translate(message(topic, body))

    @pytest.mark.parametrize(
        "topic", sorted(set(TOPICS) - {"app/uninstalled", "app/scopes_update", "shop/update"})
    )
    def test_empty(self, topic):
        """An empty object is refused on every topic that needs something of it."""
        with pytest.raises(Malformed):
            translate(message(topic, {}))
