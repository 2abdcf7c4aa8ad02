"""What our events and profile properties are called at Klaviyo, as data. Merchants build segments and flows on these names:
they may be added to, never renamed, and a property never changes its type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from loyalty.core import news
from loyalty.delivery import Recipient

PropertyValue = str | int


class Standing(NamedTuple):
    """What a profile shows of a member, as true at the moment of sending. A tuple, because a sync makes a million of them."""

    balance: int
    lifetime_earned: int
    lifetime_spent: int
    state: str
    joined_at: datetime | None


@dataclass(frozen=True, slots=True)
class Dialect:
    """Metric names by kind of news, and profile properties by name; a property that gives None is left out."""

    metrics: Mapping[str, str]
    properties: Mapping[str, Callable[[Standing], PropertyValue | None]]

    def profile_properties(self, standing: Standing) -> dict[str, PropertyValue]:
        """The properties of one member's profile."""
        return {
            name: value for name, read in self.properties.items() if (value := read(standing)) is not None
        }


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
        "Laurel State": lambda standing: standing.state,
        "Laurel Joined At": lambda standing: (
            standing.joined_at.date().isoformat() if standing.joined_at else None
        ),
    },
)


def standing_of(recipient: Recipient) -> Standing:
    """The part of a recipient that a profile shows."""
    return Standing(
        recipient.balance,
        recipient.lifetime_earned,
        recipient.lifetime_spent,
        recipient.state,
        recipient.joined_at,
    )
