"""The Admin API client against a server that answers as Shopify does on bad days."""

import json

import pytest
import requests

from loyalty.models import Shop
from shopify_app.admin_api import AdminClient
from shopify_app.config import ShopifyConfig
from shopify_app.errors import NeedsReauthorization, RequestInvalid, ShopUnavailable, Throttled, Unreachable

DOMAIN = "fern-and-fig.myshopify.com"
GRAPHQL = f"/{DOMAIN}/admin/api/2026-10/graphql.json"
TOKEN = f"/{DOMAIN}/admin/oauth/access_token"
OK = {"data": {"shop": {"name": "Fern & Fig"}}}
PAIR = {
    "access_token": "shpat_2",
    "expires_in": 3600,
    "refresh_token": "r2",
    "refresh_token_expires_in": 7776000,
}


def throttled(requested: float, available: float, rate: float) -> dict:
    """What Shopify answers when the bucket is empty."""
    status = {"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": rate}
    return {
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
        "extensions": {"cost": {"requestedQueryCost": requested, "throttleStatus": status}},
    }


@pytest.fixture
def slept():
    """The waits that were made."""
    return []


@pytest.fixture
def client(runtime, shop, httpserver, slept):
    """A client whose shop lives on the test's server."""
    config = ShopifyConfig(api_key="client-1", api_secret="s" * 40, shop_url=httpserver.url_for("/{shop}"))
    with requests.Session() as session:
        yield AdminClient(runtime, config, shop.id, session, sleep=slept.append)


def ordered(httpserver, *answers):
    """Answer in this order: a body for 200, or a status with a body."""
    for answer in answers:
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        httpserver.expect_ordered_request(GRAPHQL).respond_with_data(
            body if isinstance(body, str) else json.dumps(body),
            status=status,
            content_type="application/json",
        )


class TestQuery:
    """Asking."""

    def test_asks(self, client, httpserver):
        """The document, its variables and the shop's token go to the shop's own address."""
        httpserver.expect_request(
            GRAPHQL,
            method="POST",
            headers={"X-Shopify-Access-Token": "shpat_1"},
            json={"query": "query Q { shop { name } }", "variables": {"a": 1}},
        ).respond_with_json(OK)
        assert client.query("query Q { shop { name } }", {"a": 1}).data == OK["data"]

    def test_partial(self, client, httpserver):
        """What could be answered is kept, with the codes of what could not."""
        errors = [{"message": "for iris@fernandfig.shop", "extensions": {"code": "ACCESS_DENIED"}}]
        ordered(httpserver, OK | {"errors": errors})
        answer = client.query("q")
        assert answer.data == OK["data"]
        assert answer.errors == ("ACCESS_DENIED",)

    @pytest.mark.parametrize(
        ("requested", "available", "rate", "wait"),
        [(100, 0, 100, 1.0), (50, 49, 50, 0.1), (150, 50, 50, 2.0)],
    )
    def test_throttle_wait(self, client, httpserver, slept, requested, available, rate, wait):
        """It waits as long as the bucket needs and no longer."""
        ordered(httpserver, throttled(requested, available, rate), OK)
        assert client.query("q").data == OK["data"]
        assert slept == [wait]

    def test_throttle_without_cost(self, client, httpserver, slept):
        """When the answer does not say how long, a second is waited."""
        ordered(httpserver, {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}, OK)
        client.query("q")
        assert slept == [1.0]

    def test_throttle_too_long(self, client, httpserver, slept):
        """A long wait is not slept through: the caller is told how long it is."""
        ordered(httpserver, throttled(1000, 0, 50))
        with pytest.raises(Throttled) as error:
            client.query("q")
        assert error.value.seconds == 20
        assert slept == []

    def test_429(self, client, httpserver, slept):
        """Retry-After is obeyed."""
        httpserver.expect_ordered_request(GRAPHQL).respond_with_data(
            "", status=429, headers={"Retry-After": "2.0"}
        )
        ordered(httpserver, OK)
        client.query("q")
        assert slept == [2.0]

    def test_server_errors(self, client, httpserver):
        """A query survives short trouble."""
        ordered(httpserver, (502, "bad gateway"), (200, "<html>"), OK)
        assert client.query("q").data == OK["data"]

    def test_gives_up(self, client, httpserver):
        """Lasting trouble ends in an error, not in an endless loop."""
        httpserver.expect_request(GRAPHQL).respond_with_data("x", status=503)
        with pytest.raises(Unreachable):
            client.query("q")
        assert len(httpserver.log) == 3

    @pytest.mark.parametrize("status", [402, 403, 404, 423])
    def test_unavailable(self, client, httpserver, status):
        """A frozen, locked or closed shop is its own case."""
        ordered(httpserver, (status, "frozen"))
        with pytest.raises(ShopUnavailable) as error:
            client.query("q")
        assert error.value.status == status

    def test_inactive(self, client, httpserver):
        """So it is when Shopify says it in the answer."""
        ordered(httpserver, {"errors": [{"message": "x", "extensions": {"code": "SHOP_INACTIVE"}}]})
        with pytest.raises(ShopUnavailable):
            client.query("q")

    @pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "TIMEOUT"])
    @pytest.mark.parametrize("data", [None, {"order": None}, {"order": {"refunds": None}}])
    def test_half_an_answer(self, client, httpserver, code, data):
        """Where a part of an answer failed, the rest of it is not believed: it is asked for again."""
        ordered(httpserver, {"data": data, "errors": [{"extensions": {"code": code}}]}, OK)
        assert client.query("q").data == OK["data"]
        ordered(httpserver, {"data": data, "errors": [{"extensions": {"code": code}}]})
        with pytest.raises(Unreachable):
            client.mutate("m", {}, idempotent=False)

    def test_invalid(self, client, httpserver):
        """A refusal carries the codes and none of Shopify's words, for they may quote ours."""
        body = {
            "errors": [{"message": "no field iris@fernandfig.shop", "extensions": {"code": "undefinedField"}}]
        }
        ordered(httpserver, body)
        with pytest.raises(RequestInvalid) as error:
            client.query("q")
        assert str(error.value) == "undefinedField"

    def test_string_errors(self, client, httpserver):
        """Errors in a form that nobody expects break nothing."""
        ordered(httpserver, {"errors": "oh no"})
        with pytest.raises(RequestInvalid, match="UNSPECIFIED"):
            client.query("q")


class TestToken:
    """When Shopify refuses the token."""

    def test_renewed_once(self, client, httpserver):
        """A refused token is renewed and the request made again."""
        httpserver.expect_request(GRAPHQL, headers={"X-Shopify-Access-Token": "shpat_1"}).respond_with_data(
            "", status=401
        )
        httpserver.expect_request(GRAPHQL, headers={"X-Shopify-Access-Token": "shpat_2"}).respond_with_json(
            OK
        )
        httpserver.expect_request(TOKEN).respond_with_json(PAIR)
        assert client.query("q").data == OK["data"]

    def test_given_up(self, client, httpserver, runtime, shop):
        """A token that is refused right after renewal needs the merchant, and that is remembered."""
        httpserver.expect_request(GRAPHQL).respond_with_data("", status=401)
        httpserver.expect_request(TOKEN).respond_with_json(PAIR)
        with pytest.raises(NeedsReauthorization):
            client.query("q")
        with runtime.reading() as session:
            assert session.get(Shop, shop.id).needs_reauthorization


class TestMutate:
    """Changing."""

    def test_lost_reply(self, client, httpserver):
        """What may not be repeated is not, when its answer was lost."""
        ordered(httpserver, (502, ""))
        with pytest.raises(Unreachable):
            client.mutate("m", {}, idempotent=False)
        assert len(httpserver.log) == 1

    def test_idempotent(self, client, httpserver):
        """What may be repeated is."""
        ordered(httpserver, (502, ""), OK)
        assert client.mutate("m", {}, idempotent=True).data == OK["data"]

    def test_throttled(self, client, httpserver):
        """A throttled mutation was not carried out and is made again, whatever it is."""
        ordered(httpserver, throttled(10, 0, 100), OK)
        assert client.mutate("m", {}, idempotent=False).data == OK["data"]
