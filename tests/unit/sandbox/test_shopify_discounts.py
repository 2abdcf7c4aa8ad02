"""Discount codes in the local Shopify: how the app makes them and how a checkout uses them."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.unit.sandbox.shopify_rig import Rig, rig

CREATE = """mutation C($d: DiscountCodeBasicInput!) { discountCodeBasicCreate(basicCodeDiscount: $d) {
  codeDiscountNode { id codeDiscount { __typename ... on DiscountCodeBasic { status codes(first: 1) { nodes { code } } } } }
  userErrors { field code message } } }"""
DEACTIVATE = "mutation D($id: ID!) { discountCodeDeactivate(id: $id) { userErrors { code } } }"


@pytest.fixture(name="shop")
def _shop() -> Iterator[Rig]:
    with rig() as found:
        yield found


def discount(owner: str | None, code: str = "LOY-FIVE", **changes: Any) -> dict[str, Any]:
    """A one-use code worth five dollars for one customer."""
    made: dict[str, Any] = {
        "title": "Five off",
        "code": code,
        "startsAt": "2026-01-01T00:00:00Z",
        "usageLimit": 1,
        "appliesOncePerCustomer": True,
        "context": {"customers": {"add": [owner]}} if owner else {"all": "ALL"},
        "customerGets": {
            "items": {"all": True},
            "value": {"discountAmount": {"amount": "5.00", "appliesOnEachItem": False}},
        },
    }
    return made | changes


def create(shop: Rig, **given: Any) -> Any:
    return shop.graph()(CREATE, d=given)["data"]["discountCodeBasicCreate"]


class TestCreate:
    def test_made(self, shop):
        """A valid code is active at once and found whatever the letter case."""
        owner = shop.post("/customers", email="ada@fernandfig.shop")["admin_graphql_api_id"]
        made = create(shop, **discount(owner))
        assert made["userErrors"] == []
        assert made["codeDiscountNode"]["codeDiscount"]["status"] == "ACTIVE"
        found = shop.graph()('{ codeDiscountNodeByCode(code: "loy-five") { id } }')["data"]
        assert found["codeDiscountNodeByCode"]["id"] == made["codeDiscountNode"]["id"]

    def test_taken(self, shop):
        """A second discount with the code in other letters is TAKEN."""
        create(shop, **discount(None))
        errors = create(shop, **discount(None, "loy-FIVE"))["userErrors"]
        assert [(e["code"], e["field"]) for e in errors] == [("TAKEN", ["basicCodeDiscount", "code"])]

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"title": " "}, "BLANK"),
            ({"code": ""}, "BLANK"),
            ({"startsAt": None}, "BLANK"),
            ({"context": None}, "BLANK"),
            ({"endsAt": "2025-12-31T00:00:00Z"}, "END_DATE_BEFORE_START_DATE"),
            ({"usageLimit": 0}, "GREATER_THAN"),
            ({"context": {"customers": {"add": ["gid://shopify/Customer/1"]}}}, "INVALID"),
            (
                {"customerGets": {"items": {"all": True}, "value": {"percentage": 5.0}}},
                "VALUE_OUTSIDE_RANGE",
            ),
            ({"customerGets": {"items": {"all": True}, "value": {}}}, "BLANK"),
            ({"customerGets": {"value": {"percentage": 0.1}}}, "BLANK"),
        ],
    )
    def test_refused(self, shop, changes, code):
        """Each mistake is a user error, and nothing is made."""
        made = create(shop, **discount(None, **changes))
        assert (made["codeDiscountNode"], made["userErrors"][0]["code"]) == (None, code)
        assert shop.sandbox.state.shop(shop.domain).discounts == {}

    def test_error_codes_exist(self, shop):
        """Codes outside of Shopify's enum would surface as errors: there are none."""
        answer = shop.graph()(CREATE, d=discount(None, usageLimit=0))
        assert "errors" not in answer


class TestUse:
    @pytest.fixture(name="owner")
    def _owner(self, shop):
        person = shop.post("/customers", email="ada@fernandfig.shop")
        create(shop, **discount(person["admin_graphql_api_id"]))
        return person

    def test_reduces(self, shop, owner):
        """The code takes its amount off the lines to the cent, and counts as used."""
        lines = ({"product": "boston-fern"}, {"product": "maidenhair-fern", "quantity": 3})
        order = shop.order(*lines, customer=owner["id"], code="loy-five")
        assert (order["subtotal"], order["discounts"], order["codes"]) == ("96.50", "5.00", ["LOY-FIVE"])
        assert [line["net"] for line in order["lines"]] == ["26.62", "69.88"]
        (body,) = [row["body"] for row in shop.sent("orders/create")]
        assert body["discount_codes"] == [{"code": "LOY-FIVE", "amount": "5.00", "type": "fixed_amount"}]
        shares = [line["discount_allocations"][0]["amount"] for line in body["line_items"]]
        assert shares == ["1.38", "3.62"]

    def test_once(self, shop, owner):
        """The second use is refused and places no order."""
        shop.order(customer=owner["id"], code="LOY-FIVE")
        refusal = shop.post(
            "/orders", 422, customer=owner["id"], code="LOY-FIVE", lines=[{"product": "boston-fern"}]
        )
        assert refusal["error"] == "discount_used"
        assert len(shop.sandbox.state.shop(shop.domain).orders) == 1

    def test_another(self, shop, owner):
        """The code of one customer is no use to another, nor to a guest who leaves no record behind."""
        body = {"code": "LOY-FIVE", "lines": [{"product": "boston-fern"}]}
        assert shop.post("/orders", 422, email="bo@fernandfig.shop", **body)["error"] == "discount_not_yours"
        assert shop.post("/orders", 422, **body)["error"] == "discount_not_yours"
        assert len(shop.sandbox.state.shop(shop.domain).customers) == 1

    def test_gift_cards(self, shop, owner):
        """Gift cards are never discounted."""
        body = {"customer": owner["id"], "code": "LOY-FIVE", "lines": [{"product": "gift-card"}]}
        assert shop.post("/orders", 422, **body)["error"] == "discount_not_applicable"
        order = shop.order(
            {"product": "gift-card"}, {"product": "boston-fern"}, customer=owner["id"], code="LOY-FIVE"
        )
        assert [line["net"] for line in order["lines"]] == ["25.00", "23.00"]

    @pytest.mark.parametrize(
        ("first", "second", "status"),
        [
            ({"orderDiscounts": True}, {"orderDiscounts": True}, 201),
            ({"orderDiscounts": True}, {}, 422),
            ({"shippingDiscounts": True}, {"orderDiscounts": True}, 422),
            ({"productDiscounts": True}, {"productDiscounts": True}, 422),
        ],
    )
    def test_together(self, shop, owner, first, second, status):
        """Two codes are used together when each allows the other's class."""
        for code, combines in (("A", first), ("B", second)):
            assert create(shop, **discount(None, code, combinesWith=combines))["userErrors"] == []
        body = {"customer": owner["id"], "lines": [{"product": "boston-fern"}], "codes": ["A", "B"]}
        answer = requests.post(f"{shop.base}/orders", json=body, timeout=30)
        assert answer.status_code == status, answer.text

    def test_class(self, shop):
        """A discount on some goods is one on products; one on all is on the order."""
        (product, *_) = requests.get(f"{shop.base}/products", timeout=30).json()["products"]
        some = {"products": {"productsToAdd": [f"gid://shopify/Product/{product['id']}"]}}
        value = {"discountAmount": {"amount": "5.00", "appliesOnEachItem": False}}
        create(shop, **discount(None, "SOME", customerGets={"items": some, "value": value}))
        create(shop, **discount(None, "ALL"))
        query = """{ codeDiscountNodes(first: 5) { nodes { codeDiscount {
          ... on DiscountCodeBasic { discountClasses } } } } }"""
        found = shop.graph()(query)["data"]["codeDiscountNodes"]["nodes"]
        assert [node["codeDiscount"]["discountClasses"] for node in found] == [["PRODUCT"], ["ORDER"]]

    def test_deactivated(self, shop, owner):
        """A deactivated code is expired for the checkout and for the API."""
        ask = shop.graph()
        node = ask('{ codeDiscountNodeByCode(code: "LOY-FIVE") { id } }')["data"]["codeDiscountNodeByCode"]
        assert ask(DEACTIVATE, id=node["id"])["data"]["discountCodeDeactivate"]["userErrors"] == []
        body = {"customer": owner["id"], "code": "LOY-FIVE", "lines": [{"product": "boston-fern"}]}
        assert shop.post("/orders", 422, **body)["error"] == "discount_inactive"

    def test_unknown(self, shop):
        """A code that does not exist is refused."""
        body = {"code": "NOPE", "lines": [{"product": "boston-fern"}]}
        assert shop.post("/orders", 422, **body)["error"] == "discount_unknown"
