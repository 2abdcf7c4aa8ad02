"""The sandbox's admin: plain pages with buttons, the app's frame, and what App Bridge asks for."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    send_from_directory,
)
from werkzeug.wrappers import Response as BaseResponse

from sandbox.shopify import describe, grants, signatures
from sandbox.shopify.control.common import world
from sandbox.shopify.errors import NotFound
from sandbox.shopify.shop import Shop
from sandbox.shopify.theme import Theme

STATIC = Path(__file__).with_name("static")
ROWS = 50
blueprint = Blueprint("admin", __name__)


def _shop(handle: str) -> Shop:
    try:
        return world().shop(handle)
    except NotFound:
        abort(404)


def _theme() -> Theme | None:
    found: Theme | None = current_app.extensions["theme"]
    return found


def app_query(shop: Shop) -> dict[str, str]:
    """The query with which the admin opens the app: signed, with a fresh ID token."""
    place = urlsplit(world().base_url).netloc
    query = {
        "embedded": "1",
        "shop": shop.domain,
        "host": base64.b64encode(f"{place}/store/{shop.handle}".encode()).decode().rstrip("="),
        "id_token": grants.id_token(world(), shop),
        "locale": shop.locale,
        "timestamp": str(int(world().now().timestamp())),
    }
    query["hmac"] = signatures.admin_query(world().config.client_secret, query)
    return query


def _page(template: str, shop: Shop, **more: Any) -> str:
    config = world().config
    parts = urlsplit(config.app_url)
    theme = _theme()
    return render_template(
        template,
        shop=shop,
        config=config,
        app_origin=f"{parts.scheme}://{parts.netloc}",
        storefront=world().storefronts.get(shop.domain, f"/storefront/{shop.domain}/"),
        embeds=[(block.handle, block.name) for block in theme.embeds()] if theme else [],
        **more,
    )


@blueprint.get("/")
def front() -> BaseResponse:
    """The only sensible place to go is the first shop's admin."""
    first = next(iter(world().shops.values()), None)
    return redirect(f"/store/{first.handle}") if first else Response("No shop is open yet.\n")


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """Browsers ask for one; there is none."""
    return Response(status=204)


@blueprint.get("/store/<handle>")
def home(handle: str) -> str:
    """Install, open and uninstall the app."""
    with world().lock:
        return _page("plain.html", _shop(handle), page="Home", title="Home")


@blueprint.get("/store/<handle>/<any(orders, customers, discounts, webhooks):what>")
def listing(handle: str, what: str) -> str:
    """Lists with a person's actions."""
    with world().lock:
        shop = _shop(handle)
        rows: list[Any]
        if what == "orders":
            rows = [describe.order(item) for item in itertools.islice(reversed(shop.orders.values()), ROWS)]
        elif what == "customers":
            walk = itertools.islice(shop.customers.after(), ROWS)
            rows = [describe.customer(shop, item) for item in walk]
        elif what == "discounts":
            rows = [describe.discount(world(), item) for item in reversed(shop.discounts.values())]
        else:
            sent = world().sender.deliveries(shop=shop.domain)[-ROWS:]
            rows = [item.summary(body=False) for item in reversed(sent)]
        return _page("plain.html", shop, page=what.title(), title=what.title(), rows=rows)


@blueprint.get("/store/<handle>/apps/<client_id>")
@blueprint.get("/store/<handle>/apps/<client_id>/<path:path>")
def app_frame(handle: str, client_id: str, path: str = "") -> str | BaseResponse:
    """The app, embedded."""
    with world().lock:
        shop = _shop(handle)
        if client_id not in (world().config.client_id, world().config.handle):
            abort(404)
        if shop.installation is None:
            return redirect(f"/store/{handle}")
        given = {
            key: value
            for key, value in request.args.items()
            if key not in ("id_token", "hmac", "host", "shop")
        }
        query = given | app_query(shop)
        src = f"{world().config.app_url.rstrip('/')}/{path}?{urlencode(query)}"
        return _page("app.html", shop, page="app", title=world().config.name, src=src)


@blueprint.post("/store/<handle>/session_token")
def session_token(handle: str) -> dict[str, str]:
    """A fresh ID token for App Bridge; a shop without the app gets none."""
    with world().lock:
        shop = _shop(handle)
        if shop.installation is None:
            abort(403)
        return {"id_token": grants.id_token(world(), shop)}


@blueprint.get("/store/<handle>/scopes.json")
def scopes(handle: str) -> dict[str, Any]:
    """What App Bridge's scopes.query answers."""
    with world().lock:
        config, installation = world().config, _shop(handle).installation
        granted = list(installation.scopes) if installation else []
        return {"granted": granted, "required": list(config.scopes), "optional": list(config.optional_scopes)}


@blueprint.get("/store/<handle>/extensions.json")
def extensions(handle: str) -> dict[str, Any]:
    """What App Bridge's app.extensions answers: the theme extension's blocks and whether they are on."""
    theme = _theme()
    blocks = theme.blocks if theme else []
    with world().lock:
        embeds = dict(_shop(handle).embeds)
    shown = [
        {
            "handle": block.handle,
            "name": block.name,
            "target": block.target,
            "status": "active" if embeds.get(block.handle) else "available",
        }
        for block in blocks
    ]
    entry = {"handle": theme.handle if theme else "", "type": "theme_app_extension", "activations": shown}
    return {"extensions": [entry] if theme else []}


@blueprint.post("/store/<handle>/embeds/<block>")
def toggle_embed(handle: str, block: str) -> dict[str, bool]:
    """The merchant switches an app embed on or off in the theme editor."""
    with world().lock:
        shop = _shop(handle)
        shop.embeds[block] = not shop.embeds.get(block, False)
        return {"on": shop.embeds[block]}


@blueprint.post("/store/<handle>/noop")
def noop(handle: str) -> dict[str, str]:
    """Nothing happens; a button only follows its link."""
    return {"shop": handle}


@blueprint.get("/shops/<domain>/admin/themes/current/editor")
@blueprint.get("/store/<domain>/themes/current/editor")
def editor(domain: str) -> BaseResponse:
    """A deep link into the theme editor turns the named block on, as the merchant would by saving."""
    shop = _shop(domain)
    wanted = request.args.get("activateAppId") or request.args.get("addAppBlockId") or ""
    client_id, _, block = wanted.partition("/")
    with world().lock:
        if client_id == world().config.client_id and block:
            shop.embeds[block] = True
    return redirect(f"/store/{shop.handle}")


@blueprint.get("/shops/<domain>/admin/oauth/install")
def install_page(domain: str) -> str:
    """The grant screen for an installation or for missing scopes."""
    with world().lock:
        asked = [part for part in request.args.get("scope", "").split(",") if part] or list(
            world().config.scopes
        )
        return _page("install.html", _shop(domain), page="install", title="Install", asked=asked)


@blueprint.get("/_static/<path:name>")
def static_file(name: str) -> Response:
    """Styles and scripts of the sandbox's own pages."""
    return send_from_directory(STATIC, name)
