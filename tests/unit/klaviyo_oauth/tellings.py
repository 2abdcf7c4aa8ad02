"""Somebody who has everything that can be told, in a shop that has a name for everything."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from klaviyo_oauth.standing import ShopView
from loyalty.core.program import PointsName
from loyalty.core.worth import PointWorth
from loyalty.delivery import Message, Recipient

NOW = datetime(2026, 11, 22, 12, 30, 15, tzinfo=UTC)
SHOP = ShopView(
    "fern-and-fig.myshopify.com",
    ZoneInfo("UTC"),
    {"silver": "Silver", "gold": "Gold Leaf"},
    PointsName("leaf", "leaves"),
    refers=True,
    point_worth=PointWorth(Fraction(1, 100)),
)


def recipient(**changes: Any) -> Recipient:
    """Ada, who has everything."""
    values: dict[str, Any] = {
        "member_id": 7,
        "email": "ada@fernandfig.shop",
        "customer_id": 99,
        "first_name": "Ada",
        "last_name": "Fern",
        "state": "member",
        "balance": 540,
        "lifetime_earned": 600,
        "lifetime_spent": 60,
        "joined_at": NOW,
        "pending": 20,
        "tier": "silver",
        "tier_since": NOW,
        "tier_until": NOW,
        "next_tier": "gold",
        "next_tier_distance": Decimal("120.50"),
        "expires_at": NOW,
        "expiring_points": 40,
        "birthday_month": 2,
        "birthday_day": 9,
        "last_activity_at": NOW,
        "referral_code": "ADA-2019",
    }
    return Recipient(**values | changes)


def bo() -> Recipient:
    """Bo, her friend, of whom less is known."""
    return Recipient(8, "bo@fernandfig.shop", 98, "Bo", None, "guest", 0, 0, 0, None)


def message(
    kind: str, *, to: Recipient | None = None, about: Recipient | None = None, **payload: Any
) -> Message:
    """News for Ada."""
    return Message(1, 1, kind, "entry-1", payload, NOW, False, 1, to or recipient(), about)
