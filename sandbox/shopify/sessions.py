"""Storefront visitors: who is logged in and what is in the cart, behind a cookie for each shop."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from flask import Response, request

from sandbox.shopify.shop import Shop

MOST_VISITORS = 10_000


@dataclass
class Visitor:
    """One browser in one shop."""

    key: str
    customer_id: int | None = None
    cart: dict[int, int] = field(default_factory=dict)
    code: str | None = None
    message: str | None = None


class Visitors:
    """All visitors, the longest unseen forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Visitor] = OrderedDict()

    def current(self, shop: Shop) -> Visitor:
        """The visitor of this request; an unknown one begins with an empty cart."""
        key = request.cookies.get(cookie_name(shop), "")
        visitor = self._known.get(key)
        if visitor is None:
            visitor = Visitor(secrets.token_hex(16))
            self._known[visitor.key] = visitor
            while len(self._known) > MOST_VISITORS:
                self._known.popitem(last=False)
        self._known.move_to_end(visitor.key)
        return visitor


def cookie_name(shop: Shop) -> str:
    """Ports share cookies, so that each shop needs a name of its own."""
    return f"sandbox_visitor_{shop.id}"


def remember(response: Response, shop: Shop, visitor: Visitor) -> Response:
    """Give the browser its cookie."""
    response.set_cookie(cookie_name(shop), visitor.key, httponly=True, samesite="Lax")
    return response
