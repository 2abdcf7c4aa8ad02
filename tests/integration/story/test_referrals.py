"""A friend is brought: from the link to Klaviyo, through every process that there is."""

from typing import Any

import pytest

from demo.people import Shopper
from loyalty import programs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.database import transaction
from loyalty.models import Referral, Shop
from loyalty.runtime import utc_now
from tests.integration.story.house import House

ADA = "ada@fernandfig.shop"
BO = "bo@fernandfig.shop"
GIFT = {"key": "ten_off", "kind": "amount_off", "title": "$10 off", "listed": False, "amount": "10.00"}
DOCUMENT: dict[str, Any] = DEFAULT_DOCUMENT | {
    "earn": {},
    "rewards": [*DEFAULT_DOCUMENT["rewards"], GIFT],
    "referrals": {"friend": "ten_off", "advocate": {"points": 500}, "minimum": "20", "hold_days": 0},
}


def told(house: House, metric: str) -> list[dict[str, Any]]:
    """The events of a metric at Klaviyo."""
    found = house.klaviyo.get("/events", limit=1_000)["events"]
    return [event for event in found if event["metric"] == metric]


class TestReferral:
    @pytest.mark.acceptance("S1-34", "S1-35", "S3-44", "S3-45", "S4-27", "S4-28")
    def test_story(self, house: House) -> None:
        """The friend reads the code on a new Klaviyo profile, uses it, and the member is rewarded and told; nobody is told twice."""
        house.install().connect()
        ada = house.sign_up(ADA)  # which earns 100 points
        house.settle()
        (shop,) = house.rows(Shop)
        with transaction(house.engine) as session:
            programs.apply(session, shop.id or 0, DOCUMENT, author="test", now=utc_now())
        code = house.shopper(ADA).referral()["referral"]["code"]

        friend = Shopper(house.stage.at.storefront, BO)
        claim = friend.claim(code)
        house.eventually("issued", lambda: friend.claimed(claim["id"])["reward"]["state"])
        coupon = friend.claimed(claim["id"])["reward"]["code"]
        assert friend.claim(code)["reward"]["code"] == coupon
        house.eventually(1, lambda: len(told(house, "Referral Accepted")))
        (accepted,) = told(house, "Referral Accepted")
        assert accepted["properties"]["coupon_code"] == coupon
        assert accepted["properties"]["advocate_email"] == ADA
        assert house.profile(BO) is not None

        assert "Thank you!" in friend.buy({"brass-watering-can": 1}, code=coupon)
        house.eventually(600, lambda: house.balance(ada))
        house.eventually(1, lambda: len(told(house, "Referral Completed")))
        house.settle()
        (completed,) = told(house, "Referral Completed")
        assert completed["properties"]["friend_coupon_code"] == coupon
        assert house.profile_balance(ADA) == 600
        assert [row.state for row in house.rows(Referral)] == ["completed"]
        assert house.problems_of_the_ledger() == []
        friend.close()
