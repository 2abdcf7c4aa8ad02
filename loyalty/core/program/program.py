"""One version of a shop's whole program."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from loyalty.core.program.currency import CurrencyFormat
from loyalty.core.program.earning import (
    GOAL_WAYS,
    ORDER_WAYS,
    ActionRule,
    Campaign,
    GoalRule,
    OrderRule,
    Rule,
)
from loyalty.core.program.names import PointsName
from loyalty.core.program.policies import BalanceReminder, Basis, Expiry, Referrals
from loyalty.core.program.rewards import Reward
from loyalty.core.program.tiers import Tiers

UTC = ZoneInfo("UTC")
_GOODS_ALONE = Basis()
_AS_THE_SHOP = CurrencyFormat()


@dataclass(frozen=True, kw_only=True)  # without slots: what is asked of all rules again and again is kept
class Program:
    """One version of a shop's whole program. Rules that are switched off are not in it.

    ``timezone`` is the shop's calendar. ``point_value`` is what one point is worth in money, for reports. ``guests``: whether people
    without an account ``earn`` at once, ``wait`` (their points are given when they make one) or ``never`` do. ``stacking``: of several
    multipliers that hold for an order the ``highest`` counts, or they ``add`` (2 and 1.5 make 2.5), or they ``multiply``. ``debts``:
    whether taking points back may leave a member with less than nothing (``keep``), or what is missing is written off (``forgive``).
    ``is_told``: whether anybody hears of what happens by it. Where nobody does (in a preview), warnings, news and the sum behind an order's points
    are not put into words; no point depends on them.
    """

    version: int
    points_name: PointsName
    currency: CurrencyFormat = _AS_THE_SHOP
    timezone: ZoneInfo = UTC
    point_value: Decimal | None = None
    basis: Basis = _GOODS_ALONE
    guests: str = "earn"
    stacking: str = "highest"
    debts: str = "keep"
    earning: tuple[Rule, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    rewards: tuple[Reward, ...] = ()
    tiers: Tiers | None = None
    referrals: Referrals | None = None
    expiry: Expiry | None = None
    balance_reminder: BalanceReminder | None = None
    reward_reminder_days: int = 3
    is_told: bool = True

    def reward(self, key: str) -> Reward | None:
        """The reward with this key, or None when the program does not (or no longer) offer it."""
        return next((reward for reward in self.rewards if reward.key == key), None)

    def rule(self, key: str) -> Rule | None:
        """The earning rule with this key, or None when there is none (or it is switched off)."""
        return next((rule for rule in self.earning if rule.key == key), None)

    def rules(self, *ways: str) -> tuple[Rule, ...]:
        """The earning rules of these ways, in the order of the document."""
        return tuple(rule for rule in self.earning if rule.way in ways)

    def actions(self, way: str) -> tuple[ActionRule, ...]:
        """The rules for an action, in the order of the document. Of an action that is rewarded once, the first one that applies does."""
        return self._actions.get(way, ())

    @cached_property
    def _actions(self) -> Mapping[str, tuple[ActionRule, ...]]:
        found: dict[str, tuple[ActionRule, ...]] = {}
        for rule in self.earning:
            if isinstance(rule, ActionRule):
                found[rule.way] = (*found.get(rule.way, ()), rule)
        return found

    @cached_property
    def order_rules(self) -> tuple[OrderRule, ...]:
        """The rules for single orders."""
        return tuple(rule for rule in self.earning if rule.way in ORDER_WAYS and isinstance(rule, OrderRule))

    @cached_property
    def goals(self) -> tuple[GoalRule, ...]:
        """The rules for a member's orders together."""
        return tuple(rule for rule in self.earning if rule.way in GOAL_WAYS and isinstance(rule, GoalRule))

    @cached_property
    def looks_back(self) -> bool:
        """Whether a decision needs all that a member has done, and not only the fact at hand."""
        return bool(
            self.tiers
            or self.goals
            or (self.expiry and self.expiry.kind == "age")
            or (self.referrals and self.referrals.hold_days)
            or any(rule.limit or rule.hold_days for rule in self.earning)
        )
