"""Verifies the ID token that App Bridge puts on every request from the merchant's admin.

Shopify's library checks the algorithm, the signature, the audience and the issuer's host. What it leaves open is closed here: the
token must say when it ends, its destination must be the very shop that issued it, and every odd input ends as ``IdTokenRefused``.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shopify import session_token

from shopify_app.config import ShopifyConfig, canonical_domain

# App Bridge's clock may be ahead of ours; Shopify's own libraries allow as much.
TOLERANCE_SECONDS = 10
# A token is a few hundred characters; whatever is far longer is not worth a hash.
_LONGEST = 4096


class IdTokenRefused(Exception):
    """The token does not prove who is asking. ``expired`` tells a stale token from a false one; the token is never part of it."""

    def __init__(self, code: str, *, expired: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.expired = expired


@dataclass(frozen=True, slots=True)
class IdClaims:
    """What a verified token proves: this user, in this shop, until ``expires_at``."""

    shop: str
    user_id: str
    expires_at: datetime


def verify_id_token(token: str, config: ShopifyConfig, *, now: datetime) -> IdClaims:
    """The claims of an ID token, or ``IdTokenRefused``. The secret of before a rotation is accepted too."""
    if not token or len(token) > _LONGEST or not token.isascii():
        raise IdTokenRefused("missing" if not token else "unreadable")
    refusal = IdTokenRefused("no_secret")
    for secret in config.secrets:
        try:
            claims = session_token.decode_from_header(f"Bearer {token}", config.api_key, secret)
        except session_token.SessionTokenError as error:
            # A token of the other secret fails on its signature; the refusal worth telling is the one that came further.
            if not refusal.expired:
                refusal = IdTokenRefused("invalid", expired="expired" in str(error).lower())
        except (AttributeError, TypeError, ValueError, KeyError):
            # The library does not expect claims of other types (an issuer that is a number, for example).
            refusal = IdTokenRefused("unreadable")
        else:
            return _checked(claims, now)
    raise refusal


def bearer(header: str | None) -> str:
    """The token of an ``Authorization`` header, or an empty text."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _checked(claims: dict[str, Any], now: datetime) -> IdClaims:
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or isinstance(expires, bool):
        raise IdTokenRefused("no_expiry")
    if now.timestamp() > expires + TOLERANCE_SECONDS:
        raise IdTokenRefused("invalid", expired=True)
    scheme, _, host = str(claims["dest"]).partition("://")
    shop = canonical_domain(host)
    if scheme != "https" or shop is None or claims["iss"] != f"https://{host}/admin":
        raise IdTokenRefused("foreign_shop")
    return IdClaims(shop=shop, user_id=str(claims["sub"]), expires_at=datetime.fromtimestamp(expires, UTC))
