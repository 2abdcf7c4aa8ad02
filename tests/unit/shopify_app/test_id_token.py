"""The ID token that App Bridge sends."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from shopify_app.config import ShopifyConfig
from shopify_app.id_token import IdTokenRefused, bearer, verify_id_token

SECRET = "n" * 40
OLD = "o" * 40
CONFIG = ShopifyConfig(api_key="client-1", api_secret=SECRET, api_secret_old=OLD)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_that_time() -> Iterator[None]:
    """The library reads the clock for exp and nbf, and a token lives for a minute: the clock stands where the tokens are."""
    with time_machine.travel(NOW, tick=False):
        yield


def encode(value: Any) -> str:
    """A part of a token."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(secret: str = SECRET, *, drop: str | None = None, algorithm: str = "HS256", **changes: Any) -> str:
    """A token as Shopify makes it, with changes. It is put together by hand, for no library makes the false ones."""
    claims = {
        "iss": "https://fern.myshopify.com/admin",
        "dest": "https://fern.myshopify.com",
        "aud": "client-1",
        "sub": "42",
        "exp": int((NOW + timedelta(seconds=60)).timestamp()),
        "nbf": int(NOW.timestamp()),
        "iat": int(NOW.timestamp()),
        "jti": "j",
        "sid": "s",
    } | changes
    claims.pop(drop or "", None)
    signed = f"{encode({'alg': algorithm, 'typ': 'JWT'})}.{encode(claims)}"
    digest = hashlib.sha512 if algorithm == "HS512" else hashlib.sha256
    return f"{signed}.{encode(hmac.new(secret.encode(), signed.encode(), digest).digest())}"


class TestVerify:
    """Which tokens prove who is asking."""

    @pytest.mark.parametrize("secret", [SECRET, OLD])
    def test_holds(self, secret):
        """A genuine token gives shop, user and end, under the current and the previous secret."""
        claims = verify_id_token(token(secret), CONFIG, now=NOW)
        assert (claims.shop, claims.user_id) == ("fern.myshopify.com", "42")
        assert claims.expires_at == NOW + timedelta(seconds=60)

    def test_tolerance(self):
        """A token that ended a few seconds ago is still good, for clocks differ."""
        ended = token(exp=int((NOW - timedelta(seconds=5)).timestamp()))
        assert verify_id_token(ended, CONFIG, now=NOW).user_id == "42"

    @pytest.mark.parametrize("secret", [SECRET, OLD])
    def test_expired(self, secret):
        """A stale token is told from a false one, whichever secret made it."""
        stale = token(secret, exp=int((NOW - timedelta(minutes=5)).timestamp()))
        with pytest.raises(IdTokenRefused) as refused:
            verify_id_token(stale, CONFIG, now=NOW)
        assert refused.value.expired

    def test_injected_clock(self):
        """The end counts by the clock that is handed in as well."""
        with pytest.raises(IdTokenRefused):
            verify_id_token(token(), CONFIG, now=NOW + timedelta(minutes=5))

    @pytest.mark.parametrize(
        "made",
        [
            "",
            "x",
            "a.b.c",
            "é",
            "A" * 5000,
            token("z" * 40),
            token(algorithm="HS512"),
            token(algorithm="none").rpartition(".")[0] + ".",
            token(aud="another-app"),
            token(dest="https://other.myshopify.com"),
            token(iss="https://evil.net/admin", dest="https://evil.net"),
            token(
                iss="https://fern.myshopify.com.evil.net/admin", dest="https://fern.myshopify.com.evil.net"
            ),
            token(iss="http://fern.myshopify.com/admin", dest="http://fern.myshopify.com"),
            token(iss="https://fern.myshopify.com/elsewhere"),
            token(dest="https://fern.myshopify.com/path"),
            token(iss=7),
            token(dest=None),
            token(exp="soon"),
            token(drop="exp"),
            token(drop="sub"),
            token(drop="iss"),
            token(drop="dest"),
        ],
    )
    def test_refused(self, made):
        """Everything else is refused by one error, never by a crash."""
        with pytest.raises(IdTokenRefused):
            verify_id_token(made, CONFIG, now=NOW)

    def test_no_secret(self):
        """Without a secret nothing verifies."""
        with pytest.raises(IdTokenRefused, match="no_secret"):
            verify_id_token(token(), ShopifyConfig(api_key="client-1", api_secret=""), now=NOW)


class TestBearer:
    """Reading the header."""

    @pytest.mark.parametrize(
        ("header", "found"),
        [("Bearer abc", "abc"), ("bearer abc", "abc"), (None, ""), ("Basic x", ""), ("", "")],
    )
    def test_reads(self, header, found):
        """Only a bearer token is taken."""
        assert bearer(header) == found
