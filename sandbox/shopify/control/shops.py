"""Shops: open, change, install, uninstall, scopes, products, tokens for tests."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from sandbox.shopify import describe, grants
from sandbox.shopify.actions import checkout, customers, shops
from sandbox.shopify.control.common import body, shop, world

routes = Blueprint("shops", __name__)


@routes.get("/shops")
def listed() -> dict[str, Any]:
    """All shops."""
    with world().lock:
        return {"shops": [describe.shop(world(), item) for item in world().shops.values()]}


@routes.post("/shops")
def create() -> tuple[dict[str, Any], int]:
    """Open a shop; `install: true` also installs the app."""
    given = body()
    install = bool(given.pop("install", False))
    with world().lock:
        made = shops.create(world(), given.pop("domain"), **given)
        if install:
            shops.install(world(), made)
        return describe.shop(world(), made), 201


@routes.get("/shops/<domain>")
def one(domain: str) -> dict[str, Any]:
    """One shop."""
    with world().lock:
        return describe.shop(world(), shop(domain))


@routes.patch("/shops/<domain>")
def change(domain: str) -> dict[str, Any]:
    """Change settings; sends shop/update."""
    with world().lock:
        return describe.shop(world(), shops.update(world(), shop(domain), body()))


@routes.post("/shops/<domain>/install")
def install(domain: str) -> dict[str, Any]:
    """The merchant installs (or reinstalls) the app."""
    given = body().get("scopes")
    with world().lock:
        shops.install(world(), shop(domain), scopes=tuple(given) if given else None)
        return describe.shop(world(), shop(domain))


@routes.post("/shops/<domain>/uninstall")
def uninstall(domain: str) -> dict[str, Any]:
    """The merchant removes the app; sends app/uninstalled."""
    with world().lock:
        shops.uninstall(world(), shop(domain))
        return describe.shop(world(), shop(domain))


@routes.post("/shops/<domain>/redact")
def redact(domain: str) -> dict[str, Any]:
    """Forty-eight hours later: sends shop/redact."""
    with world().lock:
        shops.redact(world(), shop(domain))
    return {"sent": "shop/redact"}


@routes.post("/shops/<domain>/scopes")
def scopes(domain: str) -> dict[str, Any]:
    """Grant (`add`) and revoke (`remove`) scopes; sends app/scopes_update."""
    given = body()
    with world().lock:
        added, removed = tuple(given.get("add", ())), tuple(given.get("remove", ()))
        return {"scopes": list(shops.change_scopes(world(), shop(domain), add=added, remove=removed))}


@routes.get("/shops/<domain>/products")
def products(domain: str) -> dict[str, Any]:
    """What the shop sells."""
    with world().lock:
        store = shop(domain)
        return {"products": [describe.product(store, item) for item in store.products.values()]}


@routes.post("/shops/<domain>/products")
def add_product(domain: str) -> tuple[dict[str, Any], int]:
    """Put something on sale."""
    with world().lock:
        store = shop(domain)
        return describe.product(store, shops.add_product(world(), store, **body())), 201


@routes.patch("/shops/<domain>/products/<what>")
def change_product(domain: str, what: str) -> dict[str, Any]:
    """Change a product's `tags` and `collections` (by title)."""
    with world().lock:
        store = shop(domain)
        found = checkout.product(store, what)
        return describe.product(store, shops.change_product(world(), store, found, body()))


@routes.get("/shops/<domain>/discounts")
def discounts(domain: str) -> dict[str, Any]:
    """The discount codes and their uses."""
    with world().lock:
        return {"discounts": [describe.discount(world(), item) for item in shop(domain).discounts.values()]}


@routes.get("/shops/<domain>/metafields")
def metafields(domain: str) -> dict[str, Any]:
    """Every stored metafield."""
    with world().lock:
        rows = shop(domain).metafields.values()
        names = ("owner", "owner_type", "namespace", "key", "type", "value")
        return {"metafields": [{name: getattr(item, name) for name in names} for item in rows]}


@routes.post("/shops/<domain>/id_token")
def id_token(domain: str) -> dict[str, Any]:
    """An ID token as App Bridge would hand out; `claims` replaces claims, `lifetime` sets the seconds."""
    given = body()
    with world().lock:
        token = grants.id_token(
            world(), shop(domain), lifetime=int(given.get("lifetime", 60)), **dict(given.get("claims", {}))
        )
    return {"id_token": token}


@routes.post("/shops/<domain>/customer_token")
def customer_token(domain: str) -> dict[str, Any]:
    """A customer-account extension's token, for a customer or a guest."""
    who = body().get("customer")
    with world().lock:
        person = customers.find(shop(domain), who) if who else None
        return {"id_token": grants.customer_token(world(), shop(domain), person)}


@routes.post("/shops/<domain>/expire_tokens")
def expire_tokens(domain: str) -> dict[str, Any]:
    """Let every access token die now; `refresh: true` kills the refresh tokens too."""
    with world().lock:
        installation = shop(domain).installation
        if installation is not None:
            installation.access.clear()
            if body().get("refresh"):
                installation.refresh.clear()
    return {"expired": True}


@routes.post("/shops/<domain>/embeds")
def embeds(domain: str) -> dict[str, Any]:
    """The merchant switches app embeds on or off: `{"launcher": true}`."""
    with world().lock:
        shop(domain).embeds.update({name: bool(on) for name, on in body().items()})
        return {"embeds": shop(domain).embeds}
