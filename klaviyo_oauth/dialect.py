"""What our events and profile properties are called at Klaviyo, as data. Merchants build segments and flows on these names:
they may be added to, never renamed, and a property never changes its type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from loyalty.core import decide
from loyalty.delivery import Recipient

PropertyValue = str | int


@dataclass(frozen=True, slots=True)
class Standing:
    """What a profile shows of a member, as true at the moment of sending."""

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
        values = ((name, value(standing)) for name, value in self.properties.items())
        return {name: value for name, value in values if value is not None}


LAUREL = Dialect(
    metrics={
        decide.JOINED: "Joined Program",
        decide.EARNED: "Points Earned",
        decide.REDEEMED: "Points Redeemed",
        decide.ADJUSTED: "Points Adjusted",
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
