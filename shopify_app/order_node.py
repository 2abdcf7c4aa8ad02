"""An order as the Admin API answers it, brought to the normal form of ``order_payload``.

The lines come separately, because they come in pages (a query) or as lines of their own (an import's file).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from loyalty.core.email import normal_email
from loyalty.core.facts import Identity, OrderLine, OrderSnapshot
from loyalty.inbox import Malformed
from shopify_app import order_money, reading
from shopify_app.address_mark import mark_of_node
from shopify_app.catalogue import catalogue_of
from shopify_app.customer_node import is_verified
from shopify_app.gids import number_of
from shopify_app.order_money import NOTHING, shop_money


def snapshot_of_node(order: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> OrderSnapshot:
    """The state of the order. Raises ``Malformed``."""
    rows = list(lines)
    tips = order_money.tip_lines(order, rows)
    taxes_included = reading.flag(order, "taxesIncluded")
    snapshot = OrderSnapshot(
        order_id=_id(order, "Order"),
        name=reading.text(order, "name"),
        created_at=reading.instant(order, "createdAt"),
        updated_at=reading.instant(order, "updatedAt"),
        currency=reading.text(order, "currencyCode"),
        financial_status=(reading.optional_text(order, "displayFinancialStatus") or "").lower(),
        cancelled=reading.optional_text(order, "cancelledAt") is not None,
        test=reading.flag(order, "test"),
        source=reading.optional_text(order, "sourceName") or "",
        lines=tuple(
            _line(line, taxes_included=taxes_included, is_tip=line.get("id") in tips) for line in rows
        ),
        outstanding=shop_money(order, "totalOutstandingSet"),
        refunded=order_money.refunded(order),
        refunded_shipping=order_money.refunded_apart(order),
        discount_codes=tuple(str(code) for code in order.get("discountCodes") or () if code),
        received=order_money.received(order, rows),
        shipping=order_money.shipping(order),
        address_mark=mark_of_node(order.get("shippingAddress")),
    )
    return order_money.settled(order, snapshot)


def identity_of_node(order: Mapping[str, Any]) -> Identity:
    """Who ordered: the customer if there is one, else the e-mail of the order."""
    customer = order.get("customer")
    if isinstance(customer, dict):
        address = customer.get("defaultEmailAddress") or {}
        email = normal_email(address.get("emailAddress"))
        return Identity(_id(customer, "Customer"), email, verified=is_verified(customer))
    return Identity(None, normal_email(reading.optional_text(order, "email")))


def _line(line: Mapping[str, Any], *, taxes_included: bool, is_tip: bool) -> OrderLine:
    quantity = reading.number(line, "quantity")
    discount = sum(
        (shop_money(part, "allocatedAmountSet") for part in reading.tables(line, "discountAllocations")),
        NOTHING,
    )
    tax = sum((shop_money(part, "priceSet") for part in reading.tables(line, "taxLines")), NOTHING)
    charged = shop_money(line, "originalUnitPriceSet") * quantity - discount
    product = line.get("product")
    tags, collections = catalogue_of(product)
    return OrderLine(
        line_id=_id(line, "LineItem"),
        product_id=_id(product, "Product") if isinstance(product, dict) else None,
        quantity=quantity,
        remaining=reading.number(line, "currentQuantity"),
        amount=charged - tax if taxes_included else charged,
        tax=tax,
        gift_card=reading.flag(line, "isGiftCard"),
        tip=is_tip,
        tags=tags,
        collections=collections,
    )


def _id(value: Mapping[str, Any], kind: str) -> int:
    try:
        return number_of(value.get("id"), kind)
    except ValueError as error:
        raise Malformed(str(error)) from None
