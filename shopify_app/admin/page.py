"""What every page of the admin shares: who is looking, the frame around the page, and links that lead back in."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import abort, g, make_response, render_template, request
from flask.wrappers import Response
from markupsafe import Markup
from sqlmodel import Session, col, select
from werkzeug.exceptions import NotFound

from loyalty import programs
from loyalty.core.program import PointsName, Program
from loyalty.models import Shop
from loyalty.runtime import Runtime
from loyalty.statement.formats import Formats, formats_of
from loyalty.statement.runs import describe
from shopify_app.config import ShopifyConfig
from shopify_app.embedding import admin_of
from shopify_app.merchant import Merchant, shows_in_admin

_STATIC = Path(__file__).resolve().parents[2] / "static"
_UNNAMED = PointsName("point", "points")
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """One entry of the app's navigation in the admin."""

    path: str
    title: str


NAVIGATION = (
    NavigationItem("/", "Home"),
    NavigationItem("/program", "Program"),
    NavigationItem("/members", "Members"),
    NavigationItem("/referrals", "Referrals"),
    NavigationItem("/klaviyo", "Klaviyo"),
    NavigationItem("/imports", "Imports"),
    NavigationItem("/api-keys", "API"),
    NavigationItem("/privacy", "Privacy and messages"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What the frame around a page needs."""

    api_key: str
    cdn_url: str
    navigation: tuple[NavigationItem, ...]
    asset: Callable[[str], str]


class Pages:
    """Hands the pages what they share. ``gate`` gives the merchant of the request or ends it; ``in_words`` says what a reason means
    that a job recorded, whoever's job it was."""

    def __init__(
        self,
        runtime: Runtime,
        config: ShopifyConfig,
        gate: Callable[[], Merchant],
        *,
        in_words: Callable[[str], str] = str,
    ) -> None:
        self.runtime = runtime
        self.config = config
        self.gate = gate
        self.in_words = in_words

    def merchant(self) -> Merchant:
        """Who is looking."""
        return self.gate()

    def let_in(self) -> None:
        """Ends the request here unless it comes from a merchant and names what a database can look for (for ``before_request``)."""
        self.gate()
        if any(_names_nothing(value) for value in (request.view_args or {}).values()):
            abort(404)

    def show_no_such_page(self) -> Response | None:
        """For an address that none of our pages has: a merchant sees so inside the admin, where an answer to anybody would stay blank
        because nobody may frame it (for ``before_app_request``). Who is no merchant is answered as on every page of the admin."""
        if not isinstance(request.routing_exception, NotFound) or not shows_in_admin(request):
            return None
        self.gate()
        with self.runtime.reading() as session:
            return self.missing(self.shop(session), "There is no such page.", back="/")

    def shop(self, session: Session) -> Shop:
        """The shop of whoever is looking."""
        shop = session.exec(select(Shop).where(col(Shop.id) == self.merchant().shop_id)).one()
        # How it writes money is in its program, and a page is often written when its session is over.
        g.formats = {shop.id: formats_of(session, shop)}
        return shop

    def formats(self, shop: Shop) -> Formats:
        """How the shop, which ``shop`` has read, writes numbers, money and times."""
        formats: Formats = g.formats[shop.id]
        return formats

    def render(self, template: str, shop: Shop, /, *, status: int = 200, **values: Any) -> Response:
        """A whole page for the shop."""
        html = render_template(
            template,
            page=self._frame,
            fmt=self.formats(shop),
            link=self.link,
            carry=self.carry,
            describe=lambda run: describe(run, self.formats(shop)),
            now=self.runtime.clock(),
            **values,
        )
        response = make_response(html, status)
        response.headers["Link"] = (
            f"<{self._frame.cdn_url}>; rel=preconnect, <{self._frame.cdn_url}/shopifycloud/app-bridge.js>; rel=preload; as=script"
        )
        return response

    def missing(self, shop: Shop, what: str, *, back: str) -> Response:
        """A page that says that there is no such thing."""
        return self.render("admin/missing.html", shop, status=404, what=what, back=back)

    def link(self, path: str, **query: object) -> str:
        """An address inside the app. It names the shop, so that a page that is loaded anew finds its way to a fresh ID token."""
        asked = {name: str(value) for name, value in query.items() if value not in (None, "")}
        return f"{path}?{urlencode(asked | self._origin())}"

    def carry(self) -> Markup:
        """The same for a form that is sent with GET: its own query replaces the address's."""
        hidden = Markup('<input type="hidden" name="{}" value="{}">')
        return Markup("").join(hidden.format(name, value) for name, value in self._origin().items())

    def in_admin(self, path: str) -> str:
        """An address in the shop's own admin."""
        merchant = self.merchant()
        return admin_of(self.config, merchant.domain, merchant.host) + path

    def _origin(self) -> dict[str, str]:
        merchant = self.merchant()
        host = {"host": merchant.host} if merchant.host else {}
        return {"shop": merchant.domain, **host, "embedded": "1"}

    @cached_property
    def _frame(self) -> Frame:
        return Frame(self.config.api_key, self.config.cdn_url.rstrip("/"), NAVIGATION, self._asset)

    @cached_property
    def _digests(self) -> Mapping[str, str]:
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            for path in sorted(_STATIC.glob("admin.*"))
        }

    def _asset(self, name: str) -> str:
        # The digest makes a changed file a new address, so browsers may keep the old one for as long as they like.
        return f"/static/{name}?v={self._digests[name]}"


def _names_nothing(value: object) -> bool:
    """Whether a part of an address is such that no database can even look for it."""
    return value > _LARGEST_ID if isinstance(value, int) else "\x00" in str(value)


def program_in_force(session: Session, shop_id: int) -> Program | None:
    """The shop's program, or None before there is one."""
    try:
        return programs.current(session, shop_id)
    except programs.NoProgram:
        return None


def points_name(program: Program | None) -> PointsName:
    """What the shop calls its points."""
    return program.points_name if program else _UNNAMED
