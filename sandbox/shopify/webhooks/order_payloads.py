"""The REST-shaped bodies of webhooks about whole orders, their edits and disputes."""

from __future__ import annotations

from typing import Any

from sandbox.shopify import addresses, totals
from sandbox.shopify.clock import local
from sandbox.shopify.ids import gid
from sandbox.shopify.money import ZERO, text
from sandbox.shopify.order import Order
from sandbox.shopify.shop import Shop
from sandbox.shopify.webhooks import payloads
from sandbox.shopify.webhooks.line_payloads import bag, line_item, refund, shipping_tax_line, tax_line


def _amounts(order: Order) -> dict[str, Any]:
    """Every total of the order, as text and in both currencies."""
    placed = order.placed
    plain = {
        "current_subtotal_price": totals.current_subtotal(order),
        "current_total_discounts": totals.current_discounts(order),
        "current_total_price": totals.current_total(order),
        "current_total_tax": totals.current_tax(order),
        "subtotal_price": placed["subtotal"],
        "total_discounts": placed["discounts"],
        "total_line_items_price": placed["line_items"],
        "total_price": placed["total"],
        "total_tax": placed["tax"],
    }
    body: dict[str, Any] = {}
    for name, amount in plain.items():
        body[name] = text(amount)
        body[f"{name}_set"] = bag(order, amount)
    body["current_shipping_price_set"] = bag(order, totals.current_shipping(order))
    body["total_shipping_price_set"] = bag(order, order.shipping.price if order.shipping else ZERO)
    body["total_outstanding"] = text(totals.outstanding(order))
    body["total_tip_received"] = text(order.tip)
    body["original_total_duties_set"] = bag(order, order.duties) if order.duties else None
    body["current_total_duties_set"] = bag(order, totals.current_duties(order)) if order.duties else None
    body["original_total_additional_fees_set"] = None
    body["current_total_additional_fees_set"] = None
    return body


def _shipping_lines(order: Order) -> list[dict[str, Any]]:
    line = order.shipping
    if line is None:
        return []
    index = line.discount_index
    allocations = []
    if index is not None:
        amount = {"amount": text(line.discount), "amount_set": bag(order, line.discount)}
        allocations = [{**amount, "discount_application_index": index}]
    return [
        {
            "id": line.id,
            "code": line.title,
            "title": line.title,
            "source": "shopify",
            "is_removed": False,
            "phone": None,
            "price": text(line.price),
            "price_set": bag(order, line.price),
            "discounted_price": text(line.net),
            "discounted_price_set": bag(order, line.net),
            "current_discounted_price_set": bag(order, totals.current_shipping(order)),
            "tax_lines": shipping_tax_line(order),
            "discount_allocations": allocations,
        }
    ]


def _discounts(order: Order) -> dict[str, Any]:
    applications = []
    for item in order.discounts:
        row = {
            "target_type": item.target_type,
            "type": item.kind,
            "value": text(item.value) if item.value_type == "fixed_amount" else str(float(item.value)),
            "value_type": item.value_type,
            "allocation_method": item.allocation_method,
            "target_selection": item.target_selection,
        }
        row |= {"code": item.code} if item.code else {"title": item.title, "description": item.title}
        applications.append(row)
    codes = [
        {
            "code": item.code,
            "amount": text(item.amount),
            "type": "shipping" if item.target_type == "shipping_line" else item.value_type,
        }
        for item in order.discounts
        if item.code
    ]
    return {"discount_applications": applications, "discount_codes": codes}


def _circumstances(order: Order) -> dict[str, Any]:
    return {
        "app_id": 580111,
        "browser_ip": None,
        "buyer_accepts_marketing": False,
        "cancel_reason": order.cancel_reason,
        "cart_token": None,
        "checkout_token": f"checkout{order.id:x}",
        "client_details": None,
        "confirmation_number": f"{order.id:X}"[-9:],
        "confirmed": True,
        "customer_locale": order.locale,
        "device_id": None,
        "duties_included": False,
        "estimated_taxes": False,
        "landing_site": "/",
        "location_id": None,
        "note": order.note,
        "note_attributes": order.attributes,
        "number": order.number - 1000,
        "order_number": order.number,
        "payment_gateway_names": sorted({item.gateway for item in order.transactions}),
        "po_number": None,
        "referring_site": None,
        "source_identifier": None,
        "source_name": order.source_name,
        "tax_exempt": False,
        "token": f"{order.id:x}",
        "total_weight": 0,
        "user_id": None,
        "payment_terms": None,
        "fulfillments": [],
        "returns": [],
        "line_item_groups": [],
        "billing_address": addresses.in_order(order.billing_address),
        "shipping_address": addresses.in_order(order.shipping_address),
    }


def order(shop: Shop, item: Order) -> dict[str, Any]:
    """A whole order as its webhooks carry it."""
    person = shop.customers.get(item.customer_id) if item.customer_id else None
    taxes = [*(row for line in item.lines for row in tax_line(item, line)), *shipping_tax_line(item)]
    body: dict[str, Any] = {
        "id": item.id,
        "admin_graphql_api_id": gid("Order", item.id),
        "name": item.name,
        "created_at": local(item.created_at, shop.timezone),
        "updated_at": local(item.updated_at, shop.timezone),
        "processed_at": local(item.processed_at, shop.timezone),
        "cancelled_at": local(item.cancelled_at, shop.timezone),
        "closed_at": local(item.closed_at, shop.timezone),
        "currency": item.currency,
        "presentment_currency": item.presentment_currency,
        "taxes_included": item.taxes_included,
        "test": item.test,
        "tags": ", ".join(item.tags),
        "email": item.email or "",
        "contact_email": item.email,
        "phone": item.phone,
        "financial_status": totals.financial_status(item),
        "fulfillment_status": item.fulfillment_status,
        "order_status_url": f"https://{shop.domain}/{shop.id}/orders/{item.id:x}/authenticate",
        **_circumstances(item),
        **_amounts(item),
        **_discounts(item),
        "tax_lines": taxes,
        "customer": payloads.customer(shop, person, embedded=True) if person else None,
        "line_items": [line_item(item, line) for line in item.lines],
        "shipping_lines": _shipping_lines(item),
        "refunds": [refund(shop, item, row) for row in item.refunds],
    }
    if person is None:
        del body["customer"]
    return payloads.without_personal_data(shop, body)


def edited(
    shop: Shop, item: Order, edit_id: int, additions: list[Any], removals: list[Any]
) -> dict[str, Any]:
    """An edit: which lines grew or shrank, and no money."""
    at = local(item.updated_at, shop.timezone)
    return {
        "order_edit": {
            "id": edit_id,
            "app_id": None,
            "created_at": at,
            "committed_at": at,
            "notify_customer": False,
            "order_id": item.id,
            "staff_note": "",
            "user_id": None,
            "line_items": {"additions": additions, "removals": removals},
            "discounts": {"line_item": {"additions": [], "removals": []}},
            "shipping_lines": {"additions": [], "removals": []},
        }
    }


def dispute(shop: Shop, item: Order, row: Any) -> dict[str, Any]:
    """A chargeback or inquiry."""
    return {
        "id": row.id,
        "order_id": item.id,
        "type": row.kind,
        "amount": text(row.amount),
        "currency": item.currency,
        "reason": "fraudulent",
        "network_reason_code": "4837",
        "status": row.status,
        "evidence_due_by": None,
        "evidence_sent_on": None,
        "finalized_on": None,
        "initiated_at": local(row.initiated_at, shop.timezone),
    }
