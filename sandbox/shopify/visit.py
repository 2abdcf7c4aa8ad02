"""What every page of a storefront shares: whose shop it is, who visits it, and the page around its content."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Response, abort, current_app, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from sandbox.shopify.control.common import world
from sandbox.shopify.errors import NotFound
from sandbox.shopify.liquid_objects import scope
from sandbox.shopify.people import Customer
from sandbox.shopify.sessions import Visitor, Visitors, remember
from sandbox.shopify.shop import Shop
from sandbox.shopify.theme import Theme

ROOT = "sandbox.storefront_root"
PREFIX = "/storefront/<domain>"


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


def shop_of(domain: str) -> Shop:
    """The shop of the address, or 404."""
    try:
        return world().shop(domain)
    except NotFound:
        abort(404)


def root_of(shop: Shop) -> str:
    """What stands before every path of the shop."""
    return str(request.environ.get(ROOT, f"/storefront/{shop.domain}"))


def visitor_of(shop: Shop) -> Visitor:
    """Whose browser it is; nobody is logged in whom the shop does not know any more."""
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
    assets = f"{root_of(shop)}/cdn/extensions"
    around = scope(world().config, shop, person, root_of(shop))
    return [theme.render(block, around, shop.locale, assets) for block in chosen]


def page(shop: Shop, visitor: Visitor, name: str, **more: Any) -> Response:
    """A page of the shop, with the app's blocks."""
    person = shop.customers.get(visitor.customer_id) if visitor.customer_id else None
    message, visitor.message = visitor.message, None
    sections = (name in ("rewards", "account") and person is not None) or name == "rewards"
    lines = [
        (shop.products[number], count) for number, count in visitor.cart.items() if number in shop.products
    ]
    body = render_template(
        "storefront.html",
        shop=shop,
        root=root_of(shop),
        page=name,
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


def back(shop: Shop, visitor: Visitor, path: str) -> BaseResponse:
    """Lead the browser to a path of the shop."""
    response = make_response(redirect(f"{root_of(shop)}{path}"))
    return remember(response, shop, visitor)
