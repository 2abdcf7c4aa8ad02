"""The few pages that are shown before anybody is let in. They hold nothing of any shop."""

from flask import Blueprint, Response, g, request
from markupsafe import Markup, escape

from shopify_app.config import ShopifyConfig, canonical_domain
from shopify_app.embedding import BOUNCE_PATH, is_own_address

_PAGE = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Laurel</title>{head}</head><body>{body}</body></html>'
)


def create_blueprint(config: ShopifyConfig) -> Blueprint:
    """The bounce page: App Bridge alone, which comes back to the address in ``shopify-reload`` with a fresh ID token."""
    blueprint = Blueprint("shopify_auth", __name__)

    @blueprint.get(BOUNCE_PATH)
    def bounce() -> Response:
        shop = canonical_domain(request.args.get("shop"))
        # App Bridge goes wherever this parameter says, so it must not lead away from us.
        if shop is None or not is_own_address(config, request.args.get("shopify-reload", "")):
            return open_from_admin()
        g.laurel_frame_shop = shop
        script = Markup('<script data-api-key="{}" src="{}/shopifycloud/app-bridge.js"></script>')
        return _html(script.format(config.api_key, config.cdn_url.rstrip("/")), "", status=200)

    return blueprint


def open_from_admin() -> Response:
    """For somebody who came by themselves: nobody is asked for a shop's name."""
    return _message(
        "Open Laurel from your Shopify admin", "Go to Apps in your Shopify admin and choose Laurel.", 401
    )


def refused(why: str) -> Response:
    """For a request that contradicts itself."""
    return _message("This page cannot be shown", why, 403)


def misconfigured() -> Response:
    """For when Shopify does not know us; only an operator can mend it."""
    return _message(
        "Laurel is not set up",
        "Shopify does not accept this app's client id and secret. Its operator has been told.",
        500,
    )


def being_erased() -> Response:
    """For a shop that installs the app anew while what it had before is still being removed."""
    response = _message(
        "What this store had in Laurel is being erased",
        "It was asked for after the app was removed, and takes a little while. Open Laurel again later.",
        503,
    )
    response.headers["Retry-After"] = "60"
    return response


def try_again() -> Response:
    """For when Shopify cannot be reached in the middle of an installation."""
    response = _message("Shopify did not answer", "Reload this page in a few seconds.", 503)
    response.headers["Retry-After"] = "5"
    return response


def _message(title: str, text: str, status: int) -> Response:
    return _html("", Markup("<main><h1>{}</h1><p>{}</p></main>").format(title, text), status=status)


def _html(head: str, body: str, *, status: int) -> Response:
    response = Response(
        _PAGE.format(head=escape(head), body=escape(body)), status=status, mimetype="text/html"
    )
    response.headers["Cache-Control"] = "no-store"
    return response
