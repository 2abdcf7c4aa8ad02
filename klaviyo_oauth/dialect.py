"""What our events and profile properties are called at Klaviyo, as data. Merchants build segments and flows on these names:
they may be added to, never renamed, and a property never changes its type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from klaviyo_oauth.standing import Standing
from loyalty.core import news

PropertyValue = str | int | float | list[str]


class Shown(NamedTuple):
    """What a profile shall show: properties with their values, and the names of those that it shall not have (any more)."""

    properties: dict[str, PropertyValue]
    unset: list[str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Metric names by kind of news, and profile properties by name; a property that gives None is taken off the profile."""

    metrics: Mapping[str, str]
    properties: Mapping[str, Callable[[Standing], PropertyValue | None]]

    def show(self, standing: Standing) -> Shown:
        """What one member's profile shows."""
        properties: dict[str, PropertyValue] = {}
        unset: list[str] = []
        for name, read in self.properties.items():
            value = read(standing)
            if value is None:
                unset.append(name)
            else:
                properties[name] = value
        return Shown(properties, unset)


def _number(amount: Decimal | None) -> int | float | None:
    if amount is None:
        return None
    return int(amount) if amount == amount.to_integral_value() else float(amount)


LAUREL = Dialect(
    metrics={
        news.JOINED: "Joined Program",
        news.EARNED: "Points Earned",
        news.REDEEMED: "Points Redeemed",
        news.ADJUSTED: "Points Adjusted",
        news.EXPIRED: "Points Expired",
        news.EXPIRING: "Points Expiring",
        news.BALANCE_REMINDER: "Points Balance Reminder",
        news.BIRTHDAY_SET: "Birthday Set",
        news.TIER_CHANGED: "Tier Changed",
        news.REWARD_GIVEN: "Reward Given",
        news.REWARD_EXPIRING: "Reward Expiring",
        news.REWARD_EXPIRED: "Reward Expired",
        news.REWARD_USED: "Purchased With Reward",
        news.REWARD_CANCELLED: "Reward Cancelled",
        news.REFERRAL_SHARED: "Referral Shared",
        news.REFERRAL_RECEIVED: "Referral Received",
        news.REFERRAL_ACCEPTED: "Referral Accepted",
        news.REFERRAL_COMPLETED: "Referral Completed",
    },
    properties={
        "Laurel Points Balance": lambda standing: standing.balance,
        "Laurel Lifetime Points": lambda standing: standing.lifetime_earned,
        "Laurel Points Spent": lambda standing: standing.lifetime_spent,
        "Laurel Pending Points": lambda standing: standing.pending,
        "Laurel State": lambda standing: standing.state,
        "Laurel Joined At": lambda standing: standing.shop.day(standing.joined_at),
        "Laurel Last Activity": lambda standing: standing.shop.day(standing.last_activity_at),
        "Laurel Points Expire At": lambda standing: standing.shop.day(standing.expires_at),
        "Laurel Expiring Points": lambda standing: (
            standing.expiring_points if standing.expires_at is not None else None
        ),
        "Laurel Tier": lambda standing: standing.shop.title(standing.tier),
        "Laurel Tier Key": lambda standing: standing.tier,
        "Laurel Tier Since": lambda standing: (
            standing.shop.day(standing.tier_since) if standing.tier is not None else None
        ),
        "Laurel Tier Until": lambda standing: (
            standing.shop.day(standing.tier_until) if standing.tier is not None else None
        ),
        "Laurel Next Tier": lambda standing: standing.shop.title(standing.next_tier),
        "Laurel Next Tier Distance": lambda standing: (
            _number(standing.next_tier_distance) if standing.next_tier is not None else None
        ),
        "Laurel Birthday": lambda standing: standing.birthday,
        "Laurel Referral Code": lambda standing: standing.referral_code,
        "Laurel Referral Link": lambda standing: standing.referral_link,
        "Laurel Rewards Ready": lambda standing: list(standing.codes) or None,
    },
)
