"""What events say at Klaviyo."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klaviyo_oauth.event_properties import event_properties
from klaviyo_oauth.standing import ShopView
from loyalty.core import news
from loyalty.core.program import PointsName
from loyalty.delivery import Message, Recipient

NOW = datetime(2026, 11, 22, 12, 30, 15, tzinfo=UTC)
SHOP = ShopView("fern-and-fig.myshopify.com", ZoneInfo("UTC"), {}, PointsName("leaf", "leaves"))


def person(first: str | None, last: str | None, email: str | None) -> Recipient:
    return Recipient(7, email, 99, first, last, "member", 0, 0, 0, NOW)


ADA = person("Ada", "Fern", "ada@fernandfig.shop")
BO = person("Bo", None, "bo@fernandfig.shop")


def said(kind: str, *, about: Recipient | None = None, **payload: Any) -> dict[str, Any]:
    """The properties of an event to Ada."""
    return event_properties(Message(1, 1, kind, "u", payload, NOW, False, 1, ADA, about), SHOP)


class TestActivity:
    """What every event about points or a reward says."""

    @pytest.mark.acceptance("S1-16", "S1-17", "S1-18")
    def test_points(self) -> None:
        """Points are there as a number and in the program's own words, beside what they were for."""
        found = said(news.EARNED, points=1200, reason="Place an order", source="order")
        assert (found["activity_points"], found["points_text"]) == (1200, "1,200 leaves")
        assert found["activity_title"] == "Place an order"

    @pytest.mark.acceptance("S1-20", "S1-21", "S1-22", "S1-23")
    def test_reward(self) -> None:
        """A reward's title goes before the reason, and its code is there."""
        found = said(news.REDEEMED, points=1, reward_title="$5 off", coupon_code="FIVE", reward_amount="5.00")
        assert (found["activity_title"], found["points_text"], found["coupon_code"]) == (
            "$5 off",
            "1 leaf",
            "FIVE",
        )
        assert repr(found["reward_amount"]) == "5"

    def test_no_points(self) -> None:
        """A number that Klaviyo would drop brings no words about nothing."""
        assert "points_text" not in said(news.REFERRAL_COMPLETED, points=0, referral_title="Refer a friend")

    @given(
        st.dictionaries(st.text(max_size=12), st.none() | st.text(max_size=8) | st.integers() | st.floats())
    )
    def test_any_payload(self, payload: dict[str, Any]) -> None:
        """Whatever was frozen, nothing is null or empty, and our own bookkeeping stays here."""
        for kind in news.NEWS_KINDS:
            message = Message(1, 1, kind, "u", payload | {"about_member": 4}, NOW, False, 1, ADA, BO)
            found = event_properties(message, SHOP)
            assert None not in found.values()
            assert "" not in found.values()
            assert "about_member" not in found


class TestTiers:
    """``Tier Changed``."""

    @pytest.mark.parametrize(
        ("before", "after", "direction", "change"),
        [
            (None, "gold", "up", "entered"),
            ("silver", "gold", "up", "upgraded"),
            ("gold", "silver", "down", "downgraded"),
            ("gold", None, "down", "left"),
        ],
    )
    def test_change(self, before: str | None, after: str | None, direction: str, change: str) -> None:
        """No tier before or after is said in a word: a property that is not there says nothing."""
        found = said(news.TIER_CHANGED, previous_tier=before, tier=after, direction=direction)
        assert found["change"] == change


class TestReferrals:
    """The four events of a referral: both sides are named as they are now, whoever is told."""

    @pytest.mark.acceptance("S1-30", "S1-31", "S1-37", "S1-38")
    @pytest.mark.parametrize("kind", [news.REFERRAL_SHARED, news.REFERRAL_COMPLETED])
    def test_to_advocate(self, kind: str) -> None:
        """The advocate is told of the friend."""
        found = said(kind, about=BO, about_member=8)
        assert (found["advocate_name"], found["friend_name"]) == ("Ada Fern", "Bo")
        assert (found["advocate_email"], found["friend_email"]) == (
            "ada@fernandfig.shop",
            "bo@fernandfig.shop",
        )

    @pytest.mark.parametrize("kind", [news.REFERRAL_RECEIVED, news.REFERRAL_ACCEPTED])
    def test_to_friend(self, kind: str) -> None:
        """The friend is told of the advocate."""
        found = said(kind, about=BO, about_member=8)
        assert (found["advocate_name"], found["friend_name"]) == ("Bo", "Ada Fern")

    def test_erased(self) -> None:
        """Somebody who was erased since is not named."""
        found = said(news.REFERRAL_SHARED, about=None, about_member=8)
        assert "friend_name" not in found
        assert "friend_email" not in found


class TestBirthday:
    """``Birthday Set``."""

    def test_day(self) -> None:
        """The birthday is told as it is on the profile."""
        assert said(news.BIRTHDAY_SET, birthday_month=2, birthday_day=9)["birthday"] == "02-09"
