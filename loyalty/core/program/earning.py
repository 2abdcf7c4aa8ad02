"""The rules by which members earn, and the campaigns that make them earn more for a while."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

# Rewarded per order.
ORDER_WAYS = frozenset({"order", "order_fixed", "order_value_goal"})
# Rewarded once, when all orders of a member together reach a mark.
GOAL_WAYS = frozenset({"order_count_goal", "spend_goal"})
# Klaviyo tells of these; one review earns by one of them, the richest that applies.
REVIEW_WAYS = frozenset({"review", "photo_review", "video_review"})
# Nobody can check these: the shopper says so in the widget.
SELF_REPORTED_WAYS = frozenset(
    {
        "follow_facebook", "follow_instagram", "follow_x", "follow_pinterest", "follow_tiktok", "follow_youtube",
        "share_x", "share_facebook",
    }
)  # fmt: skip
# Earned once in a life, whatever the limit says, also when two people turn out to be one.
ONCE = frozenset({"signup", "newsletter"}) | GOAL_WAYS | frozenset(
    way for way in SELF_REPORTED_WAYS if way.startswith("follow_")
)  # fmt: skip
# Earned once in a calendar year.
YEARLY = frozenset({"birthday", "anniversary"})
ACTION_WAYS = (
    frozenset({"signup", "newsletter", "birthday", "anniversary", "nps", "answer", "custom"})
    | REVIEW_WAYS
    | SELF_REPORTED_WAYS
)
WAYS = ORDER_WAYS | GOAL_WAYS | ACTION_WAYS


@dataclass(frozen=True, slots=True)
class Limit:
    """How often a member may earn by a rule: ``times`` per day, week, month or year of the shop's calendar, per lifetime, or per
    ``days`` days that roll with the moment (then ``per`` is ``days``)."""

    times: int
    per: str
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something holds, in dates of the shop's calendar. Both ends belong to it; None means that this end is open."""

    begins: date | None = None
    ends: date | None = None

    def holds(self, day: date) -> bool:
        """Whether it holds on this day of the shop's calendar."""
        return (self.begins is None or day >= self.begins) and (self.ends is None or day <= self.ends)


@dataclass(frozen=True, slots=True)
class Goods:
    """Which goods count. A line counts when it is in one of the included groups (all goods, when none are named) and in none of the
    excluded ones. Products and collections are Shopify's ids, tags are compared without regard to case."""

    products: frozenset[int] = frozenset()
    collections: frozenset[int] = frozenset()
    tags: frozenset[str] = frozenset()
    without_products: frozenset[int] = frozenset()
    without_collections: frozenset[int] = frozenset()
    without_tags: frozenset[str] = frozenset()

    @property
    def is_everything(self) -> bool:
        """Whether all goods count."""
        return self == _EVERYTHING

    @property
    def asks_catalogue(self) -> bool:
        """Whether one has to know the tags or collections of a product, which a webhook does not tell."""
        return bool(self.collections or self.tags or self.without_collections or self.without_tags)


_EVERYTHING = Goods()


@dataclass(frozen=True, slots=True)
class Gift:
    """Something given: points, a reward of the program (by its key), or both."""

    points: int = 0
    reward: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What all ways to earn share.

    ``guests``: whether people without an account may earn by it. ``tiers``: keys of those that may (all, when empty). ``hold_days``:
    how long points are pending before they can be spent.
    """

    key: str
    way: str
    title: str
    limit: Limit | None = None
    schedule: Schedule = Schedule()
    guests: bool = True
    tiers: frozenset[str] = frozenset()
    hold_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRule(Rule):
    """Points for one order.

    Way ``order``: ``rate`` points for each unit of the shop's currency that counts, rounded ``down``, ``half_up`` or ``up``. Ways
    ``order_fixed`` and ``order_value_goal``: ``points`` for an order whose counted amount is more than nothing and at least ``minimum``.
    ``channels`` are Shopify's source names (web, pos …; all, when empty). ``multiplied``: whether tiers and campaigns multiply it.
    """

    rate: Decimal = Decimal(0)
    points: int = 0
    rounding: str = "down"
    minimum: Decimal = Decimal(0)
    goods: Goods = Goods()
    channels: frozenset[str] = frozenset()
    multiplied: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalRule(Rule):
    """Points, once, when a member's orders reach ``goal``: a number of orders or an amount of money that counts."""

    goal: Decimal
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRule(Rule):
    """A fixed number of points for something that a member does, or that the calendar does."""

    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BirthdayRule(ActionRule):
    """Points, a reward, or both on a member's birthday.

    A birthday that was told or changed less than ``blackout_days`` before it comes earns from the next year on.
    """

    reward: str | None = None
    blackout_days: int = 30


@dataclass(frozen=True, slots=True)
class Campaign:
    """For a while, orders earn ``multiplier`` times as much, or ``extra`` points more, or both.

    ``rules`` are the keys of the order rules that it multiplies (all of them, when empty); ``channels`` and ``tiers`` narrow it. The day on
    which an order was placed decides.
    """

    key: str
    title: str
    schedule: Schedule
    multiplier: Decimal = Decimal(1)
    extra: int = 0
    rules: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
