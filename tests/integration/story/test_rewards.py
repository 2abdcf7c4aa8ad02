"""Redeeming at the storefront while Shopify is well, refuses, or loses its answers."""

import uuid
from typing import ClassVar

import pytest
from sqlmodel import select

from loyalty import programs
from loyalty.database import transaction
from loyalty.models import LedgerEntry, RewardIssue, Shop
from loyalty.runtime import utc_now

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
        house.eventually("issued", lambda: shopper.reward(first["issue"]["id"])["state"])
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

        house.eventually("failed", lambda: shopper.reward(issue["id"])["state"])
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

        house.eventually("issued", lambda: shopper.reward(issue["id"])["state"])
        (made,) = discounts(house)
        assert made["code"] == shopper.reward(issue["id"])["code"]
        assert [row.discount_id for row in house.rows(RewardIssue)] == [made["admin_graphql_api_id"]]
        assert house.balance(wren) == 200


class TestKilled:
    """A worker that is killed in the middle of making or ending a reward."""

    SCOPES: ClassVar = ["read_store_credit_accounts", "write_store_credit_account_transactions"]

    def test_paying(self, rich):
        """Store credit is paid once, though whoever paid it died before hearing so."""
        house, wren, shopper = rich
        house.in_shop("/scopes", add=self.SCOPES)
        credit = {
            "key": "credit",
            "title": "$5 credit",
            "kind": "store_credit",
            "points": 500,
            "amount": "5.00",
        }
        with transaction(house.engine) as session:
            shop_id = session.exec(select(Shop.id)).one()
            document = programs.document(session, shop_id) | {"rewards": [credit]}
            programs.apply(session, shop_id, document, author="test", now=utc_now())
        house.eventually(True, lambda: self.SCOPES[1] in house.rows(Shop)[0].scopes)
        issue = self.killed(
            house, "storeCreditAccountCredit", lambda: shopper.redeem("credit", "key-of-wren-1")
        )["issue"]

        house.eventually("given", lambda: shopper.reward(issue["id"])["state"])
        accounts = house.shopify.get(f"/shops/fern-and-fig.myshopify.com/customers/{wren}/store_credit")[
            "accounts"
        ]
        assert [move["amount"] for account in accounts for move in account["moves"]] == ["5.00"]
        assert house.balance(wren) == 200

    def test_taking_back(self, rich):
        """The points of a reward that is taken back return once, though whoever switched its code off died before saying so."""
        house, wren, shopper = rich
        issue = shopper.redeem("five_off", "key-of-wren-1")["issue"]
        house.eventually("issued", lambda: shopper.reward(issue["id"])["state"])
        member_id = house.rows(RewardIssue)[0].member_id
        address = f"/members/{member_id}/rewards/{issue['id']}/cancel"
        self.killed(house, "discountCodeDeactivate", lambda: house.merchant.press(address))

        house.eventually("cancelled", lambda: house.rows(RewardIssue)[0].state)
        assert house.balance(wren) == 700
        assert [row.points for row in house.rows(LedgerEntry, source_kind="reward")] == [-500, 500]
        assert house.problems_of_the_ledger() == []

    def killed(self, house, mutation, act):
        """Do something, and kill the worker while Shopify takes its time to carry it out; another one comes."""
        house.shopify.post("/faults", place="graphql", kind="slow", match=mutation, seconds=1.5)
        done = act()
        house.eventually([], lambda: house.shopify.get("/faults")["faults"])
        house.kill_worker()
        house.add_worker()
        house.a_minute_passes()
        return done


def discounts(house) -> list:
    """The discounts of the shop."""
    return house.shopify.get("/shops/fern-and-fig.myshopify.com/discounts")["discounts"]
