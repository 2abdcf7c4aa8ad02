"""The OAuth conversation over a real socket: what is made of strange answers."""

import json
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from klaviyo_oauth import oauth
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.oauth import GrantDead, Tokens, TokenTrouble

GOOD = {"access_token": "a", "refresh_token": "r", "expires_in": 3600, "scope": "accounts:read"}


def _config(server: HTTPServer) -> KlaviyoConfig:
    return KlaviyoConfig(
        app_url="https://app.fernandfig.shop",
        client_id="laurel",
        client_secret="not-a-secret",
        api_url=server.url_for("").rstrip("/"),
    )


def _refresh(server: HTTPServer, body: Any, status: int = 200) -> object:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    server.expect_request("/oauth/token").respond_with_data(
        data, status=status, content_type="application/json"
    )
    return oauth.refresh(_config(server), "old-token")


class TestAnswers:
    """What the token endpoint may say."""

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"null", b"[]", b'"ok"', b"7", b"<html>", b"\xff\xfe", b"{}"]
    )
    @pytest.mark.parametrize("status", [200, 400, 403, 429, 500, 503])
    def test_nonsense(self, httpserver: HTTPServer, body: bytes, status: int) -> None:
        """Nonsense is trouble, whatever its status: never tokens, never a verdict on the grant, never an exception."""
        assert isinstance(_refresh(httpserver, body, status), TokenTrouble)

    @pytest.mark.parametrize("code", ["invalid_grant", "invalid_grant_type"])
    def test_dead(self, httpserver: HTTPServer, code: str) -> None:
        """Both answers that Klaviyo has for a token that was revoked end the link."""
        assert _refresh(httpserver, {"error": code}, 400) == GrantDead()

    @pytest.mark.parametrize("code", ["invalid_client", "temporarily_unavailable", 7])
    def test_not_dead(self, httpserver: HTTPServer, code: object) -> None:
        """Any other error is no verdict on the grant."""
        assert isinstance(_refresh(httpserver, {"error": code}, 400), TokenTrouble)

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            (3600, 3600),
            (3600.5, 3600),
            (None, 3600),
            (True, 3600),
            (-1, 3600),
            (5, 120),
            (1e300, 2_592_000),
            (10**40, 2_592_000),
        ],
    )
    def test_life(self, httpserver: HTTPServer, given: object, kept: int) -> None:
        """A life that cannot be, or that would have every call renew the token, is brought within bounds."""
        found = _refresh(httpserver, GOOD | {"expires_in": given})
        assert isinstance(found, Tokens)
        assert found.expires_in == kept

    @pytest.mark.parametrize("word", [b"Infinity", b"NaN", b'"soon"', b"[1]", b'{"s":1}'])
    def test_no_life(self, httpserver: HTTPServer, word: bytes) -> None:
        """A life that is no number at all makes the whole answer unreadable, and no exception."""
        body = json.dumps(GOOD).encode().replace(b"3600", word)
        assert isinstance(_refresh(httpserver, body), TokenTrouble)


class TestRedirect:
    """An answer that names another address."""

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    @pytest.mark.parametrize("act", ["refresh", "exchange", "revoke"])
    def test_not_followed(self, httpserver: HTTPServer, status: int, act: str) -> None:
        """Token, code and client secret go to no address that only an answer named."""
        seen: list[Request] = []

        def elsewhere(request: Request) -> Response:
            seen.append(request)
            return Response(json.dumps(GOOD), content_type="application/json")

        headers = {"Location": httpserver.url_for("/elsewhere")}
        for path in ("/oauth/token", "/oauth/revoke"):
            httpserver.expect_request(path).respond_with_data("", status=status, headers=headers)
        httpserver.expect_request("/elsewhere").respond_with_handler(elsewhere)
        config = _config(httpserver)
        if act == "refresh":
            assert isinstance(oauth.refresh(config, "old-token"), TokenTrouble)
        elif act == "exchange":
            assert isinstance(oauth.exchange(config, code="c", verifier="v" * 43), TokenTrouble)
        else:
            assert oauth.revoke(config, "old-token", timeout=(1, 1)) is None
        assert seen == []
