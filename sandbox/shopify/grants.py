"""ID tokens, token exchange and refresh: who may call the Admin API of a shop, and for how long.

Only expiring offline tokens exist here; a permanent one is refused as it is for every new public app.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from sandbox.shopify import signatures
from sandbox.shopify.people import Customer
from sandbox.shopify.shop import AccessToken, Installation, RefreshToken, Shop
from sandbox.shopify.world import World

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:id_token"
OFFLINE = "urn:shopify:params:oauth:token-type:offline-access-token"
ACCESS_SECONDS = 3600
REFRESH_SECONDS = 90 * 24 * 3600
RETRY_WINDOW = timedelta(days=30)
LEEWAY_SECONDS = 10
MOST_TOKENS = 200


class Refusal(Exception):
    """An OAuth error answer."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


def id_token(
    world: World, shop: Shop, *, user: int = 90_000_000_001, lifetime: int = 60, **changes: Any
) -> str:
    """Sign the ID token that App Bridge hands to the app; `changes` replace claims for bad-token tests."""
    now = int(world.now().timestamp())
    claims: dict[str, Any] = {
        "iss": f"https://{shop.domain}/admin",
        "dest": f"https://{shop.domain}",
        "aud": world.config.client_id,
        "sub": str(user),
        "exp": now + lifetime,
        "nbf": now,
        "iat": now,
        "jti": secrets.token_hex(16),
        "sid": secrets.token_hex(16),
    }
    claims.update(changes)
    return signatures.jwt_encode(world.config.client_secret, claims)


def customer_token(world: World, shop: Shop, person: Customer | None) -> str:
    """Sign the token of a customer-account extension: five minutes, and the customer when signed in."""
    sub: dict[str, Any] = {"sub": f"gid://shopify/Customer/{person.id}"} if person else {}
    return id_token(world, shop, lifetime=300, iss=f"https://{shop.domain}", **sub)


def grant(world: World, shop: Shop, asked: dict[str, Any]) -> dict[str, Any]:
    """Answer a call to the token endpoint or raise a Refusal."""
    if (
        asked.get("client_id") != world.config.client_id
        or asked.get("client_secret") != world.config.client_secret
    ):
        raise Refusal("invalid_client", "The client id or secret is wrong.", 401)
    kind = asked.get("grant_type")
    if kind == TOKEN_EXCHANGE:
        return _exchange(world, shop, asked)
    if kind == "refresh_token":
        return _refresh(world, shop, asked)
    raise Refusal("unsupported_grant_type", "grant_type is neither token exchange nor refresh_token.")


def _exchange(world: World, shop: Shop, asked: dict[str, Any]) -> dict[str, Any]:
    if asked.get("subject_token_type") != ID_TOKEN_TYPE:
        raise Refusal("invalid_request", "subject_token_type is wrong.")
    if asked.get("requested_token_type") != OFFLINE:
        raise Refusal("invalid_request", "The sandbox grants offline access tokens only.")
    if str(asked.get("expiring")) != "1":
        raise Refusal("invalid_request", "Non-expiring access tokens are no longer accepted.", 403)
    _check_id_token(world, shop, str(asked.get("subject_token", "")))
    if shop.installation is None:
        raise Refusal("invalid_subject_token", "The app is not installed.")
    return _issue(world, shop.installation, parent=None)


def _check_id_token(world: World, shop: Shop, token: str) -> None:
    claims = signatures.jwt_decode(world.config.client_secret, token)
    now = world.now().timestamp()
    valid = (
        claims is not None
        and claims.get("aud") == world.config.client_id
        and claims.get("dest") == f"https://{shop.domain}"
        and isinstance(claims.get("exp"), int)
        and claims["exp"] > now - LEEWAY_SECONDS
        and claims.get("nbf", 0) <= now + LEEWAY_SECONDS
    )
    if not valid:
        raise Refusal("invalid_subject_token", "The ID token is not valid.")


def _issue(
    world: World, installation: Installation, *, parent: str | None, refresh: str | None = None
) -> dict[str, Any]:
    """Make an access token, and a refresh token unless an unused replacement is handed out again."""
    now = world.now()
    if refresh is None:
        refresh = f"shprt_{secrets.token_hex(20)}"
        expires = now + timedelta(seconds=REFRESH_SECONDS)
        installation.refresh[refresh] = RefreshToken(refresh, expires, parent=parent)
    access = f"shpat_{secrets.token_hex(16)}"
    installation.access[access] = AccessToken(access, now + timedelta(seconds=ACCESS_SECONDS), refresh)
    for kept in (installation.access, installation.refresh):
        while len(kept) > MOST_TOKENS:
            kept.popitem(last=False)
    left = installation.refresh[refresh].expires_at - now
    return {
        "access_token": access,
        "scope": ",".join(installation.scopes),
        "expires_in": ACCESS_SECONDS,
        "refresh_token": refresh,
        "refresh_token_expires_in": int(left.total_seconds()),
    }


def _refresh(world: World, shop: Shop, asked: dict[str, Any]) -> dict[str, Any]:
    installation = shop.installation
    known = installation.refresh.get(str(asked.get("refresh_token", ""))) if installation else None
    now = world.now()
    if installation is None or known is None or known.expires_at <= now:
        raise Refusal("invalid_grant", "The refresh token is unknown, expired or revoked.")
    if known.replacement is None:
        known.first_used_at = now
        _mark_used(installation, known)
        answer = _issue(world, installation, parent=known.value)
        known.replacement = answer["refresh_token"]
        return answer
    follower = installation.refresh.get(known.replacement)
    late = known.first_used_at is not None and now - known.first_used_at > RETRY_WINDOW
    if follower is None or follower.used or late:
        raise Refusal("invalid_grant", "The refresh token was replaced.")
    return _issue(world, installation, parent=known.value, refresh=follower.value)


def _mark_used(installation: Installation, token: RefreshToken) -> None:
    token.used = True
    if token.parent is not None and token.parent in installation.refresh:
        installation.refresh[token.parent].used = True


def installation_for(world: World, shop: Shop, access_token: str | None) -> Installation | None:
    """Return the installation that a live access token belongs to, and note that its pair is in use."""
    if shop.installation is None or not access_token:
        return None
    known = shop.installation.access.get(access_token)
    if known is None or known.expires_at <= world.now():
        return None
    pair = shop.installation.refresh.get(known.refresh)
    if pair is not None:
        pair.used = True
    return shop.installation
