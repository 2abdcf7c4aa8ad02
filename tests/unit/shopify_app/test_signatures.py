"""Shopify's signatures over webhooks and app proxy requests."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from shopify_app.signatures import SignatureRefused, verified_proxy_query, webhook_signature_holds

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BODY = b'{"id": 1, "note": "caf\xc3\xa9"}'


def sign(body: bytes, secret: str) -> str:
    """The base64 signature that Shopify puts on a webhook."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def proxy_query(pairs: list[tuple[str, str]], secret: str = "s3cret") -> str:
    """A query string signed as Shopify's app proxy signs it."""
    grouped: dict[str, list[str]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(value)
    message = "".join(sorted(f"{key}={','.join(values)}" for key, values in grouped.items()))
    signature = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    return urlencode([*pairs, ("signature", signature)])


def pairs(**changes: str) -> list[tuple[str, str]]:
    """The parameters that Shopify adds, with changes."""
    values = {
        "shop": "fern.myshopify.com",
        "logged_in_customer_id": "7",
        "path_prefix": "/apps/laurel",
        "timestamp": str(int(NOW.timestamp())),
    }
    return list((values | changes).items())


class TestWebhook:
    """The signature over a webhook's raw body."""

    def test_current_secret(self):
        """A body signed with the current secret holds."""
        assert webhook_signature_holds(BODY, sign(BODY, "new"), ["new", "old"])

    def test_old_secret(self):
        """During a rotation the old secret still verifies."""
        assert webhook_signature_holds(BODY, sign(BODY, "old"), ["new", "old"])

    def test_changed_body(self):
        """One changed byte refuses the body."""
        assert not webhook_signature_holds(BODY + b" ", sign(BODY, "new"), ["new"])

    @pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
    def test_empty_secret(self, secrets):
        """An empty secret disables: even a signature made with it is refused."""
        assert not webhook_signature_holds(BODY, sign(BODY, ""), secrets)

    @pytest.mark.parametrize("signature", ["", "é" * 44, "%%%", "AAAA", "\x00" * 44])
    def test_unreadable(self, signature):
        """A signature that cannot be one is refused and breaks nothing."""
        assert not webhook_signature_holds(BODY, signature, ["new"])


class TestProxy:
    """The signature over an app proxy query."""

    def test_holds(self):
        """A signed query gives its parameters, without the signature."""
        assert verified_proxy_query(proxy_query(pairs()), ["s3cret"], now=NOW) == dict(pairs())

    def test_known_vector(self):
        """The published example of the scheme verifies: repeated values are joined with commas, pairs without separator."""
        query = (
            "extra=1&extra=2&shop=shop-name.myshopify.com&logged_in_customer_id=1&path_prefix=%2Fapps%2Fawesome_reviews"
            "&timestamp=1317327555&signature=4c68c8624d737112c91818c11017d24d334b524cb5c2b8ba08daa056f7395ddb"
        )
        now = datetime.fromtimestamp(1317327555, UTC)
        assert verified_proxy_query(query, ["hush"], now=now)["extra"] == "1,2"

    def test_guest(self):
        """Nobody logged in is an empty customer id."""
        found = verified_proxy_query(proxy_query(pairs(logged_in_customer_id="")), ["s3cret"], now=NOW)
        assert found["logged_in_customer_id"] == ""

    def test_unicode(self):
        """Escaped text in other alphabets is signed as text."""
        assert (
            verified_proxy_query(proxy_query([*pairs(), ("q", "фикус")]), ["s3cret"], now=NOW)["q"] == "фикус"
        )

    def test_old_secret(self):
        """During a rotation the old secret still verifies."""
        assert (
            verified_proxy_query(proxy_query(pairs(), "old"), ["s3cret", "old"], now=NOW)["shop"]
            == "fern.myshopify.com"
        )

    @pytest.mark.parametrize("seconds", [-91, 91, 3600])
    def test_window(self, seconds):
        """A query older (or newer) than the window is refused."""
        with pytest.raises(SignatureRefused, match="outside_window"):
            verified_proxy_query(proxy_query(pairs()), ["s3cret"], now=NOW + timedelta(seconds=seconds))

    @pytest.mark.parametrize("key", ["shop", "timestamp", "logged_in_customer_id"])
    def test_duplicates(self, key):
        """A parameter that decides who is asking may not come twice, even when signed so."""
        with pytest.raises(SignatureRefused, match="duplicate_parameter"):
            verified_proxy_query(proxy_query([*pairs(), (key, "9")]), ["s3cret"], now=NOW)

    def test_two_signatures(self):
        """Two signatures are refused."""
        with pytest.raises(SignatureRefused, match="duplicate_parameter"):
            verified_proxy_query(proxy_query(pairs()) + "&signature=00", ["s3cret"], now=NOW)

    @pytest.mark.parametrize("timestamp", ["", "x", "-1", "1_0", "１２", "9" * 13])
    def test_timestamp(self, timestamp):
        """A timestamp that is not plain digits is refused."""
        with pytest.raises(SignatureRefused, match="bad_timestamp"):
            verified_proxy_query(proxy_query(pairs(timestamp=timestamp)), ["s3cret"], now=NOW)

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("", "bad_signature"),
            ("shop=fern.myshopify.com", "bad_signature"),
            ("signature=é", "not_ascii"),
            ("signature=%C3%A9", "bad_signature"),
            ("a=%FF", "unreadable"),
            ("&".join("a=1" for _ in range(200)), "unreadable"),
        ],
    )
    def test_unreadable(self, query, code):
        """Queries that nobody signed are refused by name and break nothing."""
        with pytest.raises(SignatureRefused, match=code):
            verified_proxy_query(query, ["s3cret"], now=NOW)

    def test_tampered(self):
        """A changed customer id refuses the query."""
        query = proxy_query(pairs()).replace("customer_id=7", "customer_id=8")
        with pytest.raises(SignatureRefused, match="bad_signature"):
            verified_proxy_query(query, ["s3cret"], now=NOW)

    def test_empty_secret(self):
        """An empty secret disables."""
        with pytest.raises(SignatureRefused, match="bad_signature"):
            verified_proxy_query(proxy_query(pairs(), ""), [""], now=NOW)
