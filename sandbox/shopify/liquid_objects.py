"""The Liquid objects of a storefront page: shop, customer, app, request and routes."""

from __future__ import annotations

import json
from typing import Any

from flask import (
    request,
)

from sandbox.shopify.config import AppConfig
from sandbox.shopify.ids import gid
from sandbox.shopify.people import Customer
from sandbox.shopify.shop import Shop


def _value(kind: str, text: str) -> Any:
    if kind == "json":
        return json.loads(text)
    return int(text) if kind == "number_integer" else text


def _metafields(config: AppConfig, shop: Shop, owner: str) -> dict[str, dict[str, Any]]:
    """Metafields as Liquid sees them: the app's own reserved namespace is called `$app` there."""
    found: dict[str, dict[str, Any]] = {}
    public = {(item.owner, item.key) for item in config.definitions if item.storefront}
    for (of, space, key), item in shop.metafields.items():
        if of != owner:
            continue
        reserved = space.startswith("app--")
        if reserved and item.owner_type != "API_PERMISSION" and (item.owner_type, key) not in public:
            continue
        name = f"$app:{space.split('--', 2)[2]}" if space.count("--") > 1 else "$app"
        found.setdefault(name if reserved else space, {})[key] = {
            "value": _value(item.type, item.value),
            "type": item.type,
        }
    return found


def scope(config: AppConfig, shop: Shop, person: Customer | None, root: str) -> dict[str, Any]:
    """The Liquid objects of a page."""
    customer = None
    if person is not None:
        customer = {
            "id": person.id,
            "email": person.email,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "name": person.display_name,
            "tags": person.tags,
            "orders_count": person.orders,
            "metafields": _metafields(config, shop, gid("Customer", person.id)),
        }
    installation = shop.installation
    app = _metafields(config, shop, gid("AppInstallation", installation.id)) if installation else {}
    return {
        "shop": {
            "name": shop.name,
            "currency": shop.currency,
            "permanent_domain": shop.domain,
            "url": request.host_url.rstrip("/") + root,
            "metafields": _metafields(config, shop, gid("Shop", shop.id)),
        },
        "customer": customer,
        "app": {"metafields": app},
        "request": {"design_mode": False, "locale": {"iso_code": shop.locale}, "path": request.path},
        "routes": {
            "root_url": root or "/",
            "account_url": f"{root}/account",
            "account_login_url": f"{root}/account/login",
            "account_register_url": f"{root}/account/register",
            "cart_url": f"{root}/cart",
        },
    }
