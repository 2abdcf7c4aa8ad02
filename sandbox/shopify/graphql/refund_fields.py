"""Refunds and transactions of orders."""

from __future__ import annotations

from typing import Any

from sandbox.shopify.clock import zulu
from sandbox.shopify.graphql import connections
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.money_fields import bag
from sandbox.shopify.graphql.order_fields import BoundRefund, BoundTransaction, LineItem, shipping_line
from sandbox.shopify.graphql.registry import fields, represents
from sandbox.shopify.ids import gid
from sandbox.shopify.money import ZERO
from sandbox.shopify.order import Order, RefundedLine

RESTOCK = {"return": "RETURN", "no_restock": "NO_RESTOCK", "cancel": "CANCEL"}


def _refund_lines(item: BoundRefund, _context: Context, **page: Any) -> dict[str, Any]:
    rows = [_refund_line(item.order, row) for row in item.part.lines]
    return connections.page(rows, lambda row: row["id"], **page)


def _refund_line(order: Order, row: RefundedLine) -> dict[str, Any]:
    line = order.line(row.line_id)
    assert line is not None
    return {
        "__typename": "RefundLineItem",
        "id": gid("RefundLineItem", row.id),
        "quantity": row.quantity,
        "subtotalSet": bag(order, row.subtotal),
        "totalTaxSet": bag(order, row.tax),
        "priceSet": bag(order, line.price),
        "restocked": row.restock_type != "no_restock",
        "restockType": RESTOCK[row.restock_type],
        "lineItem": LineItem(order, line),
    }


def _refund_shipping(item: BoundRefund, _context: Context, **page: Any) -> dict[str, Any]:
    rows = [
        {
            "id": gid("RefundShippingLine", row.id),
            "subtotalAmountSet": bag(item.order, row.amount),
            "taxAmountSet": bag(item.order, row.tax),
            "shippingLine": shipping_line(item.order),
        }
        for row in item.part.shipping
    ]
    return connections.page(rows, lambda row: row["id"], **page)


def _adjustments(item: BoundRefund, _context: Context, **page: Any) -> dict[str, Any]:
    rows = [
        {
            "id": gid("OrderAdjustment", row.id),
            "amountSet": bag(item.order, row.amount),
            "taxAmountSet": bag(item.order, ZERO),
            "reason": "REFUND_DISCREPANCY",
        }
        for row in item.part.adjustments
    ]
    return connections.page(rows, lambda row: row["id"], **page)


def _refund_total(item: BoundRefund, _context: Context) -> dict[str, Any]:
    # All the refund's transactions, also those whose money has not moved yet.
    moving = (
        t.amount for t in item.part.transactions if t.kind == "refund" and t.status in ("success", "pending")
    )
    return bag(item.order, sum(moving, ZERO))


def _refund_transactions(item: BoundRefund, _context: Context, **page: Any) -> dict[str, Any]:
    rows = [BoundTransaction(item.order, row) for row in item.part.transactions]
    return connections.page(rows, lambda row: row.part.id, **page)


fields(
    "Refund",
    {
        "id": lambda r, c: gid("Refund", r.part.id),
        "legacyResourceId": lambda r, c: str(r.part.id),
        "createdAt": lambda r, c: zulu(r.part.created_at),
        "updatedAt": lambda r, c: zulu(r.part.updated_at),
        "processedAt": lambda r, c: zulu(r.part.created_at),
        "note": lambda r, c: r.part.note,
        "order": lambda r, c: r.order,
        "totalRefundedSet": _refund_total,
        "duties": lambda r, c: [{"amountSet": bag(r.order, row.amount)} for row in r.part.duties],
        "refundLineItems": _refund_lines,
        "refundShippingLines": _refund_shipping,
        "orderAdjustments": _adjustments,
        "transactions": _refund_transactions,
    },
)


def _parent(item: BoundTransaction, _context: Context) -> BoundTransaction | None:
    found = next((row for row in item.order.transactions if row.id == item.part.parent_id), None)
    return BoundTransaction(item.order, found) if found else None


fields(
    "OrderTransaction",
    {
        "id": lambda t, c: gid("OrderTransaction", t.part.id),
        "kind": lambda t, c: t.part.kind.upper(),
        "status": lambda t, c: t.part.status.upper(),
        "amountSet": lambda t, c: bag(t.order, t.part.amount),
        "gateway": lambda t, c: t.part.gateway,
        "createdAt": lambda t, c: zulu(t.part.created_at),
        "processedAt": lambda t, c: zulu(t.part.created_at),
        "test": lambda t, c: t.part.test,
        "parentTransaction": _parent,
        "manualPaymentGateway": lambda t, c: t.part.gateway == "manual",
        "errorCode": lambda t, c: None,
        "order": lambda t, c: t.order,
    },
)
represents(BoundRefund, "Refund")
represents(BoundTransaction, "OrderTransaction")
