"""The OAuth conversation with Klaviyo, spoken by Authlib: authorize with PKCE, trade the code, refresh, revoke. It stores nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from klaviyo_oauth.client import TIMEOUT
from klaviyo_oauth.config import SCOPES, KlaviyoConfig

_ASSUMED_LIFE = 3600
# Tokens are renewed a minute before their end: one that never lived longer would be renewed with every call, past Klaviyo's limit. A
# token that dies sooner is noticed by its 401, so either bound is harmless.
_SHORTEST_LIFE, _LONGEST_LIFE = 120, 30 * 86_400
# By Klaviyo's troubleshooting page the second is another answer to an expired or revoked refresh token.
_DEAD = frozenset(("invalid_grant", "invalid_grant_type"))
_HINT = "refresh_token"
_BASIC = "client_secret_basic"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint handed out. ``refresh`` is None when it was not handed out again."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    expires_in: int
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class GrantDead:
    """The code or the refresh token is worthless for good: uninstalled, revoked or unused for 90 days."""


@dataclass(frozen=True, slots=True)
class TokenTrouble:
    """No tokens now, and no verdict on the grant either: Klaviyo is away, or our own credentials are wrong."""

    reason: str


TokenAnswer = Tokens | GrantDead | TokenTrouble


def authorization_url(config: KlaviyoConfig, *, state: str, verifier: str) -> str:
    """Where the merchant's browser goes to allow us in."""
    with _session(config, scope=" ".join(SCOPES)) as session:
        url, _ = session.create_authorization_url(config.authorize_url, state=state, code_verifier=verifier)
    return str(url)


def exchange(config: KlaviyoConfig, *, code: str, verifier: str) -> TokenAnswer:
    """Trade an authorization code for tokens."""
    with _session(config) as session:
        return _tokens(lambda: session.fetch_token(config.token_url, code=code, code_verifier=verifier))


def refresh(config: KlaviyoConfig, refresh_token: str) -> TokenAnswer:
    """Trade a refresh token for a new access token. No scope is sent: the official examples send none."""
    with _session(config) as session:
        return _tokens(lambda: session.refresh_token(config.token_url, refresh_token=refresh_token))


def revoke(config: KlaviyoConfig, refresh_token: str, *, timeout: tuple[float, float]) -> int | None:
    """Give the grant back, which uninstalls the app at Klaviyo. The status of the answer, or None when none came."""
    with _session(config) as session:
        try:
            response = session.revoke_token(
                config.revoke_url, token=refresh_token, token_type_hint=_HINT, timeout=timeout
            )
        except requests.RequestException:
            return None
    return int(response.status_code)


def _session(config: KlaviyoConfig, scope: str | None = None) -> OAuth2Session:
    session = OAuth2Session(
        config.client_id,
        config.client_secret,
        scope=scope,
        redirect_uri=config.redirect_uri,
        token_endpoint_auth_method=_BASIC,
        revocation_endpoint_auth_method=_BASIC,
        code_challenge_method="S256",
        default_timeout=TIMEOUT,
    )
    # A redirected POST would carry code, token or client secret to an address that only an answer named.
    session.max_redirects = 0
    return session


def _tokens(ask: Callable[[], Mapping[str, Any]]) -> TokenAnswer:
    try:
        token = ask()
    except OAuthError as error:
        if error.error in _DEAD:
            return GrantDead()
        return TokenTrouble(str(error.error))
    except requests.HTTPError as error:
        return TokenTrouble(
            f"HTTP {error.response.status_code}" if error.response is not None else "HTTP error"
        )
    except requests.RequestException as error:
        return TokenTrouble(type(error).__name__)
    except (ValueError, TypeError, OverflowError):
        # Authlib computes with what was answered before anybody could look at it.
        return TokenTrouble("unreadable answer")
    return _read(token)


def _read(token: Mapping[str, Any]) -> TokenAnswer:
    access, again = token.get("access_token"), token.get("refresh_token")
    if not isinstance(access, str) or not access:
        return TokenTrouble("no access token in the answer")
    life = token.get("expires_in")
    seconds = _ASSUMED_LIFE
    if isinstance(life, int | float) and not isinstance(life, bool) and life > 0:
        seconds = int(min(max(life, _SHORTEST_LIFE), _LONGEST_LIFE))
    scopes = token.get("scope")
    names = frozenset(scopes.split()) if isinstance(scopes, str) else frozenset()
    return Tokens(access, again if isinstance(again, str) and again else None, seconds, names)
