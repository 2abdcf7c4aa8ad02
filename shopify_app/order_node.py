"""An order as the Admin API answers it, brought to the normal form of ``order_payload``.

The lines come separately, because they come in pages (a query) or as lines of their own (an import's file).
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from loyalty.core.email import normal_email
from loyalty.core.facts import Identity, OrderLine, OrderSnapshot
from loyalty.inbox import Malformed
from shopify_app import reading
from shopify_app.documents import MOST_REFUNDS, MOST_TRANSACTIONS
from shopify_app.gids import number_of

_NOTHING = Decimal(0)


def snapshot_of_node(order: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> OrderSnapshot:
    """The state of the order. Raises ``Malformed``."""
    taxes_included = reading.flag(order, "taxesIncluded")
    return OrderSnapshot(
        order_id=_id(order, "Order"),
        name=reading.text(order, "name"),
        created_at=reading.instant(order, "createdAt"),
        updated_at=reading.instant(order, "updatedAt"),
        currency=reading.text(order, "currencyCode"),
        financial_status=(reading.optional_text(order, "displayFinancialStatus") or "").lower(),
        cancelled=reading.optional_text(order, "cancelledAt") is not None,
        test=reading.flag(order, "test"),
        source=reading.optional_text(order, "sourceName") or "",
        lines=tuple(_line(line, taxes_included=taxes_included) for line in lines),
        outstanding=_shop_money(order, "totalOutstandingSet"),
        refunded=_refunded(order),
        refunded_shipping=_refunded_shipping(order),
        discount_codes=tuple(str(code) for code in order.get("discountCodes") or ()),
    )


def identity_of_node(order: Mapping[str, Any]) -> Identity:
    """Who ordered: the customer if there is one, else the e-mail of the order."""
    customer = order.get("customer")
    if isinstance(customer, dict):
        address = customer.get("defaultEmailAddress") or {}
        return Identity(_id(customer, "Customer"), normal_email(address.get("emailAddress")))
    return Identity(None, normal_email(reading.optional_text(order, "email")))


def _line(line: Mapping[str, Any], *, taxes_included: bool) -> OrderLine:
    quantity = reading.number(line, "quantity")
    discount = sum(
        (_shop_money(part, "allocatedAmountSet") for part in reading.tables(line, "discountAllocations")),
        _NOTHING,
    )
    tax = sum((_shop_money(part, "priceSet") for part in reading.tables(line, "taxLines")), _NOTHING)
    charged = _shop_money(line, "originalUnitPriceSet") * quantity - discount
    product = line.get("product")
    return OrderLine(
        line_id=_id(line, "LineItem"),
        product_id=_id(product, "Product") if isinstance(product, dict) else None,
        quantity=quantity,
        remaining=reading.number(line, "currentQuantity"),
        amount=charged - tax if taxes_included else charged,
        tax=tax,
        gift_card=reading.flag(line, "isGiftCard"),
    )


def _refunded(order: Mapping[str, Any]) -> Decimal:
    """Money that really went back: the successful refunds, or the order's own total when there are too many to list."""
    moves = reading.tables(order, "transactions")
    if len(moves) >= MOST_TRANSACTIONS:
        return _shop_money(order, "totalRefundedSet")
    back = (move for move in moves if move.get("kind") == "REFUND" and move.get("status") == "SUCCESS")
    return sum((_shop_money(move, "amountSet") for move in back), _NOTHING)


def _refunded_shipping(order: Mapping[str, Any]) -> Decimal:
    """With its tax, if the refunds were asked for; an import's file has only the order's own total."""
    refunds = reading.tables(order, "refunds")
    if "refunds" not in order or len(refunds) >= MOST_REFUNDS:
        return _shop_money(order, "totalRefundedShippingSet")
    return sum(
        (
            _shop_money(line, part)
            for refund in refunds
            for line in reading.tables(reading.table(refund, "refundShippingLines"), "nodes")
            for part in ("subtotalAmountSet", "taxAmountSet")
        ),
        _NOTHING,
    )


def _shop_money(value: Mapping[str, Any], key: str) -> Decimal:
    return reading.amount(reading.table(reading.table(value, key), "shopMoney").get("amount"), key)


def _id(value: Mapping[str, Any], kind: str) -> int:
    try:
        return number_of(value.get("id"), kind)
    except ValueError as error:
        raise Malformed(str(error)) from None
