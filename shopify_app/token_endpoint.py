"""Speaks to a shop's token endpoint: one exchange or one refresh, with every refusal named. It stores nothing."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import requests

from shopify_app.config import ShopifyConfig
from shopify_app.errors import (
    ConfigurationWrong,
    NeedsReauthorization,
    ShopUnavailable,
    Throttled,
    Unreachable,
)

TIMEOUT = (3.05, 10)
_UNAVAILABLE = frozenset({402, 403, 404, 423})
_DEFAULT_WAIT = 2.0


class SubjectTokenRefused(Exception):
    """Shopify does not take the ID token (any more); the page should come back with a fresh one."""


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An expiring offline token and what renews it."""

    access_token: str = field(repr=False)
    access_token_expires_at: datetime
    refresh_token: str = field(repr=False)
    refresh_token_expires_at: datetime
    scopes: str


def exchange(
    session: requests.Session, config: ShopifyConfig, domain: str, id_token: str, *, now: datetime
) -> TokenPair:
    """Offline tokens for a verified ID token. Repeating it is harmless. Raises ``SubjectTokenRefused`` and ``ShopifyError``."""
    answer = _post(
        session,
        config,
        domain,
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": id_token,
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "requested_token_type": "urn:shopify:params:oauth:token-type:offline-access-token",
            "expiring": "1",
        },
    )
    return _pair(answer, now)


def refresh(
    session: requests.Session, config: ShopifyConfig, domain: str, refresh_token: str, *, now: datetime
) -> TokenPair:
    """The next pair. After a lost reply the same refresh token may be tried again until the pair that it made is used."""
    answer = _post(session, config, domain, {"grant_type": "refresh_token", "refresh_token": refresh_token})
    return _pair(answer, now)


def _post(
    session: requests.Session, config: ShopifyConfig, domain: str, grant: dict[str, str]
) -> dict[str, Any]:
    body = {"client_id": config.api_key, "client_secret": config.api_secret, **grant}
    try:
        response = session.post(
            config.token_endpoint(domain),
            json=body,
            headers={"Accept": "application/json"},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        # The library's text may quote the address; its kind says enough.
        raise Unreachable(type(error).__name__) from None
    if response.status_code == 200:
        return _json(response)
    raise _refusal(response)


def _refusal(response: requests.Response) -> Exception:
    status = response.status_code
    try:
        code = str(response.json().get("error"))
    except (ValueError, AttributeError):
        code = ""
    if code == "invalid_subject_token":
        return SubjectTokenRefused()
    if code == "invalid_client":
        return ConfigurationWrong(code, status=status)
    if code in ("invalid_grant", "invalid_request", "unauthorized_client") and status in (400, 401):
        return NeedsReauthorization(code, status=status)
    if status == 429:
        return Throttled(retry_after(response, _DEFAULT_WAIT))
    if status in _UNAVAILABLE:
        return ShopUnavailable("shop_unavailable", status=status)
    return Unreachable("token_endpoint", status=status)


def retry_after(response: requests.Response, default: float) -> float:
    """The seconds that an answer asks us to wait; ``default`` when it does not say, never more than a minute."""
    try:
        return min(max(float(response.headers.get("Retry-After", "")), 0.0), 60.0)
    except ValueError:
        return default


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        raise Unreachable("unreadable_answer", status=response.status_code) from None
    if not isinstance(answer, dict):
        raise Unreachable("unreadable_answer", status=response.status_code)
    return answer


def _pair(answer: dict[str, Any], now: datetime) -> TokenPair:
    try:
        return TokenPair(
            access_token=_text(answer["access_token"]),
            access_token_expires_at=now + timedelta(seconds=int(answer["expires_in"])),
            refresh_token=_text(answer["refresh_token"]),
            refresh_token_expires_at=now + timedelta(seconds=int(answer["refresh_token_expires_in"])),
            scopes=str(answer.get("scope", "")),
        )
    except (KeyError, TypeError, ValueError):
        # Also what a token without an end looks like: such tokens are refused by Shopify for apps as new as this one.
        raise Unreachable("not_an_expiring_token") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value
