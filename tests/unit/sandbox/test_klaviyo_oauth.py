"""The local Klaviyo's OAuth: what a connecting app meets when all goes well, and when it does not."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sandbox import klaviyo
from tests.unit.sandbox.klaviyo_rig import CALLBACK, CLIENT, Rig, code_in


@pytest.fixture(name="rig")
def _rig() -> Iterator[Rig]:
    found = Rig()
    yield found
    found.close()


def answer(reply: requests.Response) -> dict[str, list[str]]:
    assert reply.status_code == 302
    assert reply.headers["Location"].startswith(CALLBACK)
    return parse_qs(urlsplit(reply.headers["Location"]).query)


class TestConsent:
    def test_page(self, rig):
        """The page names the app, every account and each scope."""
        query = {
            "response_type": "code",
            "client_id": CLIENT[0],
            "redirect_uri": CALLBACK,
            "scope": "events:write",
        }
        query |= {"code_challenge_method": "S256", "code_challenge": "c" * 43}
        page = requests.get(f"{rig.url}/oauth/authorize", params=query, timeout=30)
        assert page.status_code == 200
        for text in (
            "Laurel wants to connect",
            "Fern &amp; Fig",
            "Harbour Coffee",
            "events:write",
            "Allow",
            "Deny",
        ):
            assert text in page.text

    @pytest.mark.parametrize("changed", [{"client_id": "other"}, {"redirect_uri": CALLBACK + "/"}])
    def test_stranger(self, rig, changed):
        """An unknown app or address is told so on the page and sent nowhere."""
        reply = rig.authorize(**changed)
        assert reply.status_code == 400
        assert "Location" not in reply.headers

    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"code_challenge": ""}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"scope": "events:write everything"}, "invalid_scope"),
            ({"scope": ""}, "invalid_scope"),
            ({"response_type": "token"}, "unsupported_response_type"),
        ],
    )
    def test_bad_demand(self, rig, changed, error):
        """A demand that breaks the rules goes back to the app with its error and state."""
        found = answer(rig.authorize(**changed))
        assert (found["error"], found["state"]) == ([error], ["st"])

    @pytest.mark.parametrize("scope", ["data-privacy:read", "segments:delete", "EVENTS:READ"])
    def test_no_such_scope(self, rig, scope):
        """Only scopes that Klaviyo knows can be asked for."""
        assert answer(rig.authorize(scope=scope))["error"] == ["invalid_scope"]

    def test_no_scopes_at_all(self):
        """An app whose list is empty may ask for nothing, which is not the same as having no list."""
        with klaviyo.start(redirect_uris=[CALLBACK], scopes=[]) as found:
            query = {"response_type": "code", "client_id": klaviyo.DEFAULT_CLIENT_ID, "scope": "events:read"}
            query |= {"redirect_uri": CALLBACK, "code_challenge_method": "S256", "code_challenge": "c" * 43}
            reply = requests.get(
                f"{found.url}/oauth/authorize", params=query, allow_redirects=False, timeout=10
            )
            assert "error=invalid_scope" in reply.headers["Location"]

    def test_deny(self, rig):
        """Deny comes back as access_denied with the state."""
        found = answer(rig.authorize(decision="deny"))
        assert (found["error"], found["state"]) == (["access_denied"], ["st"])


class TestCode:
    def test_tokens(self, rig):
        """A code gives every field of a token response, and accounts:read with whatever was asked."""
        found = rig.exchange(code_in(rig.authorize(scope="events:write"))).json()
        assert found.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
        assert found["scope"] == "accounts:read events:write"

    def test_once(self, rig):
        """A code is good for one exchange."""
        code = code_in(rig.authorize())
        assert rig.exchange(code).status_code == 200
        again = rig.exchange(code)
        assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")

    def test_five_minutes(self, rig):
        """A code dies after five minutes."""
        code = code_in(rig.authorize())
        rig.clock.forward(300)
        assert rig.exchange(code).json()["error"] == "invalid_grant"

    @pytest.mark.parametrize("changed", [{"code_verifier": "w" * 43}, {"redirect_uri": CALLBACK + "x"}])
    def test_mismatch(self, rig, changed):
        """Another verifier or another address than authorized is refused."""
        reply = rig.exchange(code_in(rig.authorize()), **changed)
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")

    def test_account(self, rig):
        """The token speaks for the account that was chosen."""
        rig.tokens = rig.connect(account="HarbCf")
        found = rig.call("GET", "/api/accounts").json()["data"][0]
        assert (found["id"], found["attributes"]["preferred_currency"]) == ("HarbCf", "EUR")


class TestClient:
    def test_wrong_secret(self, rig):
        """A wrong secret is invalid_client with 401."""
        form = {"grant_type": "refresh_token", "refresh_token": "x"}
        reply = requests.post(f"{rig.url}/oauth/token", data=form, auth=(CLIENT[0], "wrong"), timeout=30)
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")

    def test_twice(self, rig):
        """A parameter that is there twice is refused."""
        form = [("grant_type", "refresh_token"), ("refresh_token", rig.tokens["refresh_token"])] * 2
        reply = requests.post(f"{rig.url}/oauth/token", data=form, auth=CLIENT, timeout=30)
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")
        assert rig.refresh(rig.tokens["refresh_token"]).status_code == 200

    def test_json_body(self, rig):
        """The token endpoint reads forms only."""
        reply = requests.post(
            f"{rig.url}/oauth/token", json={"grant_type": "refresh_token"}, auth=CLIENT, timeout=10
        )
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant_type")


class TestRefresh:
    def test_rotation(self, rig):
        """By default a refresh gives a new refresh token and the old one is dead."""
        fresh = rig.refresh(rig.tokens["refresh_token"]).json()
        assert fresh["refresh_token"] != rig.tokens["refresh_token"]
        assert rig.refresh(rig.tokens["refresh_token"]).json()["error"] == "invalid_grant"

    def test_access_token(self, rig):
        """By default a refresh ends the access token before it; switched off, both live on."""
        rig.refresh(rig.tokens["refresh_token"])
        assert rig.call("GET", "/api/accounts").status_code == 401
        rig.tokens = rig.connect()
        rig.control("PATCH", "/settings", refresh_kills_access_tokens=False)
        rig.refresh(rig.tokens["refresh_token"])
        assert rig.call("GET", "/api/accounts").status_code == 200

    def test_no_rotation(self, rig):
        """Switched off, the same refresh token comes back and goes on working."""
        rig.control("PATCH", "/settings", rotate_refresh_tokens=False)
        token = rig.tokens["refresh_token"]
        assert [rig.refresh(token).json()["refresh_token"] for _ in range(2)] == [token, token]

    def test_expiry(self, rig):
        """An access token is refused once expires_in has passed, and a refreshed one is taken."""
        rig.clock.forward(rig.tokens["expires_in"])
        assert rig.call("GET", "/api/accounts").status_code == 401
        rig.tokens = rig.refresh(rig.tokens["refresh_token"]).json()
        assert rig.call("GET", "/api/accounts").status_code == 200

    def test_ten_a_minute(self, rig):
        """The eleventh refresh within a minute is told to wait; a minute later it passes."""
        rig.control("PATCH", "/settings", rotate_refresh_tokens=False)
        token = rig.tokens["refresh_token"]
        assert {rig.refresh(token).status_code for _ in range(10)} == {200}
        refused = rig.refresh(token)
        assert (refused.status_code, 0 < int(refused.headers["Retry-After"]) <= 61) == (429, True)
        rig.clock.forward(60)
        assert rig.refresh(token).status_code == 200

    def test_ninety_days(self, rig):
        """A grant that was not used for ninety days is dead."""
        rig.clock.forward(91 * 86_400)
        assert rig.refresh(rig.tokens["refresh_token"]).json()["error"] == "invalid_grant"


class TestUninstall:
    def test_revoke(self, rig):
        """Revoking ends the access token, the refresh token and the installation."""
        form = {"token": rig.tokens["refresh_token"], "token_type_hint": "refresh_token"}
        assert requests.post(f"{rig.url}/oauth/revoke", data=form, auth=CLIENT, timeout=30).status_code == 200
        assert rig.call("GET", "/api/accounts").status_code == 401
        assert rig.refresh(rig.tokens["refresh_token"]).json()["error"] == "invalid_grant"
        assert not rig.control("GET", "/accounts")["accounts"][0]["installed"]

    def test_by_merchant(self, rig):
        """An uninstall in Klaviyo shows as 401, then invalid_grant."""
        assert rig.control("POST", "/uninstall", account="FernFg") == {"uninstalled": True}
        assert rig.call("GET", "/api/accounts").status_code == 401
        assert rig.refresh(rig.tokens["refresh_token"]).status_code == 400
