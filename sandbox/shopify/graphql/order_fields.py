"""Orders. Their lines, refunds and transactions have modules of their own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.shopify import addresses, totals
from sandbox.shopify.clock import zulu
from sandbox.shopify.graphql import connections
from sandbox.shopify.graphql.approval import personal, protected
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.money_fields import bag, money
from sandbox.shopify.graphql.registry import Resolver, fields, represents
from sandbox.shopify.graphql.shop_fields import metafield
from sandbox.shopify.ids import gid
from sandbox.shopify.money import ZERO
from sandbox.shopify.order import Line, Order

FULFILLMENT = {None: "UNFULFILLED", "partial": "PARTIALLY_FULFILLED", "fulfilled": "FULFILLED"}
APP = "580111"


class Bound:
    """A part of an order together with the order, which its amounts need."""

    def __init__(self, order: Order, part: Any, *rest: Any) -> None:
        self.order, self.part, self.rest = order, part, rest


class LineItem(Bound):
    """A line."""


class BoundRefund(Bound):
    """A refund."""


class BoundTransaction(Bound):
    """A transaction."""


def _set(amount: Any) -> Resolver:
    """Make a resolver of a money bag from a function of the order."""
    return lambda order, context: bag(order, amount(order))


def tax_lines(order: Order, rows: list[tuple[Line, Decimal]]) -> list[dict[str, Any]]:
    """The tax of lines, as far as there is any."""
    return [_tax_row(order, line.tax_rate, amount) for line, amount in rows if amount]


def _tax_row(order: Order, rate: Decimal, amount: Decimal) -> dict[str, Any]:
    return {
        "title": "Tax",
        "rate": float(rate),
        "ratePercentage": float(rate * 100),
        "priceSet": bag(order, amount),
        "channelLiable": False,
    }


def applications(order: Order) -> list[dict[str, Any]]:
    """The discounts of an order, in the order in which its lines name them."""
    rows = []
    for index, item in enumerate(order.discounts):
        value = money(item.value, order.currency)
        if item.value_type == "percentage":
            value = {"__typename": "PricingPercentageValue", "percentage": float(item.value)}
        rows.append(
            {
                "__typename": "DiscountCodeApplication" if item.code else "ManualDiscountApplication",
                "allocationMethod": item.allocation_method.upper(),
                "index": index,
                "targetSelection": item.target_selection.upper(),
                "targetType": item.target_type.upper(),
                "value": value,
                "code": item.code,
                "title": item.title,
                "description": item.title,
            }
        )
    return rows


def _place_among(order: Order, context: Context) -> dict[str, Any]:
    if order.customer_id is None:
        return {"customerOrderIndex": None, "ready": True}
    earlier = [
        o for o in context.shop.orders.values() if o.customer_id == order.customer_id and o.id < order.id
    ]
    return {"customerOrderIndex": len(earlier), "ready": True}


def _shipping_lines(order: Order, _context: Context, **page: Any) -> dict[str, Any]:
    line = order.shipping
    rows = []
    if line is not None:
        rows.append(shipping_line(order))
    return connections.page(rows, lambda item: item["id"], **page)


def shipping_line(order: Order) -> dict[str, Any]:
    """The order's shipping line; only called when there is one."""
    line = order.shipping
    assert line is not None
    return {
        "id": gid("ShippingLine", line.id),
        "title": line.title,
        "code": line.title,
        "isRemoved": False,
        "taxLines": [_tax_row(order, line.tax_rate, tax)] if (tax := totals.shipping_tax(order)) else [],
        "originalPriceSet": bag(order, line.price),
        "discountedPriceSet": bag(order, line.net),
        "currentDiscountedPriceSet": bag(order, totals.current_shipping(order)),
    }


def _disputes(order: Order, _context: Context) -> list[dict[str, Any]]:
    return [
        {
            "id": gid("ShopifyPaymentsDispute", item.id),
            "initiatedAs": item.kind.upper(),
            "status": item.status.upper(),
        }
        for item in order.disputes
    ]


def _refunds(order: Order, _context: Context, first: int | None = None) -> list[BoundRefund]:
    return [BoundRefund(order, item) for item in order.refunds[:first]]


def _transactions(order: Order, _context: Context, first: int | None = None) -> list[BoundTransaction]:
    return [BoundTransaction(order, item) for item in order.transactions[:first]]


def _lines(order: Order, _context: Context, **page: Any) -> dict[str, Any]:
    return connections.page(
        [LineItem(order, line) for line in order.lines], lambda item: item.part.id, **page
    )


fields(
    "Order",
    {
        "id": lambda o, c: gid("Order", o.id),
        "legacyResourceId": lambda o, c: str(o.id),
        "email": protected("email")(lambda o, c: o.email),
        "phone": protected("phone")(lambda o, c: o.phone),
        "createdAt": lambda o, c: zulu(o.created_at),
        "updatedAt": lambda o, c: zulu(o.updated_at),
        "processedAt": lambda o, c: zulu(o.processed_at),
        "cancelledAt": lambda o, c: zulu(o.cancelled_at),
        "cancelReason": lambda o, c: o.cancel_reason.upper() if o.cancel_reason else None,
        "closed": lambda o, c: o.closed_at is not None,
        "closedAt": lambda o, c: zulu(o.closed_at),
        "confirmed": lambda o, c: True,
        "currencyCode": lambda o, c: o.currency,
        "presentmentCurrencyCode": lambda o, c: o.presentment_currency,
        "taxExempt": lambda o, c: False,
        "displayFinancialStatus": lambda o, c: totals.financial_status(o).upper(),
        "displayFulfillmentStatus": lambda o, c: FULFILLMENT[o.fulfillment_status],
        "fullyPaid": lambda o, c: totals.financial_status(o) not in ("pending", "partially_paid", "voided"),
        "unpaid": lambda o, c: totals.received(o) == 0,
        "returnStatus": lambda o, c: "NO_RETURN",
        "customer": lambda o, c: c.shop.customers.get(o.customer_id) if o.customer_id else None,
        "customerLocale": lambda o, c: o.locale,
        "discountCode": lambda o, c: o.codes[0] if o.codes else None,
        "discountCodes": lambda o, c: o.codes,
        "discountApplications": lambda o, c, **page: connections.page(
            applications(o), lambda item: item["index"], **page
        ),
        "lineItems": _lines,
        "refunds": _refunds,
        "transactions": _transactions,
        "transactionsCount": lambda o, c: {"count": len(o.transactions), "precision": "EXACT"},
        "disputes": _disputes,
        "customAttributes": lambda o, c: [
            {"key": row["name"], "value": row["value"]} for row in o.attributes
        ],
        "paymentGatewayNames": lambda o, c: sorted({item.gateway for item in o.transactions}),
        "billingAddress": personal(
            lambda o, c: addresses.node(o.billing_address, gid("MailingAddress", o.id + 2))
        ),
        "shippingAddress": personal(
            lambda o, c: addresses.node(o.shipping_address, gid("MailingAddress", o.id + 1))
        ),
        "shippingLine": lambda o, c: shipping_line(o) if o.shipping else None,
        "shippingLines": _shipping_lines,
        "taxLines": lambda o, c: tax_lines(o, [(row, totals.line_tax(o, row)) for row in o.lines]),
        "currentTaxLines": lambda o, c: tax_lines(
            o, [(row, totals.current_line_tax(o, row)) for row in o.lines]
        ),
        "subtotalPriceSet": _set(lambda o: o.placed["subtotal"]),
        "currentSubtotalPriceSet": _set(totals.current_subtotal),
        "totalPriceSet": _set(lambda o: o.placed["total"]),
        "originalTotalPriceSet": _set(lambda o: o.placed["total"]),
        "currentTotalPriceSet": _set(totals.current_total),
        "totalDiscountsSet": _set(lambda o: o.placed["discounts"]),
        "currentTotalDiscountsSet": _set(totals.current_discounts),
        "cartDiscountAmountSet": _set(lambda o: o.placed["discounts"]),
        "currentCartDiscountAmountSet": _set(totals.current_discounts),
        "totalShippingPriceSet": _set(lambda o: o.placed["shipping"]),
        "currentShippingPriceSet": _set(totals.current_shipping),
        "totalTaxSet": _set(lambda o: o.placed["tax"]),
        "currentTotalTaxSet": _set(totals.current_tax),
        "totalReceivedSet": _set(totals.received),
        "totalRefundedSet": _set(totals.refunded),
        "totalRefundedShippingSet": _set(lambda o: o.shipping.refunded if o.shipping else ZERO),
        "netPaymentSet": _set(totals.net_payment),
        "totalOutstandingSet": _set(totals.outstanding),
        "totalTipReceivedSet": _set(lambda o: o.tip),
        "dutiesIncluded": lambda o, c: False,
        "originalTotalDutiesSet": lambda o, c: bag(o, o.duties) if o.duties else None,
        "currentTotalDutiesSet": lambda o, c: bag(o, totals.current_duties(o)) if o.duties else None,
        "originalTotalAdditionalFeesSet": lambda o, c: None,
        "currentTotalAdditionalFeesSet": lambda o, c: None,
        "refundDiscrepancySet": _set(totals.discrepancy),
        "subtotalLineItemsQuantity": lambda o, c: sum(line.quantity for line in o.lines if not line.tip),
        "currentSubtotalLineItemsQuantity": lambda o, c: sum(
            line.current_quantity for line in o.lines if not line.tip
        ),
        "customerJourneySummary": _place_among,
        "statusPageUrl": lambda o, c, **_: f"https://{c.shop.domain}/orders/{o.id:x}",
        "app": lambda o, c: {"id": gid("App", APP), "name": "Online Store"},
        "metafield": lambda o, c, key, namespace=None: metafield(gid("Order", o.id), c, key, namespace),
    },
)


represents(Order, "Order")
