"""The app proxy: a storefront path that Shopify signs and forwards to the app.

Cookies never pass, in either direction; a Liquid answer is rendered by the theme.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

import requests
from flask import Request

from sandbox.shopify import signatures
from sandbox.shopify.config import AppConfig
from sandbox.shopify.shop import Shop

TIMEOUT = 30.0
KEPT_REQUEST = ("Accept", "Accept-Language", "Content-Type", "User-Agent", "If-None-Match")
DROPPED_ANSWER = frozenset(
    {"set-cookie", "connection", "content-encoding", "content-length", "transfer-encoding"}
)


@dataclass(frozen=True)
class Forwarded:
    """The app's answer, without its cookies."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    liquid: bool = False


def prefix(config: AppConfig) -> str:
    """The storefront path that belongs to the app."""
    return f"/{config.proxy_prefix}/{config.proxy_subpath}"


def signed_query(
    config: AppConfig, shop: Shop, given: list[tuple[str, str]], *, customer_id: int | None, timestamp: int
) -> list[tuple[str, str]]:
    """The caller's parameters, what Shopify adds, and the signature over all of them."""
    pairs = [(key, value) for key, value in given if key != "signature"]
    pairs += [
        ("shop", shop.domain),
        ("logged_in_customer_id", str(customer_id) if customer_id else ""),
        ("path_prefix", prefix(config)),
        ("timestamp", str(timestamp)),
    ]
    return [*pairs, ("signature", signatures.proxy(config.client_secret, pairs))]


def forward(config: AppConfig, request: Request, path: str, query: list[tuple[str, str]]) -> Forwarded:
    """Send the request on to the app and bring the answer back."""
    target = config.absolute(config.proxy_url).rstrip("/")
    # What was decoded on the way in is encoded again, or a question mark in it would begin the query.
    url = f"{target}/{quote(path)}" if path else target
    headers = {name: request.headers[name] for name in KEPT_REQUEST if name in request.headers}
    headers["X-Forwarded-Host"] = request.host
    headers["X-Forwarded-For"] = request.remote_addr or ""
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                request.method,
                f"{url}?{urlencode(query)}",
                data=request.get_data(),
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
    except requests.Timeout:
        return Forwarded(504, [("Content-Type", "text/plain")], b"The app took too long.\n")
    except requests.RequestException:
        return Forwarded(502, [("Content-Type", "text/plain")], b"The app could not be reached.\n")
    kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in DROPPED_ANSWER]
    liquid = answer.headers.get("Content-Type", "").startswith("application/liquid")
    return Forwarded(answer.status_code, kept, answer.content, liquid)
