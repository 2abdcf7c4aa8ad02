"""An order as webhooks carry it, brought to the normal form. Everything is in the shop's currency.

``order_node`` does the same for orders that were asked for; both give equal snapshots of the same order, but for what was received:
a webhook does not tell it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from loyalty.core.facts import OrderLine, OrderSnapshot
from loyalty.inbox import Malformed
from shopify_app import reading
from shopify_app.address_mark import address_mark
from shopify_app.sale_rate import at_rate_of_sale, refunded_as_sold

_NOTHING = Decimal(0)
_TIP_KEYS = frozenset({"tip_payment_gateway", "tip_payment_method"})


def snapshot_of_payload(order: Mapping[str, Any]) -> OrderSnapshot:
    """The state of the order. Raises ``Malformed``."""
    refunds = reading.tables(order, "refunds")
    taxes_included = reading.flag(order, "taxes_included")
    snapshot = OrderSnapshot(
        order_id=reading.number(order, "id"),
        name=reading.text(order, "name"),
        created_at=reading.instant(order, "created_at"),
        updated_at=reading.instant(order, "updated_at"),
        currency=reading.text(order, "currency"),
        financial_status=(reading.optional_text(order, "financial_status") or "").lower(),
        cancelled=reading.optional_text(order, "cancelled_at") is not None,
        test=reading.flag(order, "test"),
        source=reading.optional_text(order, "source_name") or "",
        lines=tuple(
            _line(line, taxes_included=taxes_included) for line in reading.tables(order, "line_items")
        ),
        outstanding=reading.amount(order.get("total_outstanding") or 0, "total_outstanding"),
        refunded=_refunded(order, refunds),
        refunded_shipping=_refunded_apart(refunds),
        discount_codes=_codes(order),
        address_mark=address_mark(order.get("shipping_address")),
        shipping=_shipping(order, taxes_included=taxes_included),
    )
    presented = reading.optional_text(order, "presentment_currency")
    if presented is None or presented == snapshot.currency or not snapshot.refunded:
        return snapshot
    ours, theirs = _totals(order)
    return refunded_as_sold(snapshot, presented, ours=ours, theirs=theirs)


def _codes(order: Mapping[str, Any]) -> tuple[str, ...]:
    """The codes that were used. What staff took off by hand is told among them, and may have no name."""
    named = (reading.optional_text(code, "code") for code in reading.tables(order, "discount_codes"))
    return tuple(code for code in named if code is not None)


def _line(line: Mapping[str, Any], *, taxes_included: bool) -> OrderLine:
    quantity = reading.number(line, "quantity")
    discount = sum(
        (_shop_money(part, "amount") for part in reading.tables(line, "discount_allocations")), _NOTHING
    )
    tax = sum((_shop_money(part, "price") for part in reading.tables(line, "tax_lines")), _NOTHING)
    charged = _shop_money(line, "price") * quantity - discount
    return OrderLine(
        line_id=reading.number(line, "id"),
        product_id=reading.optional_number(line, "product_id"),
        quantity=quantity,
        remaining=reading.number(line, "current_quantity") if "current_quantity" in line else quantity,
        amount=charged - tax if taxes_included else charged,
        tax=tax,
        gift_card=reading.flag(line, "gift_card"),
        # A tip is a line of its own, which these keys mark.
        tip=not _TIP_KEYS.isdisjoint(line),
    )


def _shipping(order: Mapping[str, Any], *, taxes_included: bool) -> Decimal:
    """What the shipping cost, with its tax and before anything of it went back; lines that were taken off count nothing."""
    total = _NOTHING
    for line in reading.tables(order, "shipping_lines"):
        if not reading.flag(line, "is_removed"):
            taxes = [] if taxes_included else reading.tables(line, "tax_lines")
            total += _shop_money(line, "discounted_price")
            total += sum((_shop_money(tax, "price") for tax in taxes), _NOTHING)
    return total


def _refunded(order: Mapping[str, Any], refunds: list[dict[str, Any]]) -> Decimal:
    """Money that really went back: a refund can exist while its money is pending, failed, or was never to move."""
    currency = reading.text(order, "currency")
    total = _NOTHING
    for refund in refunds:
        for moved in reading.tables(refund, "transactions"):
            if moved.get("kind") == "refund" and moved.get("status") == "success":
                value = reading.amount(moved.get("amount"), "amount")
                is_foreign = (reading.optional_text(moved, "currency") or currency) != currency
                total += _into_shop_currency(value, order) if is_foreign else value
    return total


def _into_shop_currency(value: Decimal, order: Mapping[str, Any]) -> Decimal:
    """Transactions are in the customer's currency and carry no rate; the order's own total has the rate in it."""
    ours, theirs = _totals(order)
    return at_rate_of_sale(value, ours=ours, theirs=theirs)


def _totals(order: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """The order's total in the shop's currency and in the customer's."""
    both = reading.table(order, "total_price_set")
    ours = reading.amount(reading.table(both, "shop_money").get("amount"), "shop_money")
    theirs = reading.amount(reading.table(both, "presentment_money").get("amount"), "presentment_money")
    return ours, theirs


def _refunded_apart(refunds: list[dict[str, Any]]) -> Decimal:
    """What of all refunds was for shipping, with its tax, and for duties."""
    total = _NOTHING
    for refund in refunds:
        for line in reading.tables(refund, "refund_shipping_lines"):
            total += _shop_money(line, "subtotal_amount") + _shop_money(line, "tax_amount")
        for duty in reading.tables(refund, "duties"):
            total += _shop_money(duty, "amount")
    return total


def _shop_money(value: Mapping[str, Any], key: str) -> Decimal:
    """An amount in the shop's currency: from the pair of currencies if there is one, else the plain amount."""
    both = value.get(f"{key}_set")
    if both is None:
        return reading.amount(value.get(key) or 0, key)
    if not isinstance(both, dict):
        raise Malformed(f"{key}_set is not an object")
    return reading.amount(reading.table(both, "shop_money").get("amount"), key)
