"""Tokens of the local Shopify: exchange, refresh with rotation, expiry and the end at uninstall."""

from collections.abc import Iterator

import pytest
import requests

from tests.unit.sandbox.shopify_rig import CLIENT_ID, SECRET, Rig, rig

SHOP_QUERY = "{shop{name}}"


@pytest.fixture(name="shop")
def _shop() -> Iterator[Rig]:
    with rig() as found:
        yield found


class TestExchange:
    def test_grants(self, shop):
        """An ID token buys an hour of access and ninety days of refresh."""
        answer = shop.exchange().json()
        assert answer["expires_in"] == 3600
        assert 7_775_000 < answer["refresh_token_expires_in"] <= 7_776_000
        assert "read_orders" in answer["scope"].split(",")
        assert shop.raw(SHOP_QUERY, answer["access_token"]).json()["data"]["shop"]["name"] == "Fern & Fig"

    @pytest.mark.parametrize(
        "claims",
        [{"aud": "another"}, {"exp": 1}, {"dest": "https://other.myshopify.com"}, {"exp": None}],
        ids=["audience", "expired", "other shop", "no expiry"],
    )
    def test_bad_id_token(self, shop, claims):
        """A token for someone else, somewhere else or of yesterday is an invalid subject token."""
        token = shop.post("/id_token", claims=claims)["id_token"]
        answer = shop.exchange(subject_token=token)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_subject_token")

    def test_forged(self, shop):
        """A token with a changed signature is refused."""
        token = shop.post("/id_token")["id_token"]
        answer = shop.exchange(subject_token=token[:-4] + "AAAA")
        assert answer.json()["error"] == "invalid_subject_token"

    @pytest.mark.parametrize(
        ("changes", "status", "error"),
        [
            ({"client_secret": "wrong"}, 401, "invalid_client"),
            ({"grant_type": "authorization_code"}, 400, "unsupported_grant_type"),
            ({"subject_token_type": "urn:x"}, 400, "invalid_request"),
            ({"requested_token_type": "urn:x"}, 400, "invalid_request"),
            ({"expiring": "0"}, 403, "invalid_request"),
        ],
    )
    def test_parameters(self, shop, changes, status, error):
        """Every parameter is checked, and permanent tokens are not given."""
        answer = shop.exchange(**changes)
        assert (answer.status_code, answer.json()["error"]) == (status, error)


class TestRefresh:
    def test_rotates(self, shop):
        """A refresh gives a new pair, and the new refresh token works in turn."""
        first = shop.exchange().json()
        second = shop.refresh(first["refresh_token"]).json()
        assert second["refresh_token"] != first["refresh_token"]
        assert second["access_token"] != first["access_token"]
        assert shop.refresh(second["refresh_token"]).ok

    def test_lost_answer(self, shop):
        """The old refresh token may be tried again while nobody used its replacement."""
        first = shop.exchange().json()
        lost = shop.refresh(first["refresh_token"]).json()
        again = shop.refresh(first["refresh_token"]).json()
        assert again["refresh_token"] == lost["refresh_token"]

    def test_dead_once_replaced(self, shop):
        """Using the replacement's access token ends the old refresh token."""
        first = shop.exchange().json()
        second = shop.refresh(first["refresh_token"]).json()
        shop.raw(SHOP_QUERY, second["access_token"])
        answer = shop.refresh(first["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")

    def test_ninety_days(self, shop):
        """A refresh token that nobody used for ninety days is dead."""
        token = shop.exchange().json()["refresh_token"]
        shop.post("//clock", advance=90 * 24 * 3600 + 1)
        assert shop.refresh(token).json()["error"] == "invalid_grant"

    def test_client(self, shop):
        """A wrong secret is told apart from a dead token."""
        answer = shop.oauth(client_id=CLIENT_ID, client_secret=SECRET + "x", grant_type="refresh_token")
        assert answer.json()["error"] == "invalid_client"


class TestAccess:
    def test_hour(self, shop):
        """After an hour the access token is refused."""
        token = shop.exchange().json()["access_token"]
        shop.post("//clock", advance=3601)
        assert shop.raw(SHOP_QUERY, token).status_code == 401

    def test_uninstall(self, shop):
        """Uninstalling kills access and refresh at once, and a reinstall does not revive them."""
        pair = shop.exchange().json()
        shop.post("/uninstall")
        assert shop.raw(SHOP_QUERY, pair["access_token"]).status_code == 401
        shop.post("/install")
        assert shop.raw(SHOP_QUERY, pair["access_token"]).status_code == 401
        assert shop.refresh(pair["refresh_token"]).json()["error"] == "invalid_grant"
        assert shop.exchange().ok

    def test_version(self, shop):
        """Only the one API version exists."""
        url = f"{shop.sandbox.url}/shops/{shop.domain}/admin/api/2024-01/graphql.json"
        assert requests.post(url, json={}, timeout=30).status_code == 404
