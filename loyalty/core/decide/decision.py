"""What follows from a fact."""

from dataclasses import dataclass
from datetime import datetime

from loyalty.core.ledger import Entry
from loyalty.core.news import News
from loyalty.core.standing import Award


@dataclass(frozen=True, slots=True)
class Pin:
    """What an order's points are reckoned by for ever: the program's version and the member's tier when it first earned."""

    version: int
    tier: str | None


@dataclass(frozen=True, slots=True)
class TierMove:
    """The tier that a member has from now on (None: none at all), and since when."""

    tier: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class GiftDue:
    """A reward of the program that is to be given, once per ``slot``: for a birthday, for a tier."""

    reward: str
    slot: str
    given_for: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a fact. ``awards`` replace those of the same key in the standing; ``entries`` and ``news`` are new.

    ``joins``: the person becomes a member. ``reread``: points would be moved on hearsay (or something of the order is not known), so the
    order must be read first. ``pin``: by what the order's points are reckoned from now on. ``tier``: the member's tier changes. ``gifts`` are
    rewards to be given. ``ended`` are the ids of rewards that nobody can use any longer, ``ending`` of those that soon will be.
    """

    entries: tuple[Entry, ...] = ()
    news: tuple[News, ...] = ()
    awards: tuple[Award, ...] = ()
    joins: bool = False
    reread: bool = False
    pin: Pin | None = None
    tier: TierMove | None = None
    gifts: tuple[GiftDue, ...] = ()
    ended: tuple[str, ...] = ()
    ending: tuple[str, ...] = ()


# What most instants bring. It is made once: to make one costs as much as to find out that there is nothing.
NOTHING = Decision()


class RewardRefused(Exception):
    """A reward cannot be had. ``code`` is unknown_reward, not_enough_points, wrong_amount, limit_reached, wrong_tier or not_available;
    ``missing`` says how many points are short."""

    def __init__(self, code: str, *, missing: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.missing = missing


class AdjustmentRefused(Exception):
    """An adjustment would take the balance below zero without having said that it may. ``balance`` is what there is."""

    def __init__(self, balance: int) -> None:
        super().__init__("below_zero")
        self.balance = balance
