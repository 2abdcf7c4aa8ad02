"""The shop, the app's installation, products, metafields and webhook subscriptions."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.shopify.clock import zulu
from sandbox.shopify.graphql import connections
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.money_fields import money
from sandbox.shopify.graphql.registry import fields, represents
from sandbox.shopify.ids import gid
from sandbox.shopify.people import Customer
from sandbox.shopify.shop import Collection, Installation, Metafield, Product, Shop

APP_NAMESPACE_PREFIX = "app--"


def namespace(context: Context, given: str | None) -> str:
    """Resolve `$app` and an absent namespace to the app's own reserved one."""
    reserved = f"{APP_NAMESPACE_PREFIX}580111"
    if not given or given == "$app":
        return reserved
    if given.startswith("$app:"):
        return f"{reserved}--{given.removeprefix('$app:')}"
    return given


def metafield(owner: str, context: Context, key: str, given: str | None) -> Metafield | None:
    """Find a metafield; the key may carry the namespace as `namespace.key`."""
    if given is None and "." in key:
        given, key = key.split(".", 1)
    return context.shop.metafields.get((owner, namespace(context, given), key))


def metafields(owner: str, context: Context, page: dict[str, Any]) -> dict[str, Any]:
    """The metafields of an owner, of one namespace when asked for."""
    given = page.pop("namespace", None)
    keys = page.pop("keys", None)
    rows = [
        item
        for (of, space, key), item in context.shop.metafields.items()
        if of == owner
        and (given is None or space == namespace(context, given))
        and (keys is None or f"{space}.{key}" in keys)
    ]
    return connections.page(rows, lambda item: item.id, **page)


def digest(item: Metafield) -> str:
    """The value's fingerprint for compare-and-set writes."""
    return hashlib.sha256(item.value.encode()).hexdigest()


def owner_of(item: Metafield, context: Context) -> Any:
    """The object that a metafield belongs to."""
    kind, _, tail = item.owner.removeprefix("gid://shopify/").partition("/")
    if kind == "Customer":
        return context.shop.customers.get(int(tail))
    if kind == "Order":
        return context.shop.orders.get(int(tail))
    if kind == "Product":
        return context.shop.products.get(int(tail))
    if kind == "DiscountCodeNode":
        return {"__typename": "DiscountCodeNode", "discount": context.shop.discounts.get(int(tail))}
    return context.installation if kind == "AppInstallation" else context.shop


def _offset(shop: Shop, context: Context) -> int:
    delta = context.now.astimezone(ZoneInfo(shop.timezone)).utcoffset()
    return int(delta.total_seconds() // 60) if delta else 0


def _offset_text(shop: Shop, context: Context) -> str:
    minutes = _offset(shop, context)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _address(shop: Shop, _context: Context) -> dict[str, Any]:
    return {
        "id": gid("ShopAddress", shop.id),
        "address1": "12 Garden Lane",
        "city": "Portland",
        "company": shop.name,
        "countryCodeV2": shop.country,
        "country": shop.country,
        "name": shop.name,
        "zip": "97205",
    }


def _formats(shop: Shop, _context: Context) -> dict[str, Any]:
    plain, full = shop.money_format, f"{shop.money_format} {shop.currency}"
    return {
        "moneyFormat": plain,
        "moneyWithCurrencyFormat": full,
        "moneyInEmailsFormat": plain,
        "moneyWithCurrencyInEmailsFormat": full,
    }


def _domain(shop: Shop, _context: Context) -> dict[str, Any]:
    return {
        "id": gid("Domain", shop.id + 1),
        "host": shop.domain,
        "url": f"https://{shop.domain}",
        "sslEnabled": True,
    }


fields(
    "Shop",
    {
        "id": lambda s, c: gid("Shop", s.id),
        "contactEmail": lambda s, c: s.email,
        "myshopifyDomain": lambda s, c: s.domain,
        "primaryDomain": _domain,
        "url": lambda s, c: f"https://{s.domain}",
        "currencyCode": lambda s, c: s.currency,
        "enabledPresentmentCurrencies": lambda s, c: [s.currency, *s.rates],
        "ianaTimezone": lambda s, c: s.timezone,
        "timezoneOffset": _offset_text,
        "timezoneOffsetMinutes": _offset,
        "timezoneAbbreviation": lambda s, c: c.now.astimezone(ZoneInfo(s.timezone)).tzname(),
        "plan": lambda s, c: {
            "displayName": s.plan,
            "publicDisplayName": s.plan,
            "partnerDevelopment": s.plan == "Development",
            "shopifyPlus": s.plan == "Shopify Plus",
        },
        "billingAddress": _address,
        "shopAddress": _address,
        "currencyFormats": _formats,
        "customerAccountsV2": lambda s, c: {"customerAccountsVersion": s.accounts},
        "createdAt": lambda s, c: zulu(s.created_at),
        "updatedAt": lambda s, c: zulu(s.updated_at or s.created_at),
        "shopOwnerName": lambda s, c: s.owner,
        "metafield": lambda s, c, key, namespace=None: metafield(gid("Shop", s.id), c, key, namespace),
        "weightUnit": lambda s, c: "KILOGRAMS",
        "unitSystem": lambda s, c: "METRIC_SYSTEM",
        "setupRequired": lambda s, c: False,
        "taxShipping": lambda s, c: False,
    },
)
fields(
    "AppInstallation",
    {
        "id": lambda i, c: gid("AppInstallation", i.id),
        "accessScopes": lambda i, c: [
            {"handle": name, "description": name.replace("_", " ")} for name in i.scopes
        ],
        "activeSubscriptions": lambda i, c: [],
        "app": lambda i, c: {
            "id": gid("App", 580111),
            "title": c.world.config.name,
            "handle": c.world.config.handle,
            "apiKey": c.world.config.client_id,
        },
        "launchUrl": lambda i, c: f"{c.world.base_url}/store/{c.shop.handle}/apps/{c.world.config.client_id}",
        "metafield": lambda i, c, key, namespace=None: metafield(
            gid("AppInstallation", i.id), c, key, namespace
        ),
        "metafields": lambda i, c, **page: metafields(gid("AppInstallation", i.id), c, page),
    },
)
fields(
    "Metafield",
    {
        "id": lambda m, c: gid("Metafield", m.id),
        "legacyResourceId": lambda m, c: str(m.id),
        "jsonValue": lambda m, c: (
            json.loads(m.value) if m.type in ("json", "number_integer", "boolean") else m.value
        ),
        "compareDigest": lambda m, c: digest(m),
        "owner": owner_of,
        "createdAt": lambda m, c: zulu(m.created_at),
        "updatedAt": lambda m, c: zulu(m.updated_at),
    },
)


def _collections(product: Product, context: Context, **page: Any) -> dict[str, Any]:
    rows = [context.shop.collections[number] for number in product.collections]
    return connections.page(rows, lambda item: item.id, **page)


fields(
    "Collection",
    {
        "id": lambda k, c: gid("Collection", k.id),
        "legacyResourceId": lambda k, c: str(k.id),
        "updatedAt": lambda k, c: zulu(k.created_at),
    },
)
fields(
    "Product",
    {
        "id": lambda p, c: gid("Product", p.id),
        "legacyResourceId": lambda p, c: str(p.id),
        "status": lambda p, c: "ACTIVE",
        "isGiftCard": lambda p, c: p.gift_card,
        "tags": lambda p, c: list(p.tags),
        "createdAt": lambda p, c: zulu(p.created_at),
        "updatedAt": lambda p, c: zulu(p.created_at),
        "variants": lambda p, c, **page: connections.page([variant(p)], lambda v: v["id"], **page),
        "collections": _collections,
        "metafield": lambda p, c, key, namespace=None: metafield(gid("Product", p.id), c, key, namespace),
        "onlineStoreUrl": lambda p, c: f"https://{c.shop.domain}/products/{p.handle}",
        "priceRangeV2": lambda p, c: {
            "minVariantPrice": money(p.price, c.shop.currency),
            "maxVariantPrice": money(p.price, c.shop.currency),
        },
        "totalInventory": lambda p, c: 100,
    },
)


def variant(product: Product) -> dict[str, Any]:
    return {
        "__typename": "ProductVariant",
        "id": gid("ProductVariant", product.variant_id),
        "legacyResourceId": str(product.variant_id),
        "title": "Default Title",
        "displayName": f"{product.title} - Default Title",
        "sku": product.sku,
        "price": str(product.price),
        "taxable": product.taxable,
        "availableForSale": True,
        "product": product,
    }


represents(Shop, "Shop")
represents(Customer, "Customer")
represents(Installation, "AppInstallation")
represents(Metafield, "Metafield")
represents(Product, "Product")
represents(Collection, "Collection")
