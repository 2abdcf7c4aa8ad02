"""What a shopper's browser sees and does through the app proxy."""

import time
from typing import Any
from urllib.parse import urlencode

import pytest

from loyalty.models import LedgerEntry, RewardIssue
from sandbox.shopify import signatures


def ask(store, method: str, path: str, customer: int | None, *, secret: str | None = None, **more: Any):
    """A request as Shopify's proxy passes it on."""
    query = {
        "shop": store.domain,
        "logged_in_customer_id": str(customer or ""),
        "path_prefix": "/apps/laurel",
        "timestamp": str(int(time.time())),
    } | more.pop("query", {})
    pairs = list(query.items())
    signed = [*pairs, ("signature", signatures.proxy(secret or store.config.api_secret, pairs))]
    return store.app.test_client().open(f"/proxy{path}?{urlencode(signed)}", method=method, **more)


def redeem(store, customer: int | None, *, reward: str = "five_off", key: str = "key-00000001"):
    """The shopper chooses a reward."""
    return ask(store, "POST", "/redeem", customer, json={"reward": reward, "key": key})


@pytest.fixture
def rich(store):
    """A customer with 600 points."""
    customer = store.sign_up()
    store.buy("500.00", customer=customer)
    store.settle()
    return customer


class TestMember:
    """The state of the visitor."""

    def test_member(self, store, rich):
        """A member sees balance, rewards and what is missing; nothing of it may be stored."""
        response = ask(store, "GET", "/member", rich)
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert response.json["member"] == {"balance": 600, "pending": 0, "state": "member"}
        assert response.json["rewards"] == [
            {"key": "five_off", "title": "$5 off", "points": 500, "affordable": True, "missing": 0}
        ]
        assert response.json["program"]["points_name"]["many"] == "points"
        assert response.json["issues"] == []

    def test_nobody(self, store):
        """Somebody who is not logged in sees the program and no member."""
        answer = ask(store, "GET", "/member", None).json
        assert answer["member"] is None
        assert answer["rewards"][0]["affordable"] is False

    def test_stranger(self, store):
        """A customer that we have not met yet is a member without points."""
        answer = ask(store, "GET", "/member", 4242).json
        assert answer["member"] == {"balance": 0, "pending": 0, "state": "member"}
        assert answer["rewards"][0]["missing"] == 500

    def test_moved_proxy(self, store):
        """Where the merchant moved the proxy, the widget is told."""
        answer = ask(store, "GET", "/member", None, query={"path_prefix": "/a/club"}).json
        assert answer["program"]["proxy"] == "/a/club"

    def test_merged(self, store, rich):
        """A customer whose account was merged sees the account that is left."""
        other = store.sign_up("rowan@fernandfig.shop")
        store.settle()
        store.act("POST", f"/customers/{rich}/merge", **{"with": other})
        store.settle()
        assert ask(store, "GET", "/member", other).json["member"]["balance"] == 700

    @pytest.mark.parametrize(
        "more", [{"secret": "x" * 32}, {"query": {"timestamp": "1"}}, {"query": {"timestamp": "soon"}}]
    )
    def test_unsigned(self, store, rich, more):
        """Without a good, fresh signature there is nothing to see."""
        response = ask(store, "GET", "/member", rich, **more)
        assert (response.status_code, response.json["error"]) == (401, "bad_signature")
        assert response.headers["Cache-Control"] == "no-store"
        assert store.app.test_client().get("/proxy/member").status_code == 401

    @pytest.mark.parametrize("shop", ["other.myshopify.com", "evil.net", ""])
    def test_other_shop(self, store, shop):
        """A shop without the app has no program."""
        assert ask(store, "GET", "/member", None, query={"shop": shop}).json["error"] == "not_installed"

    def test_uninstalled(self, store):
        """A shop that removed the app has no program any more."""
        store.act("POST", "/uninstall")
        store.receive()
        assert ask(store, "GET", "/member", None).status_code == 404


class TestRedeem:
    """Points become a reward."""

    def test_story(self, store, rich):
        """The points go at once, the code follows, and only then is it shown."""
        response = redeem(store, rich)
        assert response.status_code == 202
        issue = response.json["issue"]
        assert (issue["state"], issue["code"], response.json["balance"]) == ("issuing", None, 100)
        store.settle()
        after = ask(store, "GET", f"/rewards/{issue['id']}", rich).json
        assert (after["issue"]["state"], after["balance"]) == ("issued", 100)
        assert after["issue"]["code"].startswith("LAUREL-")
        assert ask(store, "GET", "/member", rich).json["issues"] == [after["issue"]]
        store.buy("50.00", customer=rich, code=after["issue"]["code"])

    def test_same_key(self, store, rich):
        """The same key is the same redemption, however often it is sent."""
        first, second = redeem(store, rich).json, redeem(store, rich).json
        assert first["issue"]["id"] == second["issue"]["id"]
        assert second["balance"] == 100
        assert len(store.rows(LedgerEntry, source_kind="reward")) == 1

    def test_not_enough(self, store, rich):
        """A second reward that is too dear says how much is missing."""
        redeem(store, rich)
        response = redeem(store, rich, key="key-00000002")
        assert (response.status_code, response.json["error"], response.json["missing"]) == (
            409,
            "not_enough_points",
            400,
        )
        assert response.json["message"]

    @pytest.mark.parametrize(
        ("who", "reward", "status", "error"),
        [
            (None, "five_off", 403, "not_signed_in"),
            (4242, "five_off", 409, "not_enough_points"),
            (4242, "nothing", 404, "unknown_reward"),
        ],
    )
    def test_refused(self, store, who, reward, status, error):
        """Everyone who cannot redeem is told why."""
        response = redeem(store, who, reward=reward)
        assert (response.status_code, response.json["error"]) == (status, error)

    def test_unknown_reward(self, store, rich):
        """A reward that is not offered cannot be had."""
        assert redeem(store, rich, reward="gone").status_code == 404

    @pytest.mark.parametrize(
        "body",
        [
            None,
            "x",
            "[]",
            '{"reward": 5, "key": "key-00000001"}',
            '{"reward": "five_off"}',
            '{"reward": "five_off", "key": "short"}',
            '{"reward": "five_off", "key": "with space in it"}',
            '{"reward": "' + "x" * 20_000 + '", "key": "key-00000001"}',
        ],
    )
    def test_bad_request(self, store, rich, body):
        """What cannot be understood takes nothing."""
        response = ask(store, "POST", "/redeem", rich, data=body, content_type="application/json")
        assert (response.status_code, response.json["error"]) == (422, "bad_request")
        assert store.member(rich).balance == 600

    def test_get_changes_nothing(self, store, rich):
        """A signed address that is opened again changes nothing."""
        assert ask(store, "GET", "/redeem", rich).status_code == 405

    def test_failed(self, store, rich):
        """A reward that could not be made says so, and the points are back."""
        store.act("POST", "/scopes", remove=["write_discounts"])
        issue = redeem(store, rich).json["issue"]
        store.settle()
        after = ask(store, "GET", f"/rewards/{issue['id']}", rich).json
        assert (after["issue"]["state"], after["issue"]["code"], after["balance"]) == ("failed", None, 600)


class TestReward:
    """Looking at one reward."""

    def test_somebody_elses(self, store, rich):
        """Nobody sees another member's reward."""
        issue = redeem(store, rich).json["issue"]
        other = store.sign_up("rowan@fernandfig.shop")
        store.settle()
        assert ask(store, "GET", f"/rewards/{issue['id']}", other).status_code == 404
        assert ask(store, "GET", f"/rewards/{issue['id']}", 4242).status_code == 404
        assert ask(store, "GET", f"/rewards/{issue['id']}", None).status_code == 403
        assert ask(store, "GET", "/rewards/none", rich).status_code == 404

    def test_expired(self, store, rich):
        """A code whose time is over says so."""
        issue = redeem(store, rich).json["issue"]
        store.settle()
        with store.runtime.transaction() as session:
            row = session.get_one(RewardIssue, issue["id"])
            row.expires_at = store.runtime.clock().replace(year=2020)
        assert ask(store, "GET", f"/rewards/{issue['id']}", rich).json["issue"]["state"] == "expired"
