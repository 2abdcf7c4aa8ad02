"""Addresses in the local Shopify: where orders go, and who may read it."""

from collections.abc import Iterator

import pytest
import requests

from tests.unit.sandbox.shopify_rig import Rig, rig

HOME = {
    "address1": "7 Fig Street",
    "address2": "Flat 2",
    "city": "Portland",
    "province": "Oregon",
    "province_code": "OR",
    "country": "United States",
    "country_code": "US",
    "zip": "97205",
}
ORDER = """query($id: ID!) { order(id: $id) {
  shippingAddress { id name address1 address2 city provinceCode countryCodeV2 zip }
  billingAddress { address1 }
} }"""


@pytest.fixture(scope="module", name="shop")
def _shop() -> Iterator[Rig]:
    with rig() as running:
        yield running


def told(shop: Rig, order_id: int, topic: str = "orders/create") -> dict:
    """What a webhook said of an order."""
    return next(row["body"] for row in shop.sent(topic) if row["body"]["id"] == order_id)


class TestOrder:
    def test_webhook(self, shop):
        """An order says where it goes and who pays, in the fields of Shopify's webhook."""
        given = HOME | {"first_name": "Iris", "last_name": "Vale"}
        order = shop.order(email="a1@fernandfig.shop", shipping_address=given)
        body = told(shop, order["id"])
        assert body["shipping_address"] == given | {
            "name": "Iris Vale", "company": None, "phone": None, "latitude": None, "longitude": None,
        }  # fmt: skip
        assert body["billing_address"] == body["shipping_address"]

    def test_graphql(self, shop):
        """The API says the same in its own words."""
        other = HOME | {"address1": "1 Bank Row"}
        order = shop.order(email="a2@fernandfig.shop", shipping_address=HOME, billing_address=other)
        answer = shop.graph()(ORDER, id=order["admin_graphql_api_id"])["data"]["order"]
        assert answer["shippingAddress"].pop("id").startswith("gid://shopify/MailingAddress/")
        assert answer == {
            "shippingAddress": {
                "name": None,
                "address1": "7 Fig Street",
                "address2": "Flat 2",
                "city": "Portland",
                "provinceCode": "OR",
                "countryCodeV2": "US",
                "zip": "97205",
            },
            "billingAddress": {"address1": "1 Bank Row"},
        }

    def test_customers_own(self, shop):
        """Goods go to the customer's address when the order names none, and stay there when the customer moves."""
        person = shop.post("/customers", email="a3@fernandfig.shop", first_name="Bo", address=HOME)
        order = shop.order(customer=person["id"])
        assert told(shop, order["id"])["shipping_address"]["name"] == "Bo"
        shop.patch("/customers/a3@fernandfig.shop", address=HOME | {"address1": "9 New Road"})
        answer = shop.graph()(ORDER, id=order["admin_graphql_api_id"])["data"]["order"]
        assert answer["shippingAddress"]["address1"] == HOME["address1"]

    def test_first_order(self, shop):
        """The address of a first order becomes its customer's."""
        shop.order(email="a4@fernandfig.shop", shipping_address=HOME)
        again = shop.order(email="a4@fernandfig.shop")
        body = told(shop, again["id"])
        assert body["shipping_address"]["zip"] == "97205"
        assert body["customer"]["default_address"]["address1"] == HOME["address1"]
        assert body["customer"]["default_address"]["customer_id"] == body["customer"]["id"]

    @pytest.mark.parametrize(
        "order", [{"lines": [{"product": "gift-card"}]}, {"source_name": "pos"}], ids=["gift card", "till"]
    )
    def test_nowhere(self, shop, order):
        """What is not shipped goes nowhere."""
        shop.order(email="a5@fernandfig.shop", shipping_address=HOME)
        lines = order.pop("lines", [])
        placed = shop.order(*lines, email="a5@fernandfig.shop", **order)
        body = told(shop, placed["id"])
        assert body["shipping_address"] is None
        assert (body["billing_address"] or {}).get("zip") == "97205"

    @pytest.mark.parametrize(
        "wrong",
        [
            "7 Fig Street",
            HOME | {"street": "Fig"},
            HOME | {"address1": ""},
            HOME | {"country_code": "us"},
            HOME | {"zip": 97205},
        ],
    )
    def test_refused(self, shop, wrong):
        """An address that no checkout would send is refused before anything happened."""
        answer = shop.post(
            "/orders", 422, lines=[{"price": "1"}], email="nobody@fernandfig.shop", shipping_address=wrong
        )
        assert answer["error"] == "bad_address"
        assert (
            shop.post("/customers", 422, email="b@fernandfig.shop", address=wrong)["error"] == "bad_address"
        )


class TestPrivacy:
    def test_not_approved(self, shop):
        """An app without approval for personal data is told no address."""
        shop.patch(protected_data="none")
        try:
            order = shop.order(email="p1@fernandfig.shop", shipping_address=HOME)
            body = told(shop, order["id"])
            assert body.keys().isdisjoint({"shipping_address", "billing_address", "email"})
            answer = shop.graph()(ORDER, id=order["admin_graphql_api_id"])
            assert answer["data"]["order"] == {"shippingAddress": None, "billingAddress": None}
            assert {row["extensions"]["code"] for row in answer["errors"]} == {"ACCESS_DENIED"}
        finally:
            shop.patch(protected_data="level2")

    def test_approved_in_part(self, shop):
        """An app that may see names and e-mails is told the town, and neither street nor postal code."""
        shop.patch(protected_data="name,email")
        try:
            order = shop.order(email="p3@fernandfig.shop", shipping_address=HOME | {"first_name": "Iris"})
            body = told(shop, order["id"])
            assert (body["email"], body["shipping_address"]["first_name"]) == ("p3@fernandfig.shop", "Iris")
            assert (
                body["shipping_address"]
                .keys()
                .isdisjoint({"address1", "address2", "zip", "latitude", "phone"})
            )
            answer = shop.graph()(ORDER, id=order["admin_graphql_api_id"])
            where = answer["data"]["order"]["shippingAddress"]
            assert (where["name"], where["city"], where["address1"], where["zip"]) == (
                "Iris", "Portland", None, None,
            )  # fmt: skip
            assert {row["path"][-1] for row in answer["errors"]} == {"address1", "address2", "zip"}
        finally:
            shop.patch(protected_data="level2")

    @pytest.mark.parametrize("said", ["level3", "name,shoes", ""])
    def test_unknown_approval(self, shop, said):
        """Shopify approves nothing that there is not."""
        answer = requests.patch(shop.base, json={"protected_data": said}, timeout=30)
        assert (answer.status_code, answer.json()["error"]) == (422, "bad_approval")

    def test_redacted(self, shop):
        """Whose data is erased has no address left, in no order either."""
        order = shop.order(email="p2@fernandfig.shop", shipping_address=HOME)
        shop.post("/customers/p2@fernandfig.shop/redact")
        answer = shop.graph()(ORDER, id=order["admin_graphql_api_id"])["data"]["order"]
        assert answer == {"shippingAddress": None, "billingAddress": None}
