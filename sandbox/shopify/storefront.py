"""A small online store: products, cart, discount codes, customer accounts, the app's blocks and its proxy.

It answers below `/storefront/<domain>` on the main listener, and at the root of a shop's own listener.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    send_file,
)
from werkzeug.wrappers import Response as BaseResponse

from sandbox.shopify import describe, proxy
from sandbox.shopify.actions import checkout, customers
from sandbox.shopify.control.common import world
from sandbox.shopify.errors import ActionRefused, NotFound
from sandbox.shopify.liquid_objects import scope
from sandbox.shopify.people import Customer
from sandbox.shopify.sessions import Visitor, Visitors, remember
from sandbox.shopify.shop import Shop
from sandbox.shopify.theme import Theme

blueprint = Blueprint("storefront", __name__, url_prefix="/storefront/<domain>")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
ROOT = "sandbox.storefront_root"


class OwnAddress:
    """WSGI: shows one shop's storefront, and nothing else, at the root of a listener."""

    def __init__(self, application: Callable[..., Iterable[bytes]], domain: str) -> None:
        self.application, self.domain = application, domain

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer as if the path lay below the shop's prefix."""
        inner = dict(environ)
        inner["PATH_INFO"] = f"/storefront/{self.domain}{environ.get('PATH_INFO', '/')}"
        inner[ROOT] = ""
        return self.application(inner, start_response)


def _shop(domain: str) -> Shop:
    try:
        return world().shop(domain)
    except NotFound:
        abort(404)


def _root(shop: Shop) -> str:
    return str(request.environ.get(ROOT, f"/storefront/{shop.domain}"))


def _visitor(shop: Shop) -> Visitor:
    visitors: Visitors = current_app.extensions["visitors"]
    visitor = visitors.current(shop)
    if visitor.customer_id is not None and shop.customers.get(visitor.customer_id) is None:
        visitor.customer_id = None
    return visitor


def _blocks(shop: Shop, person: Customer | None, *, sections: bool) -> list[str]:
    """The app's blocks on this page: its switched-on embeds, or every block meant for a section."""
    theme: Theme | None = current_app.extensions["theme"]
    if theme is None or shop.installation is None:
        return []
    chosen = (
        theme.sections() if sections else [block for block in theme.embeds() if shop.embeds.get(block.handle)]
    )
    assets = f"{_root(shop)}/cdn/extensions"
    around = scope(world().config, shop, person, _root(shop))
    return [theme.render(block, around, shop.locale, assets) for block in chosen]


def _page(shop: Shop, visitor: Visitor, page: str, **more: Any) -> Response:
    person = shop.customers.get(visitor.customer_id) if visitor.customer_id else None
    message, visitor.message = visitor.message, None
    sections = (page in ("rewards", "account") and person is not None) or page == "rewards"
    lines = [
        (shop.products[number], count) for number, count in visitor.cart.items() if number in shop.products
    ]
    body = render_template(
        "storefront.html",
        shop=shop,
        root=_root(shop),
        page=page,
        person=person,
        visitor=visitor,
        message=message,
        lines=lines,
        total=sum(item.price * count for item, count in lines),
        embeds=_blocks(shop, person, sections=False),
        sections=_blocks(shop, person, sections=True) if sections else [],
        **more,
    )
    return remember(make_response(body), shop, visitor)


def _back(shop: Shop, visitor: Visitor, path: str) -> BaseResponse:
    response = make_response(redirect(f"{_root(shop)}{path}"))
    return remember(response, shop, visitor)


@blueprint.get("/")
def front(domain: str) -> Response:
    """The products."""
    with world().lock:
        shop = _shop(domain)
        return _page(shop, _visitor(shop), "home")


@blueprint.get("/favicon.ico")
def favicon(domain: str) -> Response:
    """Browsers ask for one; there is none."""
    _shop(domain)
    return Response(status=204)


@blueprint.get("/pages/rewards")
def rewards(domain: str) -> Response:
    """A page with the app's section blocks."""
    with world().lock:
        shop = _shop(domain)
        return _page(shop, _visitor(shop), "rewards")


@blueprint.get("/cart")
def cart(domain: str) -> Response:
    """The cart."""
    with world().lock:
        shop = _shop(domain)
        return _page(shop, _visitor(shop), "cart")


@blueprint.post("/cart/add")
def cart_add(domain: str) -> BaseResponse:
    """Put a product into the cart."""
    with world().lock:
        shop = _shop(domain)
        visitor = _visitor(shop)
        product = checkout.product(shop, request.form.get("id", ""))
        count = request.form.get("quantity", 1, type=int)
        visitor.cart[product.id] = visitor.cart.get(product.id, 0) + max(1, count)
        return _back(shop, visitor, "/cart")


@blueprint.post("/cart/clear")
def cart_clear(domain: str) -> BaseResponse:
    """Empty the cart."""
    with world().lock:
        shop = _shop(domain)
        visitor = _visitor(shop)
        visitor.cart.clear()
        visitor.code = None
        return _back(shop, visitor, "/cart")


@blueprint.get("/discount/<code>")
def discount_link(domain: str, code: str) -> BaseResponse:
    """A shareable discount link: the code is kept for the checkout."""
    with world().lock:
        shop = _shop(domain)
        visitor = _visitor(shop)
        visitor.code = code
        visitor.message = f"The code {code} will be used at checkout."
        wanted = request.args.get("redirect", "/")
        path = wanted if wanted.startswith("/") and not wanted.startswith("//") else "/"
        return _back(shop, visitor, path)


@blueprint.post("/checkout")
def buy(domain: str) -> BaseResponse:
    """Place the order of the cart."""
    with world().lock:
        shop = _shop(domain)
        visitor = _visitor(shop)
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
            return _back(shop, visitor, "/cart")
        visitor.cart.clear()
        visitor.code = None
        visitor.message = (
            f"Thank you! Order {order.name} over {describe.order(order)['total']} {order.currency}."
        )
        return _back(shop, visitor, "/account" if visitor.customer_id else "/")


@blueprint.get("/account")
def account(domain: str) -> BaseResponse:
    """The customer's orders."""
    with world().lock:
        shop = _shop(domain)
        visitor = _visitor(shop)
        if visitor.customer_id is None:
            return _back(shop, visitor, "/account/login")
        mine = [order for order in reversed(shop.orders.values()) if order.customer_id == visitor.customer_id]
        return _page(shop, visitor, "account", orders=[describe.order(order) for order in mine])


@blueprint.get("/account/<any(login, register):page>")
def account_form(domain: str, page: str) -> Response:
    """Log in as anyone, or open an account: the sandbox asks for no password."""
    with world().lock:
        shop = _shop(domain)
        return _page(shop, _visitor(shop), page)


@blueprint.post("/account/login")
def log_in(domain: str) -> BaseResponse:
    """Become the customer with this e-mail."""
    with world().lock:
        shop = _shop(domain)
        visitor = _visitor(shop)
        person = shop.customers.by_email(request.form.get("email", ""))
        if person is None:
            visitor.message = "No customer has this e-mail."
            return _back(shop, visitor, "/account/login")
        visitor.customer_id = person.id
        return _back(shop, visitor, "/account")


@blueprint.post("/account/register")
def register(domain: str) -> BaseResponse:
    """Open an account and log in."""
    with world().lock:
        shop = _shop(domain)
        visitor = _visitor(shop)
        names = {name: request.form.get(name) or None for name in ("first_name", "last_name")}
        if request.form.get("newsletter"):
            names["email_consent"] = "subscribed"
        try:
            person = customers.sign_up(world(), shop, email=request.form.get("email", ""), **names)
        except ActionRefused as refusal:
            visitor.message = refusal.message
            return _back(shop, visitor, "/account/register")
        visitor.customer_id = person.id
        return _back(shop, visitor, "/account")


@blueprint.post("/account/newsletter")
def newsletter(domain: str) -> BaseResponse:
    """Agree to marketing e-mail, or no longer."""
    with world().lock:
        shop = _shop(domain)
        visitor = _visitor(shop)
        if visitor.customer_id is None:
            return _back(shop, visitor, "/account/login")
        state = "subscribed" if request.form.get("newsletter") else "unsubscribed"
        customers.update(world(), shop, visitor.customer_id, {"email_consent": state})
        visitor.message = "Welcome to our letters." if state == "subscribed" else "No more letters."
        return _back(shop, visitor, "/account")


@blueprint.route("/account/logout", methods=["GET", "POST"])
def log_out(domain: str) -> BaseResponse:
    """Be a guest again."""
    with world().lock:
        shop = _shop(domain)
        visitor = _visitor(shop)
        visitor.customer_id = None
        return _back(shop, visitor, "/")


@blueprint.get("/cdn/extensions/<name>")
def asset(domain: str, name: str) -> Response:
    """A file of the theme app extension."""
    _shop(domain)
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
        shop, config = _shop(domain), world().config
        if f"/{prefix}/{subpath}" != proxy.prefix(config) or shop.installation is None:
            abort(404)
        visitor = _visitor(shop)
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
            rendered = theme.environment(shop.locale, f"{_root(shop)}/cdn/extensions").from_string(text)
            text = rendered.render(**scope(world().config, shop, person, _root(shop)))
        return _page(shop, visitor, "proxied", html=text)
