"""Lets a merchant in: who is asking is proved by the ID token of App Bridge and by nothing else.

A page request without a good token goes round by the bounce page, which fetches one; a script's request is told to try again with
a fresh one. The shop is always the token's. Changing anything needs the token in the ``Authorization`` header, which no foreign page
can set, so a forged form does nothing.
"""

from dataclasses import dataclass

import requests
import structlog
from flask import Request, Response, abort, g, redirect, request
from sqlmodel import select

from loyalty.models import Shop
from loyalty.runtime import Runtime
from shopify_app import pages, tokens
from shopify_app.config import ShopifyConfig, canonical_domain
from shopify_app.embedding import bounce_address, embedded_address, frame_ancestors, reload_address
from shopify_app.errors import BeingErased, ConfigurationWrong, ShopifyError
from shopify_app.id_token import IdClaims, IdTokenRefused, bearer, verify_id_token
from shopify_app.installing import Installer
from shopify_app.token_endpoint import SubjectTokenRefused

RETRY_HEADER = "X-Shopify-Retry-Invalid-Session-Request"
_SAFE = frozenset({"GET", "HEAD"})
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Merchant:
    """A person of a shop's staff, proved by the token. ``host`` is for links back into the admin; it is not proved."""

    shop_id: int
    domain: str
    user_id: str
    host: str


class MerchantGate:
    """Call it in a view (or before a request): it gives the ``Merchant`` or ends the request with the right answer."""

    def __init__(self, runtime: Runtime, config: ShopifyConfig, session: requests.Session) -> None:
        self._runtime = runtime
        self._config = config
        self._installer = Installer(runtime, config, session)
        # The bounce page, and the framing policy on every page that the application answers with.
        self.blueprint = pages.create_blueprint(config)
        self.blueprint.after_app_request(self._protect)

    def __call__(self) -> Merchant:
        """The merchant of the current request."""
        known = g.get("laurel_merchant")
        if isinstance(known, Merchant):
            return known
        claims, token = self._claims(request)
        g.laurel_frame_shop = claims.shop
        merchant = Merchant(
            self._shop_id(claims, token), claims.shop, claims.user_id, request.args.get("host", "")
        )
        g.laurel_merchant = merchant
        return merchant

    def _protect(self, response: Response) -> Response:
        if response.mimetype == "text/html":
            policy = frame_ancestors(self._config, g.get("laurel_frame_shop"))
            others = response.headers.get("Content-Security-Policy")
            if others is None or "frame-ancestors" not in others:
                response.headers["Content-Security-Policy"] = f"{others}; {policy}" if others else policy
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _claims(self, asked: Request) -> tuple[IdClaims, str]:
        is_page = _is_page(asked)
        if is_page and not _is_embedded(asked):
            self._lead_into_admin(asked)
        token = asked.args.get("id_token", "") if is_page else bearer(asked.headers.get("Authorization"))
        try:
            claims = verify_id_token(token, self._config, now=self._runtime.clock())
        except IdTokenRefused as refused:
            if refused.code not in ("missing", "invalid") or (
                refused.code == "invalid" and not refused.expired
            ):
                log.warning("id_token_refused", code=refused.code)
            self._ask_for_token(asked)
        named = asked.args.get("shop")
        if named is not None and canonical_domain(named) != claims.shop:
            abort(pages.refused("This page belongs to another shop. Open Laurel from your Shopify admin."))
        return claims, token

    def _ask_for_token(self, asked: Request) -> None:
        """End the request so that it comes back with a fresh token."""
        if not _is_page(asked):
            response = Response(status=401)
            response.headers[RETRY_HEADER] = "1"
            abort(response)
        shop = canonical_domain(asked.args.get("shop"))
        if shop is None:
            abort(pages.open_from_admin())
        back = reload_address(self._config, asked.path, asked.query_string.decode("latin-1"))
        abort(redirect(bounce_address(shop, asked.args.get("host", ""), back)))

    def _lead_into_admin(self, asked: Request) -> None:
        shop = canonical_domain(asked.args.get("shop"))
        if shop is None:
            abort(pages.open_from_admin())
        abort(redirect(embedded_address(self._config, shop, asked.args.get("host", ""), asked.path)))

    def _shop_id(self, claims: IdClaims, token: str) -> int:
        with self._runtime.reading() as session:
            shop = session.exec(select(Shop).where(Shop.domain == claims.shop)).first()
            if (
                shop is not None
                and shop.id is not None
                and shop.uninstalled_at is None
                and shop.erasing_at is None
                and tokens.has_usable_token(shop, now=self._runtime.clock())
            ):
                return shop.id
        try:
            return self._installer.install(claims.shop, token)
        except SubjectTokenRefused:
            self._ask_for_token(request)
        except ConfigurationWrong:
            log.critical("shopify_refuses_our_credentials")
            abort(pages.misconfigured())
        except BeingErased:
            abort(pages.being_erased())
        except ShopifyError as error:
            log.warning("install_postponed", reason=error.reason, status=error.status)
            abort(pages.try_again())
        raise AssertionError("every road above ends the request")


def shows_in_admin(asked: Request) -> bool:
    """Whether the admin loads a page of the app in its frame, as far as an unproved request can tell."""
    return _is_page(asked) and _is_embedded(asked) and canonical_domain(asked.args.get("shop")) is not None


def _is_page(asked: Request) -> bool:
    """Whether a browser loads a page (then it cannot send headers), rather than a script asking for something."""
    if asked.method not in _SAFE or "Authorization" in asked.headers:
        return False
    purpose = asked.headers.get("Sec-Fetch-Dest")
    if purpose is not None:
        return purpose in ("document", "iframe", "frame")
    return "id_token" in asked.args or asked.accept_mimetypes.accept_html


def _is_embedded(asked: Request) -> bool:
    return asked.args.get("embedded") == "1" or asked.headers.get("Sec-Fetch-Dest") in ("iframe", "frame")
