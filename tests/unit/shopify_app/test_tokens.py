"""A shop's access token: kept, renewed, exchanged."""

import json
import threading
from datetime import timedelta

import pytest
import requests
from werkzeug import Request, Response

from loyalty import leases
from loyalty.models import Shop
from shopify_app import token_endpoint, tokens
from shopify_app.config import ShopifyConfig
from shopify_app.errors import (
    ConfigurationWrong,
    NeedsReauthorization,
    NotInstalled,
    ShopUnavailable,
    Throttled,
    TokenBusy,
    Unreachable,
)

DOMAIN = "fern-and-fig.myshopify.com"
PATH = f"/{DOMAIN}/admin/oauth/access_token"
PAIR = {
    "access_token": "shpat_2",
    "scope": "read_orders,write_customers",
    "expires_in": 3600,
    "refresh_token": "shprt_2",
    "refresh_token_expires_in": 7776000,
}


@pytest.fixture
def config(httpserver):
    """An app whose shops live on the test's server."""
    return ShopifyConfig(api_key="client-1", api_secret="s" * 40, shop_url=httpserver.url_for("/{shop}"))


@pytest.fixture
def http():
    """A connection pool."""
    with requests.Session() as session:
        yield session


def current(runtime, shop) -> Shop:
    """The shop's row as it is now."""
    with runtime.reading() as session:
        return session.get(Shop, shop.id)


def opened(runtime, sealed: str) -> str:
    """A sealed token in the clear."""
    return runtime.cipher.open(sealed, row=f"shop:{DOMAIN}")


def get(runtime, config, shop, http, **rest) -> str:
    """The shop's access token."""
    return tokens.access(runtime, config, shop.id, session=http, sleep=lambda _: None, **rest).token


class TestAccess:
    """Getting a token."""

    def test_fresh(self, runtime, config, shop, http):
        """A token that is good for longer than five minutes is given without asking Shopify."""
        assert get(runtime, config, shop, http) == "shpat_1"

    def test_renewed(self, runtime, config, shop, http, httpserver, clock):
        """A token that is about to end is renewed, and both halves of the new pair are kept sealed."""
        httpserver.expect_request(PATH, method="POST").respond_with_json(PAIR)
        clock.forward(3600 - 299)
        assert get(runtime, config, shop, http) == "shpat_2"
        row = current(runtime, shop)
        assert "shpat" not in row.access_token + row.refresh_token
        assert (opened(runtime, row.access_token), opened(runtime, row.refresh_token)) == (
            "shpat_2",
            "shprt_2",
        )
        assert row.access_token_expires_at == clock() + timedelta(hours=1)
        assert row.scopes == PAIR["scope"]
        asked = json.loads(httpserver.log[0][0].data)
        assert asked == {
            "client_id": "client-1",
            "client_secret": "s" * 40,
            "grant_type": "refresh_token",
            "refresh_token": "shprt_1",
        }

    def test_not_this(self, runtime, config, shop, http, httpserver):
        """A token that Shopify refused is renewed however fresh it looks."""
        httpserver.expect_request(PATH).respond_with_json(PAIR)
        assert get(runtime, config, shop, http, not_this="shpat_1") == "shpat_2"
        assert get(runtime, config, shop, http, not_this="shpat_1") == "shpat_2"
        assert len(httpserver.log) == 1

    def test_lost_reply(self, runtime, config, shop, http, httpserver, clock):
        """After a lost reply the old refresh token is tried again, and the shop loses nothing."""
        httpserver.expect_ordered_request(PATH).respond_with_data("", status=502)
        httpserver.expect_ordered_request(PATH).respond_with_json(PAIR)
        clock.forward(4000)
        with pytest.raises(Unreachable):
            get(runtime, config, shop, http)
        assert get(runtime, config, shop, http) == "shpat_2"
        assert [json.loads(request.data)["refresh_token"] for request, _ in httpserver.log] == ["shprt_1"] * 2

    @pytest.mark.parametrize(
        ("status", "body", "error"),
        [
            (401, {"error": "invalid_client"}, ConfigurationWrong),
            (400, {"error": "invalid_client"}, ConfigurationWrong),
            (429, {}, Throttled),
            (500, {"error": "x"}, Unreachable),
            (402, {}, ShopUnavailable),
            (404, "not json", ShopUnavailable),
            (302, {}, Unreachable),
            (200, "not json", Unreachable),
            (200, [], Unreachable),
            (200, {"access_token": "shpat_forever", "scope": ""}, Unreachable),
            (200, PAIR | {"refresh_token": None}, Unreachable),
        ],
    )
    def test_kept_on_trouble(self, runtime, config, shop, http, httpserver, clock, status, body, error):
        """Trouble that is not the tokens' fault leaves them as they are."""
        data = body if isinstance(body, str) else json.dumps(body)
        httpserver.expect_request(PATH).respond_with_data(data, status=status)
        clock.forward(4000)
        with pytest.raises(error):
            get(runtime, config, shop, http)
        row = current(runtime, shop)
        assert opened(runtime, row.refresh_token) == "shprt_1"
        assert not row.needs_reauthorization

    def test_dead(self, runtime, config, shop, http, httpserver, clock):
        """A refresh token that Shopify no longer takes needs the merchant, and Shopify is not asked again."""
        httpserver.expect_request(PATH).respond_with_json({"error": "invalid_grant"}, status=400)
        clock.forward(4000)
        for _ in range(2):
            with pytest.raises(NeedsReauthorization):
                get(runtime, config, shop, http)
        assert current(runtime, shop).needs_reauthorization
        assert len(httpserver.log) == 1

    def test_nobody_home(self, runtime, config, shop, http):
        """A connection that is refused is told apart from an answer, and names no address."""
        with pytest.raises(Unreachable) as error:
            get(
                runtime,
                ShopifyConfig(api_key="k", api_secret="s" * 40, shop_url="http://127.0.0.1:9/{shop}"),
                shop,
                http,
                not_this="shpat_1",
            )
        assert "127.0.0.1" not in str(error.value)

    def test_uninstalled(self, runtime, config, shop, http, clock):
        """A shop that removed the app has no token."""
        with runtime.transaction() as session:
            session.get(Shop, shop.id).uninstalled_at = clock()
        with pytest.raises(NotInstalled):
            get(runtime, config, shop, http)

    def test_one_at_a_time(self, runtime, config, shop, http, httpserver):
        """Eight processes that find the token stale make one refresh and all get the same new token."""
        asked = threading.Barrier(8)

        def answer(_request: Request) -> Response:
            return Response(json.dumps(PAIR), content_type="application/json")

        httpserver.expect_request(PATH).respond_with_handler(answer)
        found: list[str] = []

        def work() -> None:
            asked.wait()
            with requests.Session() as session:
                found.append(
                    tokens.access(runtime, config, shop.id, session=session, not_this="shpat_1").token
                )

        workers = [threading.Thread(target=work) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert found == ["shpat_2"] * 8
        assert len(httpserver.log) == 1

    def test_busy(self, runtime, config, shop, http, clock):
        """When another holder does not finish, the caller is told so in bounded time."""
        with runtime.transaction() as session:
            leases.acquire(session, f"shopify-token:{shop.id}", holder="other", seconds=3600, now=clock())
        with pytest.raises(TokenBusy):
            get(runtime, config, shop, http, not_this="shpat_1")

    def test_killed_holder(self, runtime, config, shop, http, httpserver, clock):
        """A holder that died blocks nobody once its lease has run out."""
        httpserver.expect_request(PATH).respond_with_json(PAIR)
        with runtime.transaction() as session:
            leases.acquire(session, f"shopify-token:{shop.id}", holder="dead", seconds=30, now=clock())
        clock.forward(31)
        assert get(runtime, config, shop, http, not_this="shpat_1") == "shpat_2"


class TestKeepAlive:
    """The nightly renewal."""

    def test_renews(self, runtime, config, shop, http, httpserver):
        """A fresh token is renewed too: it is the refresh token's ninety days that count."""
        httpserver.expect_request(PATH).respond_with_json(PAIR)
        assert tokens.keep_alive(runtime, config, shop.id, session=http)
        assert opened(runtime, current(runtime, shop).refresh_token) == "shprt_2"

    def test_trouble(self, runtime, config, shop, http, httpserver):
        """A shop that cannot be reached tonight is left for the next night."""
        httpserver.expect_request(PATH).respond_with_data("", status=503)
        assert not tokens.keep_alive(runtime, config, shop.id, session=http)
        assert opened(runtime, current(runtime, shop).refresh_token) == "shprt_1"


class TestExchange:
    """Trading an ID token for offline tokens."""

    def test_asks_for_expiring(self, config, http, httpserver, clock):
        """Expiring offline tokens are asked for, as Shopify demands."""
        httpserver.expect_request(PATH).respond_with_json(PAIR)
        pair = token_endpoint.exchange(http, config, DOMAIN, "id-token", now=clock())
        assert pair.refresh_token_expires_at == clock() + timedelta(days=90)
        asked = json.loads(httpserver.log[0][0].data)
        assert asked["expiring"] == "1"
        assert asked["requested_token_type"] == "urn:shopify:params:oauth:token-type:offline-access-token"
        assert asked["subject_token"] == "id-token"
        assert "shpat_2" not in repr(pair)

    def test_stale_id_token(self, config, http, httpserver, clock):
        """An ID token that Shopify does not take is its own case: the page comes back with a fresh one."""
        httpserver.expect_request(PATH).respond_with_json({"error": "invalid_subject_token"}, status=400)
        with pytest.raises(token_endpoint.SubjectTokenRefused):
            token_endpoint.exchange(http, config, DOMAIN, "id-token", now=clock())
