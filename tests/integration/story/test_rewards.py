"""Redeeming at the storefront while Shopify is well, refuses, or loses its answers."""

import uuid

import pytest

from loyalty.models import LedgerEntry, RewardIssue

WREN = "wren@fernandfig.shop"


@pytest.fixture
def rich(house):
    """Wren, who has 700 points and is logged in at the storefront."""
    house.install()
    wren = house.sign_up(WREN)
    house.buy(wren, "600.00")
    house.eventually(700, lambda: house.balance(wren))
    return house, wren, house.shopper(WREN)


class TestRedeem:
    def test_code_soon(self, rich):
        """The code is there within moments, works at the checkout, and the same key twice is one reward."""
        house, wren, shopper = rich
        key = str(uuid.uuid4())
        first, again = shopper.redeem("five_off", key), shopper.redeem("five_off", key)

        assert first["issue"]["id"] == again["issue"]["id"]
        assert (first["balance"], again["balance"]) == (200, 200)
        house.eventually("issued", lambda: shopper.reward(first["issue"]["id"])["state"], seconds=5)
        code = shopper.reward(first["issue"]["id"])["code"]
        assert [row["code"] for row in discounts(house)] == [code]
        assert "Thank you!" in shopper.buy({"brass-watering-can": 1}, code=code)
        house.eventually("used", lambda: shopper.reward(first["issue"]["id"])["state"])
        house.settle()
        assert house.balance(wren) == 200 + 37
        assert [row.points for row in house.rows(LedgerEntry, source_kind="reward")] == [-500]

    def test_refused(self, rich):
        """A code that Shopify refuses for good gives the points back by an entry of its own."""
        house, wren, shopper = rich
        house.in_shop("/scopes", remove=["write_discounts"])
        issue = shopper.redeem("five_off", "key-of-wren-1")["issue"]

        house.eventually("failed", lambda: shopper.reward(issue["id"])["state"], seconds=20)
        assert house.balance(wren) == 700
        assert [row.points for row in house.rows(LedgerEntry, source_kind="reward")] == [-500, 500]
        assert discounts(house) == []
        assert house.problems_of_the_ledger() == []

    def test_lost_reply(self, rich):
        """When the answer to making the code is lost, asking again finds the code that was made: there is one discount."""
        house, wren, shopper = rich
        house.shopify.post(
            "/faults", place="graphql", kind="reset_after", match="discountCodeBasicCreate", times=2
        )
        issue = shopper.redeem("five_off", "key-of-wren-1")["issue"]

        house.eventually("issued", lambda: shopper.reward(issue["id"])["state"], seconds=25)
        (made,) = discounts(house)
        assert made["code"] == shopper.reward(issue["id"])["code"]
        assert [row.discount_id for row in house.rows(RewardIssue)] == [made["admin_graphql_api_id"]]
        assert house.balance(wren) == 200


def discounts(house) -> list:
    """The discounts of the shop."""
    return house.shopify.get("/shops/fern-and-fig.myshopify.com/discounts")["discounts"]
