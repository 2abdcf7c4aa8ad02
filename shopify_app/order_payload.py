"""An order as webhooks carry it, brought to the normal form. Everything is in the shop's currency.

``order_node`` does the same for orders that were asked for; both give equal snapshots of the same order.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from loyalty.core.facts import OrderLine, OrderSnapshot
from loyalty.inbox import Malformed
from shopify_app import reading

_CENT = Decimal("0.01")
_NOTHING = Decimal(0)


def snapshot_of_payload(order: Mapping[str, Any]) -> OrderSnapshot:
    """The state of the order. Raises ``Malformed``."""
    refunds = reading.tables(order, "refunds")
    taxes_included = reading.flag(order, "taxes_included")
    return OrderSnapshot(
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
        refunded_shipping=_refunded_shipping(refunds),
        discount_codes=tuple(reading.text(code, "code") for code in reading.tables(order, "discount_codes")),
    )


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
    )


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
    both = reading.table(order, "total_price_set")
    ours = reading.amount(reading.table(both, "shop_money").get("amount"), "shop_money")
    theirs = reading.amount(reading.table(both, "presentment_money").get("amount"), "presentment_money")
    return (value * ours / theirs).quantize(_CENT, ROUND_HALF_UP) if theirs else value


def _refunded_shipping(refunds: list[dict[str, Any]]) -> Decimal:
    return sum(
        (
            _shop_money(line, part)
            for refund in refunds
            for line in reading.tables(refund, "refund_shipping_lines")
            for part in ("subtotal_amount", "tax_amount")
        ),
        _NOTHING,
    )


def _shop_money(value: Mapping[str, Any], key: str) -> Decimal:
    """An amount in the shop's currency: from the pair of currencies if there is one, else the plain amount."""
    both = value.get(f"{key}_set")
    if both is None:
        return reading.amount(value.get(key) or 0, key)
    if not isinstance(both, dict):
        raise Malformed(f"{key}_set is not an object")
    return reading.amount(reading.table(both, "shop_money").get("amount"), key)
