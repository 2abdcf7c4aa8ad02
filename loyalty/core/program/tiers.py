"""The VIP tiers: how members climb, how long they stay, and what it is worth to them."""

from dataclasses import dataclass
from decimal import Decimal

from loyalty.core.program.earning import Gift

METRICS = ("points", "spent", "orders")
WINDOWS = ("lifetime", "calendar_year", "rolling")
_NOTHING = Gift()


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier. ``threshold`` is what the metric has to reach; points for orders are multiplied by ``multiplier``; ``entry`` is given once,
    when a member first enters it."""

    key: str
    title: str
    threshold: Decimal
    multiplier: Decimal = Decimal(1)
    perks: tuple[str, ...] = ()
    entry: Gift = _NOTHING


@dataclass(frozen=True, slots=True)
class Tiers:
    """The ladder, from the lowest threshold to the highest.

    ``metric``: ``points`` earned, money ``spent`` (the counted amount of orders) or number of ``orders``. ``window``: ``lifetime``,
    ``calendar_year`` (of the shop; what one year reached holds through the next one too) or ``rolling`` (the last ``months`` months).
    A tier that is no longer reached is kept for ``grace_days`` more.
    """

    metric: str = "spent"
    window: str = "lifetime"
    months: int = 12
    grace_days: int = 0
    ladder: tuple[Tier, ...] = ()

    def tier(self, key: str | None) -> Tier | None:
        """The tier of this key, or None."""
        return next((tier for tier in self.ladder if tier.key == key), None)

    def place(self, key: str | None) -> int:
        """How high a tier stands: 0 for none, 1 for the lowest."""
        return next((place for place, tier in enumerate(self.ladder, 1) if tier.key == key), 0)
