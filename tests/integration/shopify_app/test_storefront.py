"""What a shopper's browser sees and does through the app proxy."""

import time
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from loyalty import programs
from loyalty.core.facts import PointsAdjusted
from loyalty.models import LedgerEntry, Member, RewardIssue, Shop
from loyalty.staff import adjust
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
        member = response.json["member"]
        assert (member["balance"], member["pending"], member["state"]) == (600, 0, "member")
        assert (member["tier"], member["birthday"], member["expires_at"]) == (None, None, None)
        (reward,) = response.json["rewards"]
        shown = {"key": "five_off", "title": "$5 off", "points": 500, "affordable": True, "missing": 0}
        assert reward == reward | shown | {"kind": "amount_off", "closed": None}
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
        assert (answer["member"]["balance"], answer["member"]["state"]) == (0, "member")
        assert answer["member"]["history"] == []
        assert answer["rewards"][0]["missing"] == 500

    def test_guest_logs_in(self, store):
        """Who bought as a guest is a guest, whatever record Shopify keeps, and a member as soon as Shopify says that they are logged in."""
        store.buy("40.00", email="fern@fernandfig.shop")
        store.settle()
        guest = store.act("GET", "/customers/fern@fernandfig.shop")["id"]
        assert (store.member(guest).state, store.member(guest).balance) == ("guest", 40)

        answer = ask(store, "GET", "/member", guest).json
        assert (answer["member"]["state"], answer["member"]["balance"]) == ("member", 140)
        assert ask(store, "GET", "/member", guest).json["member"]["balance"] == 140

    def test_moved_proxy(self, store):
        """Where the merchant moved the proxy, the widget is told."""
        answer = ask(store, "GET", "/member", None, query={"path_prefix": "/a/club"}).json
        assert answer["program"]["proxy"] == "/a/club"

    def test_merged(self, store, rich):
        """A customer whose account was merged sees the account that is left, with one person's points for an account."""
        other = store.sign_up("rowan@fernandfig.shop")
        store.settle()
        store.act("POST", f"/customers/{rich}/merge", **{"with": other})
        store.settle()
        assert ask(store, "GET", "/member", other).json["member"]["balance"] == 600

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
            "[" * 10_000,
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
        # A character that PostgreSQL takes in no text is in the name of nothing.
        assert ask(store, "GET", "/rewards/%00", other).status_code == 404
        assert ask(store, "GET", "/referral/claims/a%00b", None).status_code == 404
        assert ask(store, "GET", "/rewards/none", rich).status_code == 404

    def test_expired(self, store, rich):
        """A code whose time is over says so."""
        issue = redeem(store, rich).json["issue"]
        store.settle()
        with store.runtime.transaction() as session:
            row = session.get_one(RewardIssue, issue["id"])
            row.expires_at = store.runtime.clock().replace(year=2020)
        assert ask(store, "GET", f"/rewards/{issue['id']}", rich).json["issue"]["state"] == "expired"

    @pytest.mark.parametrize(
        ("values", "shown"),
        [
            ({"kind": "gift_card", "state": "issued"}, ("given", "CARD1234")),
            ({"kind": "store_credit", "state": "issued"}, ("given", None)),
            (
                {"kind": "store_credit", "state": "issuing", "failure": "several_credits_alike"},
                ("waiting", None),
            ),
            ({"state": "issuing", "failure": "given_up"}, ("waiting", None)),
            ({"state": "cancelling"}, ("cancelled", None)),
        ],
    )
    def test_what_is_known(self, store, rich, values, shown):
        """Nobody waits for what never comes: money is given and not called used one day, and what a person decides is not being made."""
        issue = redeem(store, rich).json["issue"]
        with store.runtime.transaction() as session:
            row = session.get_one(RewardIssue, issue["id"])
            for name, value in (values | {"code": "CARD1234"}).items():
                setattr(row, name, value)
        after = ask(store, "GET", f"/rewards/{issue['id']}", rich).json["issue"]
        assert (after["state"], after["code"]) == shown


CLUB: dict[str, Any] = {
    "points": {"one": "leaf", "many": "leaves"},
    "earn": {
        "order": {"rate": "1", "title": "Place an order", "hold_days": 7},
        "follow_instagram": {"points": 20, "title": "Follow us"},
        "share_x": {"points": 5, "title": "Share us", "limit": {"times": 2, "per": "month"}},
        "gold_day": {"way": "share_facebook", "points": 5, "title": "For gold", "tiers": ["gold"]},
        "birthday": {"points": 100, "title": "Your birthday", "blackout_days": 30},
        "survey": {"way": "custom", "points": 10, "title": "Answer our survey"},
    },
    "rewards": [
        {"key": "some_off", "kind": "incremental", "title": "Money off", "points": 100, "amount": "1.00",
         "minimum_points": 200, "maximum_points": 500},
        {"key": "ship", "kind": "free_shipping", "title": "Free shipping", "points": 50,
         "limit": {"times": 1, "per": "month"}},
        {"key": "gold_mug", "kind": "percentage_off", "percentage": "10", "title": "10% off", "points": 10,
         "tiers": ["gold"]},
    ],
    "tiers": {
        "metric": "spent",
        "ladder": [
            {"key": "silver", "title": "Silver", "threshold": "100", "perks": ["Early access"]},
            {"key": "gold", "title": "Gold", "threshold": "1000"},
        ],
    },
}  # fmt: skip


@pytest.fixture
def club(store):
    """A shop with a whole program, and a customer of whom 300 leaves were imported by hand."""
    with store.runtime.transaction() as session:
        programs.apply(session, store.shop().id, CLUB, author="test", now=store.runtime.clock())
    customer = store.sign_up()
    store.settle()
    with store.runtime.transaction() as session:
        shop, member = (
            session.get_one(Shop, store.shop().id),
            session.get_one(Member, store.member(customer).id),
        )
        gift = PointsAdjusted(300, "gift", "Welcome", "test", store.runtime.clock())
        adjust(session, shop, member, gift, now=store.runtime.clock())
    return customer


def act(store, customer: int | None, rule: Any):
    """The shopper says that they did something."""
    return ask(store, "POST", "/actions", customer, json={"rule": rule})


def ways(store, customer: int | None) -> dict[str, str]:
    """The ways to earn and whether they are open."""
    return {way["key"]: way["state"] for way in ask(store, "GET", "/member", customer).json["ways"]}


class TestActions:
    """What shoppers say of themselves."""

    def test_follow(self, store, club):
        """A follow earns once, however often it is said, and is shown as done."""
        assert ways(store, club)["follow_instagram"] == "open"
        answer = act(store, club, "follow_instagram")
        assert answer.json == {
            "way": {"key": "follow_instagram", "state": "done_already"}, "points": 20, "balance": 320, "pending": 0,
        }  # fmt: skip
        again = act(store, club, "follow_instagram")
        assert (again.status_code, again.json["points"], again.json["balance"]) == (200, 0, 320)
        assert ways(store, club)["follow_instagram"] == "done_already"

    def test_what_else_happened(self, store, club):
        """What the same moment brings besides (here the gift of a tier) is not what was earned by it."""
        gift = {"key": "silver", "title": "Silver", "threshold": "20", "entry": {"points": 50}}
        gold = {"key": "gold", "title": "Gold", "threshold": "1000"}
        tiers = {"metric": "points", "ladder": [gift, gold]}
        with store.runtime.transaction() as session:
            programs.apply(
                session, store.shop().id, CLUB | {"tiers": tiers}, author="t", now=store.runtime.clock()
            )
        answer = act(store, club, "follow_instagram").json
        assert (answer["points"], answer["balance"]) == (20, 370)

    def test_share(self, store, club):
        """A share counts once a day: a double click is one."""
        assert act(store, club, "share_x").json["points"] == 5
        assert act(store, club, "share_x").json["points"] == 0
        assert store.member(club).balance == 305

    @pytest.mark.parametrize(
        ("rule", "status", "code"),
        [("survey", 404, "unknown_rule"), ("order", 404, "unknown_rule"), ("nope", 404, "unknown_rule"),
         (None, 404, "unknown_rule"), (["x"], 404, "unknown_rule"), ("gold_day", 403, "wrong_tier")],
    )  # fmt: skip
    def test_refused(self, store, club, rule, status, code):
        """Only what a shopper can say of themselves is taken, and only by those whom it is for."""
        answer = act(store, club, rule)
        assert (answer.status_code, answer.json["error"]) == (status, code)
        assert answer.json["message"]

    def test_nobody(self, store, club):
        """Whoever is not logged in has to log in, and a stranger to come again."""
        assert act(store, None, "follow_instagram").json["error"] == "not_signed_in"
        assert act(store, 4242, "follow_instagram").json["error"] == "not_available"


class TestBirthday:
    """A birthday is told."""

    def tell(self, store, customer, month, day):
        """The shopper tells it."""
        return ask(store, "POST", "/birthday", customer, json={"month": month, "day": day})

    def test_far(self, store, club):
        """A birthday that is far enough ahead is rewarded when it comes; the member sees it."""
        today = store.runtime.clock().astimezone(ZoneInfo("America/New_York")).date()
        ahead = today + timedelta(days=100)
        answer = self.tell(store, club, ahead.month, ahead.day)
        assert answer.json["celebrated_from"] == ahead.isoformat()
        told = ask(store, "GET", "/member", club).json["member"]["birthday"]
        assert told == {"month": ahead.month, "day": ahead.day, "celebrated_from": ahead.isoformat()}

    def test_near(self, store, club):
        """One that comes too soon is rewarded from the next year on, and the answer says so."""
        today = store.runtime.clock().astimezone(ZoneInfo("America/New_York")).date()
        soon = today + timedelta(days=5)
        first = self.tell(store, club, soon.month, soon.day).json["celebrated_from"]
        assert date.fromisoformat(first).year == soon.year + 1

    def test_leap_day(self, store, club):
        """February 29 is a birthday."""
        assert self.tell(store, club, 2, 29).status_code == 200

    @pytest.mark.parametrize(
        ("month", "day"),
        [(2, 30), (13, 1), (0, 1), (1, 0), ("1", 1), (1, None), (True, 1), (1, 1.0), (10**30, 1)],
    )
    def test_no_day(self, store, club, month, day):
        """A day that is not in the year is refused."""
        answer = self.tell(store, club, month, day)
        assert (answer.status_code, answer.json["error"]) == (422, "bad_birthday")


class TestHistory:
    """What a member reads of their points."""

    def test_words(self, store, rich):
        """The merchant's titles are told as written, and what we say ourselves by a name that locale files give words to."""
        order = store.buy("100.00", customer=rich)
        store.settle()
        store.act("POST", f"/orders/{order['id']}/refund", full=True)
        store.settle()
        with store.runtime.transaction() as session:
            shop, member = (
                session.get_one(Shop, store.shop().id),
                session.get_one(Member, store.member(rich).id),
            )
            thanks = PointsAdjusted(7, "thanks", "For your patience", "test", store.runtime.clock())
            adjust(session, shop, member, thanks, now=store.runtime.clock())
        moves = ask(store, "GET", "/member", rich).json["member"]["history"]
        told = [(move["points"], move["cause"], move["title"], move["order"]) for move in moves]
        assert [
            (7, None, None, None),
            (-100, "order_changed", "Place an order", order["name"]),
            (100, None, None, None),
        ] == told[:3]
        assert ["For your patience", "Place an order"] == [moves[0]["reason"], moves[2]["reason"]]


class TestMoney:
    """How amounts are written."""

    def details(self, store) -> list[str]:
        """The ways to earn in words, as the widget gets them."""
        return [way["detail"] for way in ask(store, "GET", "/member", None).json["ways"]]

    def test_shop(self, store):
        """A format that the merchant chooses at Shopify is used from then on, and the theme is told."""
        store.settle()
        assert "1 point for every $1 spent" in self.details(store)
        told = len(store.outbox("program_metafield"))
        store.act("PATCH", "", money_format="{{amount}} Taler")
        store.settle()
        assert "1 point for every 1\u00a0Taler spent" in self.details(store)
        assert told + 1 == len(store.outbox("program_metafield"))
        store.act("POST", "/webhooks", topic="shop/update", payload={"id": 1})
        store.settle()
        assert told + 1 == len(store.outbox("program_metafield"))

    def test_program(self, store):
        """What the program says comes first."""
        store.settle()
        shop_id = store.shop().id
        with store.runtime.transaction() as session:
            said = {
                **programs.document(session, shop_id),
                "currency": {"display": "code", "decimals": "always"},
            }
            programs.apply(session, shop_id, said, author="test", now=store.runtime.clock())
        assert "1 point for every USD\u00a01.00 spent" in self.details(store)


class TestWholeProgram:
    """Tiers, pending points, rewards of which one can have more or less."""

    def test_member(self, store, club):
        """Tier with what is ahead, pending points with their release, and the latest movements."""
        store.buy("150.00", customer=club)
        store.settle()
        member = ask(store, "GET", "/member", club).json["member"]
        assert (member["balance"], member["pending"]) == (300, 150)
        assert datetime.fromisoformat(member["pending_until"]) > store.runtime.clock()
        assert (member["tier"]["key"], member["tier"]["perks"]) == ("silver", ["Early access"])
        ahead = member["tier"]["next"]
        assert (ahead["key"], Decimal(ahead["distance"]), ahead["metric"]) == ("gold", 850, "spent")
        assert "$850.00" == ahead["amount"]
        assert [(move["points"], move["reason"]) for move in member["history"]] == [(300, "Welcome")]

    @pytest.mark.parametrize(
        ("points", "status", "code"),
        [(300, 202, None), (None, 202, None), (250, 422, "wrong_amount"), (100, 422, "wrong_amount"),
         (600, 422, "wrong_amount"), (500, 409, "not_enough_points"), ("300", 422, "wrong_amount"), (-100, 422, "wrong_amount"),
         (True, 422, "wrong_amount"), (3.0e2, 422, "wrong_amount")],
    )  # fmt: skip
    def test_amount(self, store, club, points, status, code):
        """Where one can choose how much, only steps within the bounds can be had."""
        body = {"reward": "some_off", "key": "key-00000001", "points": points}
        answer = ask(store, "POST", "/redeem", club, json=body)
        assert (answer.status_code, answer.json.get("error")) == (status, code)
        if status == 202:
            assert answer.json["issue"]["points"] == (points or 200)

    def test_closed(self, store, club):
        """A reward for another tier, or had as often as it may be, says so before and when it is asked for."""
        assert redeem(store, club, reward="ship").status_code == 202
        closed = {row["key"]: row["closed"] for row in ask(store, "GET", "/member", club).json["rewards"]}
        assert closed == {"some_off": None, "ship": "limit_reached", "gold_mug": "wrong_tier"}
        again = redeem(store, club, reward="ship", key="key-00000002")
        assert (again.status_code, again.json["error"]) == (409, "limit_reached")
        gold = redeem(store, club, reward="gold_mug", key="key-00000003")
        assert (gold.status_code, gold.json["error"]) == (403, "wrong_tier")
