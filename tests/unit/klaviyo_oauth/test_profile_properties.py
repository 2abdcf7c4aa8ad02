"""What a profile shows of a member: every property with its type, and what is taken off."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from klaviyo_oauth.dialects import LAUREL, OURS
from klaviyo_oauth.standing import Rewards, ShopView, Standing, standing_of
from loyalty.core.program import PointsName
from loyalty.delivery import Recipient

DOCS = Path(__file__).resolve().parents[3] / "docs" / "klaviyo.md"
# Midnight in Auckland is the day before in UTC.
MIDNIGHT = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
SHOP = ShopView(
    "fern-and-fig.myshopify.com",
    ZoneInfo("Pacific/Auckland"),
    {"silver": "Silver", "gold": "Gold Leaf"},
    PointsName("leaf", "leaves"),
    refers=True,
)


def standing(
    shop: ShopView = SHOP, codes: tuple[str, ...] = (), last_redeemed_at: datetime | None = None, **more: Any
) -> Standing:
    """Somebody without a tier, an end of points, a birthday."""
    values: dict[str, Any] = {
        "member_id": 7,
        "email": "ada@fernandfig.shop",
        "customer_id": 99,
        "first_name": "Ada",
        "last_name": None,
        "state": "member",
        "balance": 0,
        "lifetime_earned": 600,
        "lifetime_spent": 600,
        "joined_at": MIDNIGHT,
    }
    return standing_of(Recipient(**values | more), shop, Rewards(codes, last_redeemed_at))


EVERYTHING = {
    "tier": "silver",
    "tier_since": MIDNIGHT,
    "tier_until": MIDNIGHT,
    "next_tier": "gold",
    "next_tier_distance": Decimal("120.50"),
    "expires_at": MIDNIGHT,
    "expiring_points": 40,
    "birthday_month": 2,
    "birthday_day": 29,
    "last_activity_at": MIDNIGHT,
    "pending": 20,
}


class TestShown:
    """``Choice.show``."""

    @pytest.mark.acceptance(
        "S1-04",
        "S1-05",
        "S1-06",
        "S1-07",
        "S1-08",
        "S1-09",
        "S1-10",
        "S1-11",
        "S1-12",
        "S1-13",
        "S4-15",
        "S4-17",
        "S4-18",
    )
    def test_everything(self) -> None:
        """Whoever has everything has every property, numbers as numbers and days as ISO days of the shop."""
        shown = OURS.show(standing(codes=("FIVE-A", "FIVE-B"), last_redeemed_at=MIDNIGHT, **EVERYTHING))
        assert shown.unset == []
        code = shown.properties.pop("Laurel Referral Code")
        assert shown.properties == {
            "Laurel Points Balance": 0,
            "Laurel Lifetime Points": 600,
            "Laurel Points Spent": 600,
            "Laurel Pending Points": 20,
            "Laurel State": "member",
            "Laurel Joined At": "2026-11-22",
            "Laurel Last Activity": "2026-11-22",
            "Laurel Last Redeemed At": "2026-11-22",
            "Laurel Points Expire At": "2026-11-22",
            "Laurel Expiring Points": 40,
            "Laurel Tier": "Silver",
            "Laurel Tier Key": "silver",
            "Laurel Tier Since": "2026-11-22",
            "Laurel Tier Until": "2026-11-22",
            "Laurel Next Tier": "Gold Leaf",
            "Laurel Next Tier Distance": 120.5,
            "Laurel Birthday": "02-29",
            "Laurel Referral Link": f"https://fern-and-fig.myshopify.com/?ref={code}",
            "Laurel Rewards Ready": ["FIVE-A", "FIVE-B"],
        }

    def test_little(self) -> None:
        """What a member does not have is taken off, so that a lost tier does not stay; a number that is 0 is shown."""
        shown = OURS.show(standing(ShopView("fern-and-fig.myshopify.com"), joined_at=None))
        assert shown.properties == {
            "Laurel Points Balance": 0,
            "Laurel Lifetime Points": 600,
            "Laurel Points Spent": 600,
            "Laurel Pending Points": 0,
            "Laurel State": "member",
        }
        assert set(shown.unset) | set(shown.properties) == set(LAUREL.properties)

    def test_rest_of_a_tier(self) -> None:
        """Dates and distances of a tier that is not there are not shown, whatever the row still says."""
        left = EVERYTHING | {"tier": None, "next_tier": None, "expires_at": None}
        shown = OURS.show(standing(**left))
        for name in ("Tier", "Tier Since", "Tier Until", "Next Tier Distance", "Expiring Points"):
            assert f"Laurel {name}" in shown.unset

    def test_whole_distance(self) -> None:
        """A whole number is one: 120.0000 in the books is 120 for segments."""
        shown = OURS.show(standing(**EVERYTHING | {"next_tier_distance": Decimal("120.0000")}))
        assert repr(shown.properties["Laurel Next Tier Distance"]) == "120"

    def test_tier_of_before(self) -> None:
        """A tier that the program does not have any more is shown by its key rather than not at all."""
        shown = OURS.show(standing(**EVERYTHING | {"tier": "bronze"}))
        assert shown.properties["Laurel Tier"] == "bronze"

    def test_given_code(self) -> None:
        """A code that was brought from elsewhere goes before the one from the start."""
        shown = OURS.show(standing(referral_code="ADA-2019"))
        assert shown.properties["Laurel Referral Code"] == "ADA-2019"


class TestDocumented:
    """docs/klaviyo.md."""

    def test_properties(self) -> None:
        """Every property stands in the page with its type, and none that does not exist."""
        rows = dict(re.findall(r"^\| `(Laurel [^`]+)` \| ([^|]+?) \|", DOCS.read_text(), re.MULTILINE))
        shown = OURS.show(standing(codes=("FIVE-A",), last_redeemed_at=MIDNIGHT, **EVERYTHING)).properties
        said = {
            name: "number"
            if isinstance(value, int | float)
            else "list"
            if isinstance(value, list)
            else "date (ISO)"
            if re.fullmatch(r"\d{4}-\d\d-\d\d", value)
            else "text"
            for name, value in shown.items()
        }
        assert {name: kind.partition(" of")[0] for name, kind in rows.items()} == said

    def test_metrics(self) -> None:
        """So does every metric."""
        listed = re.findall(r"^\| `([A-Z][A-Za-z ]+)` \|", DOCS.read_text(), re.MULTILINE)
        assert {name for name in listed if not name.startswith("Laurel ")} == {
            metric.name for metric in LAUREL.metrics
        }
