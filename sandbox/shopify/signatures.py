"""Every signature that Shopify makes with an app's client secret.

Only signing lives here: the sandbox never checks its own signatures, the app does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any


def webhook(secret: str, body: bytes) -> str:
    """Return the base64 HMAC-SHA256 of a webhook's raw body."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def proxy(secret: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return the app proxy's signature: repeated values joined by commas, sorted, no separator."""
    grouped: dict[str, list[str]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(value)
    message = "".join(sorted(f"{key}={','.join(values)}" for key, values in grouped.items()))
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def admin_query(secret: str, query: Mapping[str, str]) -> str:
    """Return the `hmac` parameter of a link from the admin: sorted pairs joined by ampersands."""
    message = "&".join(f"{key}={query[key]}" for key in sorted(query))
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt_encode(secret: str, claims: Mapping[str, Any]) -> str:
    """Return an HS256 JSON Web Token."""
    head = _segment(json.dumps({"alg": "HS256", "typ": "JWT"}, separators=(",", ":")).encode())
    body = _segment(json.dumps(claims, separators=(",", ":")).encode())
    mac = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{_segment(mac)}"


def jwt_decode(secret: str, token: str) -> dict[str, Any] | None:
    """Return the claims of an HS256 token whose signature holds, else None; times are not looked at."""
    try:
        head, body, mac = token.split(".")
        wanted = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
        given = base64.urlsafe_b64decode(mac + "=" * (-len(mac) % 4))
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        if header.get("alg") != "HS256" or not hmac.compare_digest(wanted, given):
            return None
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, AttributeError):
        return None
    return claims if isinstance(claims, dict) else None
