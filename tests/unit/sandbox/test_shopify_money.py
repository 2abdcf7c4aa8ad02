"""The local Shopify's arithmetic: refunds, edits, cancellations, taxes and currencies come out to the cent."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from sandbox.shopify.money import portion, spread
from tests.unit.sandbox.shopify_rig import Rig, rig


@pytest.fixture(name="shop")
def _shop() -> Iterator[Rig]:
    with rig() as found:
        yield found


class TestSplitting:
    @pytest.mark.parametrize("total", ["0.01", "5.00", "9.99", "10.00"])
    def test_spread(self, total):
        """The parts of a total always add up to it."""
        weights = [Decimal(w) for w in ("28.00", "24.50", "0", "0.01")]
        assert sum(spread(Decimal(total), weights)) == Decimal(total)

    def test_portion(self):
        """Units leaving one by one take the whole with them."""
        shares = [portion(Decimal("10.00"), n + 1, 3) - portion(Decimal("10.00"), n, 3) for n in range(3)]
        assert shares == [Decimal("3.33"), Decimal("3.34"), Decimal("3.33")]


class TestRefund:
    def refund(self, shop: Rig, order, **spec):
        return shop.post(f"/orders/{order['id']}/refund", **spec)["order"]

    def test_by_unit(self, shop):
        """Refunding each unit in turn ends at nothing, with every cent given back."""
        order = shop.order(
            {"price": "10.00", "quantity": 3}, shipping="5.00", tax_rate="0.0825", discount_amount="1"
        )
        for _ in range(3):
            now = self.refund(shop, order, lines=[{"index": 0, "quantity": 1}])
        assert (now["current_subtotal"], now["current_total"]) == ("0.00", "5.00")
        now = self.refund(shop, order, shipping="5.00")
        assert (now["current_total"], now["net_payment"], now["financial_status"]) == (
            "0.00",
            "0.00",
            "refunded",
        )
        assert now["refunded"] == order["total"]

    def test_amount_only(self, shop):
        """An amount without lines moves the total, not the subtotal, and is booked as a discrepancy."""
        order = shop.order({"price": "40.00"})
        now = self.refund(shop, order, amount="15.00")
        assert (now["current_subtotal"], now["current_total"]) == ("40.00", "25.00")
        (body,) = [row["body"] for row in shop.sent("refunds/create")]
        assert (body["refund_line_items"], body["order_adjustments"][0]["amount"]) == ([], "-15.00")

    def test_amount_moves_subtotal(self, shop):
        """A shop may be set so that amounts move the subtotal as well."""
        shop.sandbox.state.shop(shop.domain).amount_refunds_move_subtotal = True
        now = self.refund(shop, shop.order({"price": "40.00"}), amount="15.00")
        assert now["current_subtotal"] == "25.00"

    def test_held_back(self, shop):
        """Giving back less than the goods are worth leaves the difference with the shop."""
        order = shop.order({"price": "40.00"})
        now = self.refund(shop, order, lines=[{"index": 0}], amount="30.00")
        assert (now["current_subtotal"], now["current_total"], now["outstanding"]) == (
            "0.00",
            "10.00",
            "0.00",
        )

    def test_pending(self, shop):
        """A pending refund is announced at once, and the money counts when it settles."""
        order = shop.order({"price": "40.00"})
        now = self.refund(shop, order, full=True, status="pending")
        assert (now["refunded"], now["financial_status"], now["outstanding"]) == ("0.00", "paid", "-40.00")
        assert len(shop.sent("refunds/create")) == 1
        now = shop.post(f"/orders/{order['id']}/settle")["order"]
        assert (now["refunded"], now["financial_status"]) == ("40.00", "refunded")
        assert len(shop.sent("refunds/create")) == 1

    def test_too_much(self, shop):
        """More than was paid, or more units than there are, cannot be refunded."""
        order = shop.order({"price": "40.00"})
        path = f"/orders/{order['id']}/refund"
        assert shop.post(path, 422, amount="40.01")["error"] == "bad_amount"
        assert shop.post(path, 422, lines=[{"index": 0, "quantity": 2}])["error"] == "bad_quantity"
        assert shop.post(path, 422)["error"] == "nothing"

    def test_full_with_tip(self, shop):
        """A full refund leaves exactly zero, tip, tax and shipping included."""
        order = shop.order({"price": "40.00"}, tip="4.00", shipping="6.50", tax_rate="0.07")
        now = self.refund(shop, order, full=True)
        assert (now["current_total"], now["net_payment"], now["outstanding"]) == ("0.00", "0.00", "0.00")


class TestApart:
    """Money that is not for goods: tips, duties, and the tax of the shipping."""

    def test_tip_is_a_line(self, shop):
        """A tip is a line that a key marks; the subtotal leaves it out, and no discount touches it."""
        order = shop.order({"price": "40.00"}, tip="6.00", discount_amount="10.00")
        assert [(row["title"], row["net"]) for row in order["lines"]] == [
            ("Custom item", "30.00"),
            ("Tip", "6.00"),
        ]
        assert (order["subtotal"], order["total"]) == ("30.00", "36.00")
        (body,) = [row["body"] for row in shop.sent("orders/create")]
        goods, tip = body["line_items"]
        assert ("tip_payment_gateway" in goods, "tip_payment_gateway" in tip) == (False, True)
        assert (body["total_tip_received"], body["total_line_items_price"]) == ("6.00", "40.00")

    def test_graphql_marks_no_tip(self, shop):
        """The API tells the sum of the tips, and of the line nothing but that it is of no product."""
        order = shop.order({"product": "boston-fern"}, tip="6.00")
        found = shop.graph()(
            "query ($id: ID!) { order(id: $id) { totalTipReceivedSet { shopMoney { amount } } subtotalLineItemsQuantity"
            " lineItems(first: 5) { nodes { title requiresShipping product { id } } } } }",
            id=order["admin_graphql_api_id"],
        )["data"]["order"]
        assert (found["totalTipReceivedSet"]["shopMoney"]["amount"], found["subtotalLineItemsQuantity"]) == (
            "6.0",
            1,
        )
        assert found["lineItems"]["nodes"][1] == {"title": "Tip", "requiresShipping": False, "product": None}

    def test_shipping_tax(self, shop):
        """The tax of the shipping lies on top, and goes back with its share of the price."""
        order = shop.order({"price": "40.00"}, shipping="10.00", shipping_tax_rate="0.2")
        assert (order["tax"], order["total"]) == ("2.00", "52.00")
        now = shop.post(f"/orders/{order['id']}/refund", shipping="5.00")["order"]
        assert (now["current_total"], now["refunded"]) == ("46.00", "6.00")
        (body,) = [row["body"] for row in shop.sent("refunds/create")]
        (row,) = body["refund_shipping_lines"]
        assert (
            row["subtotal_amount_set"]["shop_money"]["amount"],
            row["tax_amount_set"]["shop_money"]["amount"],
        ) == (
            "5.00",
            "1.00",
        )

    def test_shipping_tax_inside(self, shop):
        """Where prices include the tax, what goes back is told apart and comes to the same."""
        order = shop.order({"price": "40.00"}, shipping="12.00", shipping_tax_rate="0.2", taxes_included=True)
        assert (order["tax"], order["total"]) == ("2.00", "52.00")
        now = shop.post(f"/orders/{order['id']}/refund", shipping="6.00")["order"]
        assert (now["current_total"], now["refunded"]) == ("46.00", "6.00")
        (body,) = [row["body"] for row in shop.sent("refunds/create")]
        (row,) = body["refund_shipping_lines"]
        assert (
            row["subtotal_amount_set"]["shop_money"]["amount"],
            row["tax_amount_set"]["shop_money"]["amount"],
        ) == (
            "5.00",
            "1.00",
        )

    def test_duties(self, shop):
        """Duties are a part of the total alone; they go back by themselves, and never more than there were."""
        order = shop.order({"price": "40.00"}, duties="8.00")
        assert (order["subtotal"], order["total"]) == ("40.00", "48.00")
        path = f"/orders/{order['id']}/refund"
        assert shop.post(path, 422, duties="8.01")["error"] == "bad_amount"
        now = shop.post(path, duties="3.00")["order"]
        assert (now["current_total"], now["outstanding"]) == ("45.00", "0.00")
        now = shop.post(path, full=True)["order"]
        assert (now["current_total"], now["financial_status"]) == ("0.00", "refunded")

    @pytest.mark.parametrize("key", ["tip", "duties"])
    def test_never_below_zero(self, shop, key):
        """Nobody is paid a tip for buying."""
        body = {"lines": [{"price": "40.00"}], key: "-1"}
        assert shop.post("/orders", 422, **body)["error"] == "bad_amount"


class TestTax:
    def test_on_top(self, shop):
        """Tax on top raises the total and leaves the subtotal alone."""
        order = shop.order({"price": "100.00"}, tax_rate="0.2")
        assert (order["subtotal"], order["tax"], order["total"]) == ("100.00", "20.00", "120.00")

    def test_included(self, shop):
        """Included tax lies inside the subtotal."""
        order = shop.order({"price": "120.00"}, tax_rate="0.2", taxes_included=True)
        assert (order["subtotal"], order["tax"], order["total"]) == ("120.00", "20.00", "120.00")


class TestOrder:
    def test_currencies(self, shop):
        """The customer's currency stands beside the shop's in every money bag."""
        shop.order({"price": "50.00"}, presentment_currency="EUR")
        (body,) = [row["body"] for row in shop.sent("orders/create")]
        assert body["total_price_set"] == {
            "shop_money": {"amount": "50.00", "currency_code": "USD"},
            "presentment_money": {"amount": "46.00", "currency_code": "EUR"},
        }

    def test_edit(self, shop):
        """An edit changes what the order is worth now, not what it was, and leaves money open."""
        order = shop.order({"price": "40.00", "quantity": 2})
        now = shop.post(
            f"/orders/{order['id']}/edit", add=[{"price": "15.00"}], remove=[{"index": 0, "quantity": 1}]
        )
        now = now["order"]
        assert (now["subtotal"], now["current_subtotal"], now["outstanding"]) == ("80.00", "55.00", "-25.00")
        (body,) = [row["body"] for row in shop.sent("orders/edited")]
        assert set(body) == {"order_edit"}
        assert [row["delta"] for row in body["order_edit"]["line_items"]["additions"]] == [1]

    def test_cancel_unpaid(self, shop):
        """Cancelling an unpaid order voids it: lines leave, no money moves."""
        order = shop.order({"price": "40.00"}, paid=False)
        now = shop.post(f"/orders/{order['id']}/cancel")["order"]
        assert (now["financial_status"], now["current_total"]) == ("voided", "0.00")
        (body,) = [row["body"] for row in shop.sent("refunds/create")]
        assert [t["kind"] for t in body["transactions"]] == ["void"]
        assert (body["transactions"][0]["amount"], body["refund_line_items"][0]["subtotal"]) == ("0.00", 40.0)

    def test_updated_at_rises(self, shop):
        """Every change of an order moves `updated_at` on, however fast they follow each other."""
        order = shop.order({"price": "40.00", "quantity": 4}, paid=False)
        shop.post(f"/orders/{order['id']}/pay")
        for _ in range(3):
            shop.post(f"/orders/{order['id']}/refund", amount="1.00")
        seen = [row["body"]["updated_at"] for row in shop.sent("orders/updated")]
        assert len(seen) == 5
        assert seen == sorted(set(seen))

    def test_guest(self, shop):
        """A guest with an address becomes a disabled customer; one without has no customer at all."""
        shop.order(email="guest@fernandfig.shop")
        shop.order(source_name="pos")
        known, unknown = (row["body"] for row in shop.sent("orders/create"))
        assert known["customer"]["state"] == "disabled"
        assert "customer" not in unknown

    def test_large_ids(self, shop):
        """Ids do not fit in 32 bits."""
        assert shop.order()["id"] > 2**31
