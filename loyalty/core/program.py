"""The program: what a shop's document says, as frozen values. Parsing it, with every mistake named, is ``document``'s work."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class PointsName:
    """What the shop calls its points."""

    one: str
    many: str

    def format(self, points: int) -> str:
        """``1 leaf``, ``-3 leaves``, ``1,200 leaves``."""
        return f"{points:,} {self.one if abs(points) == 1 else self.many}"


@dataclass(frozen=True, slots=True)
class OrderRule:
    """Points per amount spent. ``rate`` is points per one unit of the shop's currency; ``rounding`` is down, half_up or up.

    What counts is stated in ``loyalty.core.orders``.
    """

    key: str
    title: str
    rate: Decimal
    rounding: str


@dataclass(frozen=True, slots=True)
class SignupRule:
    """Points, once, for creating an account after the program began."""

    key: str
    title: str
    points: int


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """Points, once per review, for a verified review of any kind (stars only, text, photo or video)."""

    key: str
    title: str
    points: int


@dataclass(frozen=True, slots=True)
class AmountOff:
    """A reward: a one-use discount code of a fixed amount in the shop's currency, bound to the member."""

    key: str
    title: str
    points: int
    amount: Decimal
    minimum_subtotal: Decimal | None
    expires_after_days: int | None


@dataclass(frozen=True, slots=True)
class Program:
    """One version of a shop's whole program. A rule that is switched off is None."""

    version: int
    points_name: PointsName
    order: OrderRule | None
    signup: SignupRule | None
    review: ReviewRule | None
    rewards: tuple[AmountOff, ...]

    def reward(self, key: str) -> AmountOff | None:
        """The reward with this key, or None when the program does not (or no longer) offer it."""
        return next((reward for reward in self.rewards if reward.key == key), None)
