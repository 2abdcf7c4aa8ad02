"""The rules that are about the whole program: what of an order counts, how points end, whom friends may bring, when members are
reminded."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from loyalty.core.program.earning import Gift, Limit, Schedule

_ALWAYS = Schedule()


@dataclass(frozen=True, slots=True)
class Basis:
    """What of an order counts beside the goods, after every discount and without tax."""

    tax: bool = False
    shipping: bool = False
    gift_cards: bool = False


@dataclass(frozen=True, slots=True)
class Expiry:
    """How points end: by ``inactivity`` the whole balance, by ``age`` each point for itself, first in, first out.

    ``months`` after the last activity or after they could be spent, on the day of the shop's calendar. Members are warned
    ``warning_days`` and once more ``last_chance_days`` before; points never end by surprise sooner than that.
    """

    kind: str
    months: int
    warning_days: int = 30
    last_chance_days: int = 3


@dataclass(frozen=True, slots=True)
class BalanceReminder:
    """Tells members of points that they could spend, once per period: each ``week`` or ``month`` of the shop's calendar, or once after
    ``idle_days`` without any activity (``every`` is ``idle``; then again after as many days more).

    Not below ``minimum`` points; at ``hour`` of the shop's day; a purchase in the period stops it. One that comes late is not sent between
    the hours ``quiet_from`` and ``quiet_until`` (over midnight as a rule; none when they are the same).
    """

    every: str
    minimum: int = 1
    idle_days: int = 30
    hour: int = 10
    quiet_from: int = 21
    quiet_until: int = 8


@dataclass(frozen=True, slots=True)
class Referrals:
    """Members bring friends. ``friend`` is the key of the reward that the friend gets, ``advocate`` what the member gets when the friend's
    first order of at least ``minimum`` has stood for ``hold_days``. ``checks`` names the checks that block. On the days of ``schedule``
    members of ``tiers`` (all, when empty) may bring friends; who was brought then may order later."""

    friend: str
    advocate: Gift
    minimum: Decimal = Decimal(0)
    hold_days: int = 14
    limit: Limit | None = None
    checks: frozenset[str] = frozenset({"self", "existing_customer", "address", "device"})
    title: str = "Refer a friend"
    schedule: Schedule = _ALWAYS
    tiers: frozenset[str] = frozenset()

    def closed(self, day: date, tier: str | None) -> str | None:
        """Why a member of this tier can bring nobody on this day of the shop: ``out_of_schedule`` or ``wrong_tier``. None: they can."""
        if not self.schedule.holds(day):
            return "out_of_schedule"
        return "wrong_tier" if self.tiers and tier not in self.tiers else None
