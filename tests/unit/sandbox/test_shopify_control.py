"""The local Shopify's control API: people's actions, faults, and every route documented."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from sandbox.shopify.shop import GiftCard
from tests.unit.sandbox.shopify_rig import Rig, rig

README = Path(__file__).parents[3] / "sandbox" / "README.md"


@pytest.fixture(name="shop")
def _shop() -> Iterator[Rig]:
    with rig() as found:
        yield found


class TestCustomers:
    def test_merge(self, shop):
        """A merge moves the orders to the one kept and is announced once as completed."""
        kept, gone = (
            shop.post("/customers", email=f"{name}@fernandfig.shop")["id"] for name in ("ada", "bo")
        )
        shop.order(customer=gone)
        shop.post(f"/customers/{kept}/merge", **{"with": gone})
        (row,) = shop.sent("customers/merge")
        assert row["body"]["status"] == "completed"
        assert row["body"]["admin_graphql_api_customer_kept_id"].endswith(str(kept))
        found = requests.get(f"{shop.base}/orders", params={"customer": kept}, timeout=30).json()
        assert len(found["orders"]) == 1

    @pytest.mark.parametrize("what", ["credit", "card"])
    def test_no_merge(self, shop, what):
        """Whoever holds store credit or a gift card cannot be merged, as in the admin."""
        kept, gone = (shop.post("/customers", email=f"{n}@fernandfig.shop")["id"] for n in "ab")
        if what == "credit":
            shop.post(f"/customers/{gone}/store_credit", amount="5.00")
        else:
            world = shop.sandbox.state
            card = GiftCard(1, "abcd1234", Decimal(5), "USD", world.now(), customer_id=gone)
            world.shop(shop.domain).gift_cards[1] = card
        assert shop.post(f"/customers/{kept}/merge", 422, **{"with": gone})["error"] == f"has_{what}"

    def test_synthetic_address(self, shop):
        """A computed customer has one address, and its spellings are nobody's."""
        shop.post("/customers/synthetic", count=20, label="person")
        found = {}
        for local in ("person-7", "person-007", "person-٧", "Person-7"):
            email = f"{local}@people.fernandfig.shop"
            found[local] = len(
                requests.get(f"{shop.base}/customers", params={"email": email}, timeout=30).json()[
                    "customers"
                ]
            )
        assert found == {"person-7": 1, "person-007": 0, "person-٧": 0, "Person-7": 1}

    def test_number_of_customers(self, shop):
        """Computed customers are counted once, changed, deleted or neither."""
        shop.post("/customers", email="a@fernandfig.shop")
        made = shop.post("/customers/synthetic", count=20, label="person")
        first, second = made["first_id"], made["first_id"] + made["step"]
        shop.patch(f"/customers/{first}", tags=["vip"])
        requests.delete(f"{shop.base}/customers/{first}", timeout=30)
        requests.delete(f"{shop.base}/customers/{second}", timeout=30)
        answer = requests.get(f"{shop.base}/customers?limit=250", timeout=30).json()
        assert (answer["total"], len(answer["customers"])) == (19, 19)

    @pytest.mark.parametrize(
        ("path", "wrong"),
        [
            ("limits", {"bulk_hold": "false"}),
            ("limits", {"restore_rate": "fast"}),
            ("limits", {"restore_rate": 5, "speed": 5}),
            ("webhooks/modes", {"copies": 1.5}),
            ("webhooks/modes", {"hold": 1}),
            ("faults", {"place": "graphql", "kind": "status", "times": "2"}),
            ("faults", {"place": "graphql", "kind": "slow", "seconds": "a while"}),
            ("faults", {"place": "graphql", "kind": "status", "status": 99}),
        ],
    )
    def test_switches(self, shop, path, wrong):
        """A switch that is misspelt or of another kind is refused, and nothing of it is set."""
        url = f"{shop.sandbox.url}/_sandbox/{path}"
        before = requests.get(url, timeout=30).json()
        assert requests.post(url, json=wrong, timeout=30).status_code == 400
        assert requests.get(url, timeout=30).json() == before

    def test_body_without_type(self, shop):
        """JSON is read whatever the request says it is, so that nothing is done by half."""
        answer = requests.post(
            f"{shop.base}/customers", data='{"email": "curl@fernandfig.shop"}', timeout=30,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        assert answer.json()["email"] == "curl@fernandfig.shop"

    def test_failed_merge(self, shop):
        """A failed merge is announced and changes nothing."""
        kept, gone = (
            shop.post("/customers", email=f"{name}@fernandfig.shop")["id"] for name in ("ada", "bo")
        )
        shop.post(f"/customers/{kept}/merge", **{"with": gone, "fail": True})
        (row,) = shop.sent("customers/merge")
        assert (row["body"]["status"], len(row["body"]["errors"])) == ("failed", 1)
        assert len(shop.sandbox.state.shop(shop.domain).customers) == 2

    def test_guest_signs_up(self, shop):
        """A guest who opens an account keeps the record and is enabled."""
        order = shop.order(email="ada@fernandfig.shop")
        person = shop.post("/customers", email="Ada@fernandfig.shop", first_name="Ada")
        assert (person["id"], person["state"]) == (order["customer_id"], "enabled")
        assert len(shop.sent("customers/enable")) == 1

    def test_agrees_at_once(self, shop):
        """Whoever ticks the newsletter's box while signing up is told of on the topic of consent."""
        person = shop.post("/customers", email="ada@fernandfig.shop", email_consent="subscribed")
        (row,) = shop.sent("customers_email_marketing_consent/update")
        assert row["body"]["customer_id"] == person["id"]
        assert row["body"]["email_marketing_consent"]["state"] == "subscribed"
        shop.post("/customers", 422, email="bo@fernandfig.shop", email_consent="maybe")

    def test_consent(self, shop):
        """Consent and tags travel on their own topics."""
        person = shop.post("/customers", email="ada@fernandfig.shop")
        requests.patch(
            f"{shop.base}/customers/{person['id']}",
            json={"email_consent": "subscribed", "tags": ["vip"]},
            timeout=30,
        )
        (row,) = shop.sent("customers_email_marketing_consent/update")
        assert row["body"]["email_marketing_consent"]["state"] == "subscribed"
        assert shop.sent("customer.tags_added")[0]["body"]["tags"] == ["vip"]

    def test_redact(self, shop):
        """A redact names the person a last time and then forgets them."""
        order = shop.order(email="ada@fernandfig.shop")
        shop.post(f"/customers/{order['customer_id']}/redact")
        (row,) = shop.sent("customers/redact")
        assert row["body"]["customer"]["email"] == "ada@fernandfig.shop"
        assert row["body"]["orders_to_redact"] == [order["id"]]
        found = requests.get(f"{shop.base}/customers/{order['customer_id']}", timeout=30).json()
        assert found["email"] is None

    def test_delete(self, shop):
        """Only a customer without orders can be deleted."""
        buyer = shop.order(email="ada@fernandfig.shop")["customer_id"]
        other = shop.post("/customers", email="bo@fernandfig.shop")["id"]
        assert requests.delete(f"{shop.base}/customers/{buyer}", timeout=30).status_code == 422
        assert requests.delete(f"{shop.base}/customers/{other}", timeout=30).ok
        assert len(shop.sent("customers/delete")) == 1


class TestFaults:
    QUERY = "{ shop { name } }"

    def test_status(self, shop):
        """The next calls answer the status asked for, with its Retry-After, and then all is well."""
        token = shop.exchange().json()["access_token"]
        shop.post("//faults", place="graphql", kind="status", status=429, retry_after=2, times=2)
        answers = [shop.raw(self.QUERY, token) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [429, 429, 200]
        assert answers[0].headers["Retry-After"] == "2"

    def test_throttled(self, shop):
        """A throttle is HTTP 200 with an error."""
        shop.post("//faults", place="graphql", kind="throttled")
        assert shop.graph()(self.QUERY)["errors"][0]["extensions"]["code"] == "THROTTLED"

    @pytest.mark.parametrize(("kind", "done"), [("reset_before", False), ("reset_after", True)])
    def test_reset(self, shop, kind, done):
        """A reset hides whether the work was done: before it was not, after it was."""
        person = shop.post("/customers", email="ada@fernandfig.shop")
        token = shop.exchange().json()["access_token"]
        shop.post("//faults", place="graphql", kind=kind)
        text = 'mutation { tagsAdd(id: "%s", tags: ["vip"]) { userErrors { message } } }'
        with pytest.raises(requests.ConnectionError):
            shop.raw(text % person["admin_graphql_api_id"], token)
        found = requests.get(f"{shop.base}/customers/{person['id']}", timeout=30).json()
        assert found["tags"] == (["vip"] if done else [])

    def test_match(self, shop):
        """A fault may wait for a call whose text it names."""
        ask = shop.graph()
        shop.post("//faults", place="graphql", kind="throttled", match="ordersCount")
        assert "errors" not in ask(self.QUERY)
        assert "errors" in ask("{ ordersCount { count } }")

    def test_oauth(self, shop):
        """The token endpoint fails on demand too."""
        shop.post("//faults", place="oauth", kind="status", status=503)
        assert shop.exchange().status_code == 503
        assert shop.exchange().ok

    def test_unknown(self, shop):
        """A fault that does not exist is refused."""
        assert shop.post("//faults", 400, place="moon", kind="status")["error"] == "bad_request"


class TestShops:
    def test_two(self, shop):
        """Several shops live side by side with their own data."""
        shop.post("//shops", domain="moss.myshopify.com", currency="EUR", install=True)
        other = Rig(shop.sandbox, "moss.myshopify.com")
        shop.order()
        names = other.graph()("{ shop { currencyCode } ordersCount { count } }")["data"]
        assert names == {"shop": {"currencyCode": "EUR"}, "ordersCount": {"count": 0}}

    def test_scopes(self, shop):
        """Scopes change only as declared, and the app hears of it."""
        assert shop.post("/scopes", 422, add=["write_themes"])["error"] == "undeclared_scope"
        shop.post("/scopes", remove=["read_products"])
        (row,) = shop.sent("app/scopes_update")
        assert set(row["body"]["previous"]) - set(row["body"]["current"]) == {"read_products"}


class TestReadme:
    def test_routes(self, shop):
        """Every control route stands in the README."""
        text = README.read_text(encoding="utf-8")
        missing = []
        for rule in shop.sandbox.app.url_map.iter_rules():
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            shown = path.removeprefix("/_sandbox").replace("/shops/{domain}", "…") or "/"
            if rule.rule.startswith("/_sandbox") and f"`{shown}`" not in text and f" {shown}`" not in text:
                missing.append(shown)
        assert missing == []


class TestProducts:
    def test_catalogue(self, shop):
        """Tags and collections of a product are shown, changed, and answered to whoever asks over GraphQL."""
        found = requests.get(f"{shop.base}/products", timeout=30).json()["products"][0]
        assert (found["tags"], [row["title"] for row in found["collections"]]) == (
            ["fern", "shade"],
            ["Plants"],
        )
        changed = requests.patch(
            f"{shop.base}/products/boston-fern",
            json={"tags": ["sale"], "collections": ["Last days"]},
            timeout=30,
        ).json()
        asked = "query($id: ID!) { product(id: $id) { tags collections(first: 50) { nodes { id title } } } }"
        answer = shop.graph()(asked, id=f"gid://shopify/Product/{found['id']}")["data"]["product"]
        number = changed["collections"][0]["id"]
        assert answer == {
            "tags": ["sale"],
            "collections": {"nodes": [{"id": f"gid://shopify/Collection/{number}", "title": "Last days"}]},
        }

    def test_unknown_change(self, shop):
        """Nothing else of a product can be changed."""
        answer = requests.patch(f"{shop.base}/products/boston-fern", json={"price": "1.00"}, timeout=30)
        assert (answer.status_code, answer.json()["error"]) == (422, "unknown_field")
