"""What the control API shows of shops, customers, orders and discounts: plain JSON, amounts as text."""

from __future__ import annotations

from typing import Any

from sandbox.shopify import addresses, totals
from sandbox.shopify.clock import zulu
from sandbox.shopify.discount import Discount
from sandbox.shopify.ids import gid
from sandbox.shopify.money import text
from sandbox.shopify.order import Order, Refund
from sandbox.shopify.people import Customer
from sandbox.shopify.shop import GiftCard, Product, Shop, StoreCredit
from sandbox.shopify.world import World


def customer(shop: Shop, person: Customer) -> dict[str, Any]:
    """A customer with the app's metafields."""
    owner = gid("Customer", person.id)
    found = {m.key: m.value for (of, _, _), m in shop.metafields.items() if of == owner}
    return {
        "id": person.id,
        "admin_graphql_api_id": owner,
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "phone": person.phone,
        "state": person.state,
        "tags": person.tags,
        "orders": person.orders,
        "spent": text(person.spent),
        "email_consent": person.email_consent,
        "address": addresses.in_order(person.address),
        "created_at": zulu(person.created_at),
        "updated_at": zulu(person.updated_at),
        "metafields": found,
    }


def order(item: Order) -> dict[str, Any]:
    """An order with its lines and today's amounts."""
    return {
        "id": item.id,
        "admin_graphql_api_id": gid("Order", item.id),
        "name": item.name,
        "customer_id": item.customer_id,
        "email": item.email,
        "currency": item.currency,
        "financial_status": totals.financial_status(item),
        "cancelled_at": zulu(item.cancelled_at),
        "codes": item.codes,
        "subtotal": text(item.placed["subtotal"]),
        "discounts": text(item.placed["discounts"]),
        "tax": text(item.placed["tax"]),
        "total": text(item.placed["total"]),
        "current_subtotal": text(totals.current_subtotal(item)),
        "current_total": text(totals.current_total(item)),
        "refunded": text(totals.refunded(item)),
        "net_payment": text(totals.net_payment(item)),
        "outstanding": text(totals.outstanding(item)),
        "created_at": zulu(item.created_at),
        "updated_at": zulu(item.updated_at),
        "test": item.test,
        "shipping_address": addresses.in_order(item.shipping_address),
        "lines": [
            {
                "id": line.id,
                "title": line.title,
                "quantity": line.quantity,
                "current_quantity": line.current_quantity,
                "price": text(line.price),
                "net": text(line.net),
                "gift_card": line.gift_card,
            }
            for line in item.lines
        ],
    }


def refund(item: Refund) -> dict[str, Any]:
    """A refund and where its money is."""
    moves = [
        {"id": t.id, "status": t.status, "amount": text(t.amount), "kind": t.kind} for t in item.transactions
    ]
    return {"id": item.id, "admin_graphql_api_id": gid("Refund", item.id), "transactions": moves}


def discount(world: World, item: Discount) -> dict[str, Any]:
    """A discount code and its uses."""
    return {
        "id": item.id,
        "admin_graphql_api_id": gid("DiscountCodeNode", item.id),
        "kind": item.kind,
        "title": item.title,
        "code": item.code,
        "status": item.status(world.now()),
        "customers": sorted(item.customers) if item.customers is not None else None,
        "uses": [{"order_id": order_id, "customer_id": user} for order_id, user, _ in item.uses],
        "usage_limit": item.usage_limit,
    }


def gift_card(item: GiftCard) -> dict[str, Any]:
    """A gift card with its whole code, which the API never shows again."""
    return {
        "id": item.id,
        "admin_graphql_api_id": gid("GiftCard", item.id),
        "code": item.code,
        "initial": text(item.initial),
        "balance": text(item.balance),
        "customer_id": item.customer_id,
        "expires_on": item.expires_on,
        "note": item.note,
        "disabled_at": zulu(item.disabled_at),
    }


def store_credit(item: StoreCredit) -> dict[str, Any]:
    """An account of store credit with its movements, the oldest first."""
    return {
        "id": item.id,
        "currency": item.currency,
        "balance": text(item.balance),
        "moves": [
            {
                "kind": kind.lower(),
                "amount": text(amount),
                "created_at": zulu(at),
                "expires_at": zulu(expires),
            }
            for _, kind, amount, _, at, expires in item.moves
        ],
    }


def product(shop: Shop, item: Product) -> dict[str, Any]:
    """A product."""
    return {
        "id": item.id,
        "variant_id": item.variant_id,
        "title": item.title,
        "handle": item.handle,
        "price": text(item.price),
        "sku": item.sku,
        "gift_card": item.gift_card,
        "tags": list(item.tags),
        "collections": [
            {"id": number, "title": shop.collections[number].title} for number in item.collections
        ],
    }


def shop(world: World, item: Shop) -> dict[str, Any]:
    """A shop and the state of the app in it."""
    installation = item.installation
    return {
        "id": item.id,
        "domain": item.domain,
        "handle": item.handle,
        "name": item.name,
        "currency": item.currency,
        "timezone": item.timezone,
        "installed": installation is not None,
        "scopes": list(installation.scopes) if installation else [],
        "customers": len(item.customers),
        "orders": len(item.orders),
        "discounts": len(item.discounts),
        "admin": f"{world.base_url}/store/{item.handle}",
        "storefront": world.storefronts.get(item.domain, f"{world.base_url}/storefront/{item.domain}"),
        "embeds": dict(item.embeds),
        "app": f"{world.base_url}/store/{item.handle}/apps/{world.config.client_id}",
    }
