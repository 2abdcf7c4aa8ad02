"""A small online store: products, cart, discount codes, checkout, the app's files and its proxy.

It answers below `/storefront/<domain>` on the main listener, and at the root of a shop's own listener.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, abort, current_app, request, send_file
from werkzeug.wrappers import Response as BaseResponse

from sandbox.shopify import describe, proxy
from sandbox.shopify.actions import checkout
from sandbox.shopify.control.common import world
from sandbox.shopify.errors import ActionRefused, NotFound
from sandbox.shopify.liquid_objects import scope
from sandbox.shopify.theme import Theme
from sandbox.shopify.visit import PREFIX, back, page, root_of, shop_of, visitor_of

blueprint = Blueprint("storefront", __name__, url_prefix=PREFIX)
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
# A path of this shop: browsers take a second slash, either way round, for the beginning of another host.
OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


@blueprint.get("/")
def front(domain: str) -> Response:
    """The products."""
    with world().lock:
        shop = shop_of(domain)
        return page(shop, visitor_of(shop), "home")


@blueprint.get("/favicon.ico")
def favicon(domain: str) -> Response:
    """Browsers ask for one; there is none."""
    shop_of(domain)
    return Response(status=204)


@blueprint.get("/pages/rewards")
def rewards(domain: str) -> Response:
    """A page with the app's section blocks."""
    with world().lock:
        shop = shop_of(domain)
        return page(shop, visitor_of(shop), "rewards")


@blueprint.get("/cart")
def cart(domain: str) -> Response:
    """The cart."""
    with world().lock:
        shop = shop_of(domain)
        return page(shop, visitor_of(shop), "cart")


@blueprint.post("/cart/add")
def cart_add(domain: str) -> BaseResponse:
    """Put a product into the cart."""
    with world().lock:
        shop = shop_of(domain)
        visitor = visitor_of(shop)
        try:
            product = checkout.product(shop, request.form.get("id", ""))
        except NotFound:
            abort(404)
        count = request.form.get("quantity", 1, type=int)
        visitor.cart[product.id] = visitor.cart.get(product.id, 0) + max(1, count)
        return back(shop, visitor, "/cart")


@blueprint.post("/cart/clear")
def cart_clear(domain: str) -> BaseResponse:
    """Empty the cart."""
    with world().lock:
        shop = shop_of(domain)
        visitor = visitor_of(shop)
        visitor.cart.clear()
        visitor.code = None
        return back(shop, visitor, "/cart")


@blueprint.get("/discount/<code>")
def discount_link(domain: str, code: str) -> BaseResponse:
    """A shareable discount link: the code is kept for the checkout."""
    with world().lock:
        shop = shop_of(domain)
        visitor = visitor_of(shop)
        visitor.code = code
        visitor.message = f"The code {code} will be used at checkout."
        wanted = request.args.get("redirect", "/")
        return back(shop, visitor, wanted if OWN_PATH.fullmatch(wanted) else "/")


@blueprint.post("/checkout")
def buy(domain: str) -> BaseResponse:
    """Place the order of the cart."""
    with world().lock:
        shop = shop_of(domain)
        visitor = visitor_of(shop)
        visitor.code = request.form.get("code", "").strip() or None
        spec: dict[str, Any] = {
            "lines": [{"product": number, "quantity": count} for number, count in visitor.cart.items()],
            "shipping": request.form.get("shipping") or "0",
        }
        if visitor.customer_id is not None:
            spec["customer"] = visitor.customer_id
        elif request.form.get("email"):
            spec["email"] = request.form["email"]
        if visitor.code:
            spec["code"] = visitor.code
        if request.form.get("address1"):
            named = {name: request.form.get(name) for name in ("address1", "city", "zip")}
            spec["shipping_address"] = named | {"country_code": shop.country}
        try:
            order = checkout.place(world(), shop, spec)
        except ActionRefused as refusal:
            visitor.message = refusal.message
            return back(shop, visitor, "/cart")
        except ValueError:
            abort(400)
        visitor.cart.clear()
        visitor.code = None
        visitor.message = (
            f"Thank you! Order {order.name} over {describe.order(order)['total']} {order.currency}."
        )
        return back(shop, visitor, "/account" if visitor.customer_id else "/")


@blueprint.get("/cdn/extensions/<name>")
def asset(domain: str, name: str) -> Response:
    """A file of the theme app extension."""
    shop_of(domain)
    theme: Theme | None = current_app.extensions["theme"]
    path = theme.asset(name) if theme else None
    if path is None:
        abort(404)
    return send_file(path, max_age=0)


@blueprint.route("/<prefix>/<subpath>", methods=METHODS)
@blueprint.route("/<prefix>/<subpath>/<path:path>", methods=METHODS)
def app_proxy(domain: str, prefix: str, subpath: str, path: str = "") -> Response:
    """The app proxy; the lock is not held while the app answers, since it may call back."""
    with world().lock:
        shop, config = shop_of(domain), world().config
        if f"/{prefix}/{subpath}" != proxy.prefix(config) or shop.installation is None:
            abort(404)
        visitor = visitor_of(shop)
        given = list(request.args.items(multi=True))
        now = int(world().now().timestamp())
        query = proxy.signed_query(config, shop, given, customer_id=visitor.customer_id, timestamp=now)
    answer = proxy.forward(config, request._get_current_object(), path, query)  # type: ignore[attr-defined]  # noqa: SLF001
    if not answer.liquid:
        return Response(answer.body, status=answer.status, headers=answer.headers)
    with world().lock:
        person = shop.customers.get(visitor.customer_id) if visitor.customer_id else None
        theme: Theme | None = current_app.extensions["theme"]
        text = answer.body.decode()
        if theme is not None:
            rendered = theme.environment(shop.locale, f"{root_of(shop)}/cdn/extensions").from_string(text)
            text = rendered.render(**scope(world().config, shop, person, root_of(shop)))
        shown = page(shop, visitor, "proxied", html=text)
        shown.status_code = answer.status
        return shown
