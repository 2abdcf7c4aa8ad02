"""The parts of an order in webhooks: money bags, lines, transactions and refunds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.shopify import totals
from sandbox.shopify.clock import local
from sandbox.shopify.ids import gid
from sandbox.shopify.money import ZERO, text
from sandbox.shopify.order import Line, Order, Refund, Transaction
from sandbox.shopify.shop import Shop


def bag(order: Order, amount: Decimal) -> dict[str, Any]:
    """An amount in both currencies."""
    return {
        "shop_money": {"amount": text(amount), "currency_code": order.currency},
        "presentment_money": {
            "amount": text(totals.in_presentment(order, amount)),
            "currency_code": order.presentment_currency,
        },
    }


def tax_line(order: Order, line: Line) -> list[dict[str, Any]]:
    """The tax of a line, if any."""
    return _tax_rows(order, totals.line_tax(order, line), line.tax_rate)


def shipping_tax_line(order: Order) -> list[dict[str, Any]]:
    """The tax of the shipping line, if any."""
    rate = order.shipping.tax_rate if order.shipping else ZERO
    return _tax_rows(order, totals.shipping_tax(order), rate)


def _tax_rows(order: Order, tax: Decimal, rate: Decimal) -> list[dict[str, Any]]:
    if not tax:
        return []
    return [
        {
            "channel_liable": False,
            "price": text(tax),
            "price_set": bag(order, tax),
            "rate": float(rate),
            "title": "Tax",
        }
    ]


def line_item(order: Order, line: Line) -> dict[str, Any]:
    """One line of an order."""
    return {
        "id": line.id,
        "admin_graphql_api_id": gid("LineItem", line.id),
        "attributed_staffs": [],
        "current_quantity": line.current_quantity,
        "fulfillable_quantity": line.current_quantity if order.fulfillment_status is None else 0,
        "fulfillment_service": "gift_card" if line.gift_card else "manual",
        "fulfillment_status": order.fulfillment_status,
        "gift_card": line.gift_card,
        "grams": 0,
        "name": f"{line.title} - {line.variant_title}" if line.variant_title else line.title,
        "price": text(line.price),
        "price_set": bag(order, line.price),
        "product_exists": line.product_id is not None,
        "product_id": line.product_id,
        "properties": line.properties,
        "quantity": line.quantity,
        "requires_shipping": line.ships,
        "sales_line_item_group_id": None,
        "sku": line.sku,
        "taxable": line.taxable,
        "title": line.title,
        # Only discounts made on the line itself count here; order-level ones are allocations.
        "total_discount": text(ZERO),
        "total_discount_set": bag(order, ZERO),
        "variant_id": line.variant_id,
        "variant_inventory_management": None,
        "variant_title": line.variant_title,
        "vendor": line.vendor,
        "tax_lines": tax_line(order, line),
        "duties": [],
        "discount_allocations": [
            {"amount": text(amount), "amount_set": bag(order, amount), "discount_application_index": index}
            for index, amount in line.allocations
        ],
        # The keys are there on a tip and on nothing else, and may be empty.
        **({"tip_payment_gateway": "bogus", "tip_payment_method": None} if line.tip else {}),
    }


def transaction(shop: Shop, order: Order, item: Transaction) -> dict[str, Any]:
    """One transaction."""
    return {
        "id": item.id,
        "admin_graphql_api_id": gid("OrderTransaction", item.id),
        "order_id": order.id,
        "kind": item.kind,
        "gateway": item.gateway,
        "status": item.status,
        "message": None,
        "created_at": local(item.created_at, shop.timezone),
        "test": item.test,
        "authorization": None,
        "location_id": None,
        "user_id": None,
        "parent_id": item.parent_id,
        "processed_at": local(item.created_at, shop.timezone),
        "device_id": None,
        "error_code": None,
        "source_name": order.source_name,
        "receipt": {},
        # The customer's currency, as in the real payload.
        "amount": text(totals.in_presentment(order, item.amount)),
        "currency": order.presentment_currency,
        "payment_id": f"{order.name}.{item.id % 1000}",
        "manual_payment_gateway": item.gateway == "manual",
    }


def refund(shop: Shop, order: Order, item: Refund) -> dict[str, Any]:
    """One refund: what left the order, apart from whether the money has moved."""
    shipping_id = order.shipping.id if order.shipping else None
    return {
        "id": item.id,
        "admin_graphql_api_id": gid("Refund", item.id),
        "order_id": order.id,
        "created_at": local(item.created_at, shop.timezone),
        "note": item.note,
        "user_id": None,
        "processed_at": local(item.created_at, shop.timezone),
        "restock": item.restock,
        "duties": [{"duty_id": row.id, "amount_set": bag(order, row.amount)} for row in item.duties],
        "total_duties_set": bag(order, sum((row.amount for row in item.duties), ZERO)),
        "return": None,
        "order_adjustments": [
            {
                "id": adjustment.id,
                "order_id": order.id,
                "refund_id": item.id,
                "amount": text(adjustment.amount),
                "amount_set": bag(order, adjustment.amount),
                "tax_amount": text(ZERO),
                "tax_amount_set": bag(order, ZERO),
                "reason": adjustment.reason,
            }
            for adjustment in item.adjustments
        ],
        "refund_line_items": [_refund_line(order, row) for row in item.lines],
        "refund_shipping_lines": [
            {
                "id": row.id,
                "shipping_line": {"id": shipping_id},
                "subtotal_amount_set": bag(order, row.amount),
                "tax_amount_set": bag(order, row.tax),
            }
            for row in item.shipping
        ],
        "transactions": [transaction(shop, order, row) for row in item.transactions],
    }


def _refund_line(order: Order, row: Any) -> dict[str, Any]:
    line = order.line(row.line_id)
    return {
        "id": row.id,
        "line_item_id": row.line_id,
        "location_id": None,
        "quantity": row.quantity,
        "restock_type": row.restock_type,
        # Numbers here, where nearly every other amount is text: so is the real payload.
        "subtotal": float(row.subtotal),
        "subtotal_set": bag(order, row.subtotal),
        "total_tax": float(row.tax),
        "total_tax_set": bag(order, row.tax),
        "line_item": line_item(order, line) if line else None,
    }
