"""The money of an order that was asked for: what came in for its lines, what went back, and at which rate."""

import copy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from loyalty.inbox import Malformed
from shopify_app.order_node import snapshot_of_node
from shopify_app.sale_rate import at_rate_of_sale, refunded_as_sold
from tests.unit.core import makers


def both(ours: str, theirs: str | None = None) -> dict[str, Any]:
    """An amount in both currencies."""
    return {"shopMoney": {"amount": ours}, "presentmentMoney": {"amount": theirs or ours}}


def line(number: int, price: str, *, product: bool = True, tax: str = "") -> dict[str, Any]:
    """One piece of something, or of nothing that the shop sells."""
    return {
        "id": f"gid://shopify/LineItem/{number}",
        "quantity": 1,
        "currentQuantity": 1,
        "isGiftCard": False,
        "product": {"id": f"gid://shopify/Product/{number}"} if product else None,
        "originalUnitPriceSet": both(price),
        "discountAllocations": [],
        "taxLines": [{"priceSet": both(tax)}] if tax else [],
    }


ORDER: dict[str, Any] = {
    "id": "gid://shopify/Order/1",
    "name": "#1001",
    "createdAt": "2026-11-20T10:00:00Z",
    "updatedAt": "2026-11-20T10:00:05Z",
    "cancelledAt": None,
    "test": False,
    "sourceName": "web",
    "currencyCode": "USD",
    "presentmentCurrencyCode": "USD",
    "taxesIncluded": False,
    "dutiesIncluded": False,
    "displayFinancialStatus": "PAID",
    "email": None,
    "discountCodes": [],
    "totalPriceSet": both("100.00"),
    "totalOutstandingSet": both("0.00"),
    "totalReceivedSet": both("100.00"),
    "totalTipReceivedSet": both("0.00"),
    "currentTotalDutiesSet": None,
    "currentTotalAdditionalFeesSet": None,
    "shippingLine": None,
    "customer": None,
    "totalRefundedSet": both("0.00"),
    "totalRefundedShippingSet": both("0.00"),
    "transactions": [],
    "refunds": [],
}
SHIPPING = {
    "isRemoved": False,
    "discountedPriceSet": both("5.00"),
    "taxLines": [{"priceSet": both("0.75")}, {"priceSet": both("0.25")}],
}

REFUND = {
    "duties": [{"amountSet": both("3.00")}],
    "refundShippingLines": {"nodes": [{"subtotalAmountSet": both("4.00"), "taxAmountSet": both("0.40")}]},
}


def snapshot(*lines: dict[str, Any], **changes: Any) -> Any:
    """The snapshot of the order with changes."""
    return snapshot_of_node(copy.deepcopy(ORDER) | changes, lines or [line(1, "100.00")])


class TestReceived:
    """What came in for the lines."""

    @pytest.mark.parametrize(
        ("changes", "received"),
        [
            ({}, "100.00"),
            ({"shippingLine": SHIPPING}, "94.00"),
            ({"shippingLine": SHIPPING, "taxesIncluded": True}, "95.00"),
            ({"shippingLine": SHIPPING | {"isRemoved": True}}, "100.00"),
            ({"totalTipReceivedSet": both("8.00")}, "92.00"),
            ({"currentTotalDutiesSet": both("7.00")}, "93.00"),
            ({"currentTotalDutiesSet": both("7.00"), "dutiesIncluded": True}, "100.00"),
            (
                {"currentTotalDutiesSet": both("7.00"), "currentTotalAdditionalFeesSet": both("9.00")},
                "91.00",
            ),
            ({"totalReceivedSet": both("0.00"), "shippingLine": SHIPPING}, "-6.00"),
        ],
        ids=[
            "plain",
            "shipping and its tax",
            "shipping with its tax inside",
            "shipping taken off",
            "tip",
            "duties",
            "duties in the prices",
            "duties among the fees",
            "nothing paid yet",
        ],
    )
    def test_less(self, changes, received):
        """Everything that is no line is taken off, and nothing twice."""
        assert snapshot(**changes).received == Decimal(received)

    def test_not_asked(self):
        """An order whose payments were not asked for does not say what it received."""
        order = {key: value for key, value in ORDER.items() if key != "totalReceivedSet"}
        assert snapshot_of_node(order, [line(1, "100.00")]).received is None

    def test_rate_of_sale(self):
        """What came in and what went back count at the rate of the sale, whatever Shopify's side of a pair says of later days."""
        found = snapshot(
            presentmentCurrencyCode="EUR",
            totalPriceSet=both("100.00", "80.00"),
            totalReceivedSet=both("97.00", "80.00"),
            transactions=[{"kind": "REFUND", "status": "SUCCESS", "amountSet": both("26.40", "20.00")}],
        )
        assert (found.received, found.refunded) == (Decimal("100.00"), Decimal("25.00"))

    @pytest.mark.parametrize(
        ("currency", "theirs", "prices", "sold_at", "back", "refunded"),
        [
            ("JPY", "USD", ("1000", "2000"), "20.01", "6.67", "1000"),
            ("USD", "GBP", ("61", "12"), "57.48", "48.03", "61.00"),
            ("JPY", "USD", ("1000", "2000"), "20.01", "8.00", "1199.40"),
        ],
    )
    def test_rounding(self, currency, theirs, prices, sold_at, back, refunded):
        """A whole line that came back is worth what it cost, though both currencies were rounded; other money is what it is."""
        ours = sum(map(Decimal, prices), Decimal(0))
        money = at_rate_of_sale(Decimal(back), ours=ours, theirs=Decimal(sold_at))
        lines = (makers.line(prices[0], remaining=0), makers.line(prices[1], line_id=2))
        returned = makers.order(*lines, currency=currency, refunded=money)
        found = refunded_as_sold(returned, theirs, ours=ours, theirs=Decimal(sold_at))
        assert found == replace(returned, refunded=Decimal(refunded))

    def test_many_transactions(self):
        """An order with too many transactions to list falls back on its total, at the rate of the sale too."""
        move = {"kind": "SALE", "status": "SUCCESS", "amountSet": both("1.00")}
        found = snapshot(
            presentmentCurrencyCode="EUR",
            totalPriceSet=both("100.00", "80.00"),
            totalReceivedSet=both("100.00", "80.00"),
            totalRefundedSet=both("41.00", "32.00"),
            transactions=[move] * 100,
        )
        assert found.refunded == Decimal("40.00")

    def test_free(self):
        """An order that costs nothing has no rate, and needs none."""
        assert at_rate_of_sale(Decimal(0), ours=Decimal(0), theirs=Decimal(0)) == 0

    @pytest.mark.parametrize(
        "changes",
        [
            {"totalReceivedSet": None},
            {"totalReceivedSet": both("much")},
            {"shippingLine": {"discountedPriceSet": None}},
            {"presentmentCurrencyCode": "EUR", "totalPriceSet": None},
            {"totalTipReceivedSet": both("NaN")},
        ],
    )
    def test_malformed(self, changes):
        """What is no amount is refused, never guessed."""
        with pytest.raises(Malformed):
            snapshot(**changes)


class TestTip:
    """A tip is a line that nothing marks."""

    @pytest.mark.parametrize(
        ("lines", "tips"),
        [
            ([line(1, "50.00"), line(2, "8.00", product=False)], [2]),
            ([line(1, "8.00"), line(2, "8.00", product=False)], [2]),
            ([line(1, "8.00", product=False), line(2, "8.00", product=False)], [2]),
            ([line(1, "50.00"), line(2, "3.00", product=False), line(3, "5.00", product=False)], [2, 3]),
            ([line(1, "50.00"), line(2, "9.00", product=False)], []),
            ([line(1, "50.00"), line(2, "8.00", product=False, tax="0.80")], []),
        ],
        ids=["one", "beside goods of the price", "beside another", "two tips", "another price", "taxed"],
    )
    def test_found(self, lines, tips):
        """The line of no product, untaxed, that costs what was tipped is the tip; it is no goods, and its money is the lines'."""
        found = snapshot(*lines, totalTipReceivedSet=both("8.00"))
        assert [row.line_id for row in found.lines if row.tip] == tips
        assert found.received == Decimal("100.00" if tips else "92.00")

    def test_none(self):
        """Without a tip, a line of no product is goods."""
        assert not any(row.tip for row in snapshot(line(1, "8.00", product=False)).lines)


class TestRefundedApart:
    """What of the refunds was not for the lines."""

    def test_listed(self):
        """Shipping with its tax, and duties."""
        assert snapshot(refunds=[REFUND, REFUND]).refunded_shipping == Decimal("14.80")

    def test_many(self):
        """With too many refunds to list, the order's own total of the shipping stands."""
        found = snapshot(refunds=[REFUND] * 25, totalRefundedShippingSet=both("90.00"))
        assert found.refunded_shipping == Decimal("165.00")

    def test_file(self):
        """An import's file lists no refunds."""
        order = {key: value for key, value in ORDER.items() if key != "refunds"}
        order["totalRefundedShippingSet"] = both("6.00")
        assert snapshot_of_node(order, [line(1, "100.00")]).refunded_shipping == Decimal("6.00")
