"""Where the app lives inside the merchant's admin, and who may frame it. Every address from a request is judged here."""

import base64
import binascii
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit

from shopify_app.config import ShopifyConfig, canonical_domain, origin_of

BOUNCE_PATH = "/auth/bounce"
_STORE_PATH = re.compile(r"/store/[a-z0-9][a-z0-9-]{0,99}")


def admin_of(config: ShopifyConfig, domain: str, host: str) -> str:
    """The address of a shop's admin. ``host`` (base64, from the query) is used if it names the admin, else the shop's own handle."""
    base = config.admin_url.rstrip("/")
    decoded = _decoded(host)
    # The parameter is not signed: only our admin's own host, with a store's path and nothing more, is believed.
    prefix = urlsplit(base).netloc
    if decoded.startswith(f"{prefix}/") and _STORE_PATH.fullmatch(decoded.removeprefix(prefix)):
        return base + decoded.removeprefix(prefix)
    return f"{base}/store/{domain.removesuffix('.myshopify.com')}"


def embedded_address(config: ShopifyConfig, domain: str, host: str, path: str) -> str:
    """The address at which the merchant's admin shows the app's page ``path``."""
    return f"{admin_of(config, domain, host)}/apps/{config.api_key}{path if path != '/' else ''}"


def bounce_address(domain: str, host: str, reload: str) -> str:
    """The page that comes back to ``reload`` with a fresh ID token."""
    query = {"shop": domain, "host": host, "embedded": "1", "shopify-reload": reload}
    return f"{BOUNCE_PATH}?{urlencode(query)}"


def reload_address(config: ShopifyConfig, path: str, query: str) -> str:
    """The public address of a request, without the ID token that it came with."""
    kept = [(key, value) for key, value in parse_qsl(query, keep_blank_values=True) if key != "id_token"]
    return config.app_url.rstrip("/") + path + (f"?{urlencode(kept)}" if kept else "")


def is_own_address(config: ShopifyConfig, address: str) -> bool:
    """Whether an address is one of ours: the same scheme, host and port, and nothing that a browser reads in another way."""
    if any(character in address for character in "\\\t\r\n ") or not address.isascii():
        return False
    try:
        return origin_of(address) == config.app_origin and urlsplit(address).path != BOUNCE_PATH
    except ValueError:
        return False


def frame_ancestors(config: ShopifyConfig, domain: str | None) -> str:
    """The policy that lets exactly one shop's admin frame a page; without a shop nobody may."""
    if domain is None or canonical_domain(domain) != domain:
        return "frame-ancestors 'none'"
    allowed: Iterable[str] = (f"https://{domain}", origin_of(config.admin_url))
    return f"frame-ancestors {' '.join(allowed)}"


def _decoded(host: str) -> str:
    try:
        return base64.b64decode(host + "=" * (-len(host) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
