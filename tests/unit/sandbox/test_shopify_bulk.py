"""Bulk operations of the local Shopify: rules, results as JSON lines, and a million customers."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.unit.sandbox.shopify_rig import Rig, rig

RUN = "mutation B($q: String!, $g: Boolean = false) { bulkOperationRunQuery(query: $q, groupObjects: $g) { bulkOperation { id status } userErrors { code message } } }"
STATE = "query S($id: ID!) { bulkOperation(id: $id) { status errorCode url objectCount rootObjectCount fileSize } }"
ORDERS = "{ orders { edges { node { id name lineItems { edges { node { id quantity } } } } } } }"

WHERE = "{ orders { edges { node { id email shippingAddress { city zip } } } } }"
HOME = {"address1": "7 Fig Street", "city": "Portland", "zip": "97205", "country_code": "US"}


@pytest.fixture(name="shop")
def _shop() -> Iterator[Rig]:
    with rig() as found:
        yield found


def start(ask: Callable[..., Any], query: str, **more: Any) -> Any:
    return ask(RUN, q=query, **more)["data"]["bulkOperationRunQuery"]


def finished(ask: Callable[..., Any], operation_id: str) -> Any:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = ask(STATE, id=operation_id)["data"]["bulkOperation"]
        if found["status"] not in ("CREATED", "RUNNING", "CANCELING"):
            return found
        time.sleep(0.01)
    raise AssertionError("the bulk operation never finished")


def result(ask: Callable[..., Any], query: str, **more: Any) -> list[dict[str, Any]]:
    started = start(ask, query, **more)
    assert started["userErrors"] == []
    done = finished(ask, started["bulkOperation"]["id"])
    assert done["status"] == "COMPLETED"
    text = requests.get(done["url"], timeout=30).text
    rows = [json.loads(line) for line in text.splitlines()]
    assert (int(done["objectCount"]), int(done["fileSize"])) == (len(rows), len(text.encode()))
    return rows


class TestResult:
    def test_children(self, shop):
        """Children have lines of their own that point at their parent, in no promised place."""
        for _ in range(3):
            shop.order({"product": "boston-fern"}, {"product": "gift-card", "quantity": 2})
        rows = result(shop.graph(), ORDERS)
        parents = {row["id"]: row for row in rows if "__parentId" not in row}
        children = [row for row in rows if "__parentId" in row]
        assert sorted(row["name"] for row in parents.values()) == ["#1001", "#1002", "#1003"]
        assert [list(parents).index(row["__parentId"]) for row in children] == [0, 0, 1, 1, 2, 2]
        assert all("lineItems" not in row for row in parents.values())
        assert [bool(row.get("__parentId")) for row in rows][:3] == [False, False, False]

    def test_grouped(self, shop):
        """Grouped, the children follow their parent."""
        for _ in range(2):
            shop.order()
        rows = result(shop.graph(), ORDERS, g=True)
        assert ["__parentId" in row for row in rows] == [False, True, False, True]

    def test_search(self, shop):
        """The query's own search holds in bulk."""
        shop.post("/customers", email="ada@fernandfig.shop", tags=["vip"])
        shop.post("/customers", email="bo@fernandfig.shop")
        query = (
            '{ customers(query: "tag:vip") { edges { node { id defaultEmailAddress { emailAddress } } } } }'
        )
        rows = result(shop.graph(), query)
        assert [row["defaultEmailAddress"]["emailAddress"] for row in rows] == ["ada@fernandfig.shop"]

    def test_empty(self, shop):
        """An empty result has no address."""
        ask = shop.graph()
        done = finished(ask, start(ask, ORDERS)["bulkOperation"]["id"])
        assert (done["status"], done["url"], done["objectCount"]) == ("COMPLETED", None, "0")

    def test_many(self, shop):
        """Synthetic customers take no time to make and come out once each."""
        shop.post("/customers/synthetic", count=1_000_000)
        shop.post("/customers/synthetic", count=3_000, label="other")
        assert len(shop.sandbox.state.shop(shop.domain).customers) == 1_003_000
        page = requests.get(
            f"{shop.base}/customers", params={"email": "other-7@people.fernandfig.shop"}, timeout=5
        )
        assert len(page.json()["customers"]) == 1
        query = '{ customers(query: "email:other-*") { edges { node { id } } } }'
        with shop.sandbox.state.lock:
            shop.sandbox.state.shop(shop.domain).customers._ranges.pop(0)
        rows = result(shop.graph(), query)
        assert len({row["id"] for row in rows}) == 3_000

    def test_announced(self, shop):
        """The end is announced by webhook in lower case."""
        shop.order()
        result(shop.graph(), ORDERS)
        (row,) = shop.sent("bulk_operations/finish")
        assert (row["body"]["status"], row["body"]["type"], row["body"]["error_code"]) == (
            "completed",
            "query",
            None,
        )

    def test_denied(self, shop):
        """A scope that is missing fails the operation, not the request."""
        shop.order(email="ada@fernandfig.shop")
        shop.post("/scopes", remove=["read_customers", "write_customers"])
        ask = shop.graph()
        started = start(ask, "{ orders { edges { node { id customer { id } } } } }")
        done = finished(ask, started["bulkOperation"]["id"])
        assert (done["status"], done["errorCode"]) == ("FAILED", "ACCESS_DENIED")

    @pytest.mark.parametrize(
        ("switch", "ends"), [("fail", ("FAILED", "ACCESS_DENIED")), ("null", ("COMPLETED", None))]
    )
    def test_not_approved(self, shop, switch, ends):
        """A personal field that is not approved fails the operation, or stays empty, as the switch says."""
        shop.order(email="ada@fernandfig.shop", shipping_address=HOME)
        shop.patch(protected_data="name,email")
        shop.sandbox.state.limits.bulk_unapproved = switch
        ask = shop.graph()
        done = finished(ask, start(ask, WHERE)["bulkOperation"]["id"])
        assert (done["status"], done["errorCode"]) == ends
        if switch == "null":
            (row,) = result(ask, WHERE)
            assert (row["email"], row["shippingAddress"]) == (
                "ada@fernandfig.shop",
                {"city": "Portland", "zip": None},
            )

    def test_refused(self, shop):
        """Or the query is refused at once; one that asks for nothing of the kind is taken."""
        shop.patch(protected_data="name,email")
        shop.sandbox.state.limits.bulk_unapproved = "refuse"
        ask = shop.graph()
        answer = ask(RUN, q=WHERE)
        assert answer["data"]["bulkOperationRunQuery"] is None
        assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
        assert start(ask, "{ orders { edges { node { id email } } } }")["userErrors"] == []


class TestRules:
    @pytest.mark.parametrize(
        "query",
        [
            "{ shop { name } }",
            "{ orders { edges { node { nope } } } }",
            "query Q($x: String) { orders(query: $x) { edges { node { id } } } }",
            "{ orders { edges { node { name lineItems { edges { node { id } } } } } } }",
            "{ orders { edges { node { id refunds { refundLineItems { edges { node { id } } } } } } } }",
            "mutation { tagsAdd(id: 1, tags: []) { userErrors { message } } }",
        ],
        ids=["no connection", "unknown field", "variables", "no id", "connection in a list", "mutation"],
    )
    def test_refused(self, shop, query):
        """A query that breaks a rule of bulk operations is an INVALID user error."""
        assert start(shop.graph(), query)["userErrors"][0]["code"] == "INVALID"

    def test_five(self, shop):
        """Five run at once; a sixth is refused until one ends, for example by being cancelled."""
        shop.post("//limits", bulk_hold=True)
        ask = shop.graph()
        ids = [start(ask, ORDERS)["bulkOperation"]["id"] for _ in range(5)]
        assert start(ask, ORDERS)["userErrors"][0]["code"] == "LIMIT_REACHED"
        ask("mutation C($id: ID!) { bulkOperationCancel(id: $id) { userErrors { message } } }", id=ids[0])
        assert finished(ask, ids[0])["status"] == "CANCELED"
        assert start(ask, ORDERS)["userErrors"] == []

    def test_address_dies(self, shop):
        """The result's address needs its signature and lives seven days."""
        shop.order()
        ask = shop.graph()
        url = finished(ask, start(ask, ORDERS)["bulkOperation"]["id"])["url"]
        assert requests.get(url.partition("?")[0], timeout=30).status_code == 403
        shop.post("//clock", advance=7 * 24 * 3600 + 5)
        assert requests.get(url, timeout=30).status_code == 400
