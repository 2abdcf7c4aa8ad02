"""Discounts as GraphQL shows them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sandbox.shopify.clock import zulu
from sandbox.shopify.discount import Discount
from sandbox.shopify.graphql import connections
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.money_fields import money
from sandbox.shopify.graphql.registry import fields
from sandbox.shopify.graphql.shop_fields import metafield, variant
from sandbox.shopify.ids import gid

NODE = "DiscountCodeNode"


def _used(discount: Discount, context: Context) -> int:
    """Uses the API already knows of: the count lags behind by the sandbox's setting."""
    known = context.now - timedelta(seconds=context.world.limits.usage_count_lag_seconds)
    return sum(1 for _, _, at in discount.uses if at <= known)


def _context(discount: Discount, context: Context) -> dict[str, Any]:
    if discount.customers is None:
        return {"__typename": "DiscountBuyerSelectionAll", "all": "ALL"}
    found = (context.shop.customers.get(item) for item in sorted(discount.customers))
    return {"__typename": "DiscountCustomers", "customers": [person for person in found if person]}


def _gets(discount: Discount, context: Context) -> dict[str, Any]:
    value: dict[str, Any] = {
        "__typename": "DiscountAmount",
        "amount": money(discount.value, context.shop.currency),
        "appliesOnEachItem": discount.each_item,
    }
    if discount.value_type == "percentage":
        value = {"__typename": "DiscountPercentage", "percentage": float(discount.value)}
    items: dict[str, Any] = {"__typename": "AllDiscountItems", "allItems": True}
    if discount.collections is not None:
        items = {"__typename": "DiscountCollections", "chosen": discount.collections}
    elif discount.is_narrow:
        items = {
            "__typename": "DiscountProducts",
            "chosen": discount.products or set(),
            "variants": discount.variants or set(),
        }
    return {"items": items, "value": value}


def _minimum(discount: Discount, context: Context) -> dict[str, Any] | None:
    if discount.minimum_subtotal is not None:
        subtotal = money(discount.minimum_subtotal, context.shop.currency)
        return {"__typename": "DiscountMinimumSubtotal", "greaterThanOrEqualToSubtotal": subtotal}
    if discount.minimum_quantity is not None:
        quantity = str(discount.minimum_quantity)
        return {"__typename": "DiscountMinimumQuantity", "greaterThanOrEqualToQuantity": quantity}
    return None


def _codes(discount: Discount, context: Context, **page: Any) -> dict[str, Any]:
    row = {
        "id": gid("DiscountRedeemCode", discount.code_id),
        "code": discount.code,
        "asyncUsageCount": _used(discount, context),
    }
    return connections.page([row], lambda item: item["id"], **page)


def _summary(discount: Discount, _context: Context) -> str:
    shown = f"{discount.value * 100:f}%" if discount.value_type == "percentage" else f"{discount.value}"
    return "Free shipping" if discount.kind == "FreeShipping" else f"{shown} off"


SHARED = {
    "status": lambda d, c: d.status(c.now),
    "startsAt": lambda d, c: zulu(d.starts_at),
    "endsAt": lambda d, c: zulu(d.ends_at),
    "createdAt": lambda d, c: zulu(d.created_at),
    "updatedAt": lambda d, c: zulu(d.updated_at),
    "asyncUsageCount": _used,
    "appliesOncePerCustomer": lambda d, c: d.once_per_customer,
    "codes": _codes,
    "codesCount": lambda d, c: {"count": 1, "precision": "EXACT"},
    "combinesWith": lambda d, c: {
        name: d.combines.get(name, False)
        for name in ("orderDiscounts", "productDiscounts", "shippingDiscounts")
    },
    "context": _context,
    "summary": _summary,
    "shortSummary": _summary,
    "discountClasses": lambda d, c: [d.discount_class],
}
fields("DiscountCodeBasic", {**SHARED, "customerGets": _gets, "minimumRequirement": _minimum})
fields("DiscountCodeBxgy", {**SHARED, "usesPerOrderLimit": lambda d, c: d.uses_per_order})
fields(
    "DiscountCodeFreeShipping",
    {
        **SHARED,
        "minimumRequirement": _minimum,
        "maximumShippingPrice": lambda d, c: (
            money(d.maximum_shipping, c.shop.currency) if d.maximum_shipping is not None else None
        ),
    },
)
fields(
    NODE,
    {
        "id": lambda n, c: gid(NODE, n["discount"].id),
        "codeDiscount": lambda n, c: n["discount"],
        "metafield": lambda n, c, key, namespace=None: metafield(
            gid(NODE, n["discount"].id), c, key, namespace
        ),
    },
)


def _chosen(items: dict[str, Any], context: Context, **page: Any) -> dict[str, Any]:
    found = [context.shop.products[one] for one in sorted(items["chosen"]) if one in context.shop.products]
    return connections.page(found, lambda item: item.id, **page)


def _variants(items: dict[str, Any], context: Context, **page: Any) -> dict[str, Any]:
    known = (item for item in context.shop.products.values() if item.variant_id in items["variants"])
    return connections.page([variant(item) for item in known], lambda item: item["id"], **page)


def _collections(items: dict[str, Any], context: Context, **page: Any) -> dict[str, Any]:
    found = [context.shop.collections[one] for one in sorted(items["chosen"])]
    return connections.page(found, lambda item: item.id, **page)


fields("DiscountProducts", {"products": _chosen, "productVariants": _variants})
fields("DiscountCollections", {"collections": _collections})
