"""What is known of a member when something is decided: the points, what they came from, and the orders behind them.

A standing is a value of one decision's world, not a row: it is read, decided upon, and told what was decided (``Standing.take``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from loyalty.core import ledger
from loyalty.core.ledger import Entry, Source
from loyalty.core.lots import Lot, Purse


class AwardKey(NamedTuple):
    """What an award is for: a rule, applied to a source."""

    source: Source
    rule: str


@dataclass(frozen=True, slots=True)
class Award:
    """What a source is worth by a rule, and what was posted for it.

    ``worth`` is the truth as it is known now; while ``release_at`` is ahead the points are pending and nothing is posted. ``occurred_at`` is
    when the points were earned, ``slot`` marks awards that one person may have only once (``""`` for all others). ``program_version`` is
    the version that decides it for ever.
    """

    source: Source
    rule: str
    way: str
    title: str
    worth: int
    occurred_at: datetime
    program_version: int
    release_at: datetime | None = None
    posted: int = 0
    postings: int = 0
    slot: str = ""
    why: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> AwardKey:
        """Its business key."""
        return AwardKey(self.source, self.rule)

    @property
    def held(self) -> int:
        """The points that were not posted because they had to wait, whether or not the wait is over by now."""
        return self.worth if self.release_at is not None and not self.postings else 0

    def is_held(self, at: datetime) -> bool:
        """Whether its points cannot be spent yet."""
        return self.release_at is not None and self.release_at > at and not self.postings


@dataclass(frozen=True, slots=True)
class OrderCredit:
    """What an order counts for tiers and goals: when it was placed, and the money of it that counts (as it is known now)."""

    placed_at: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Birthday:
    """A birthday without its year, and since when it is known."""

    month: int
    day: int
    told_at: datetime


@dataclass(frozen=True, slots=True)
class HandTier:
    """A tier that staff gave by hand; it holds until ``ends_at`` (for ever, when that is None)."""

    tier: str
    since: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenIssue:
    """A reward that was made, is not used yet, and ends one day."""

    id: str
    issued_at: datetime
    expires_at: datetime


@dataclass(eq=False, slots=True)
class Standing:
    """See the module.

    ``name`` names the member in sources that are the member's own (goals, birthdays, expiry); it never changes. ``awards`` and
    ``orders`` are all of the member's when the program ``looks_back``, otherwise those of the source at hand. ``entries`` are the
    movements of points from the oldest to the newest (only where points expire by age); they are only ever added to, by ``take`` and
    ``remember``. ``calendar_at`` is up to when the calendar was
    settled. ``last_activity_at``: the last earning or redeeming; ``last_order_at``: when the newest order was placed. ``held``: the points
    that wait for their release. ``expires_at`` is when points end next, as it was last foreseen, and ``expiry_not_before`` the moment before
    which they do not, because nobody could have foreseen an earlier one (``loyalty.core.expiry``). ``issues`` are the rewards that end
    one day (the calendar's concern alone).
    """

    name: str = ""
    joined_at: datetime | None = None
    is_guest: bool = True
    balance: int = 0
    held: int = 0
    lifetime_earned: int = 0
    lifetime_spent: int = 0
    tier: str | None = None
    tier_since: datetime | None = None
    hand_tier: HandTier | None = None
    birthday: Birthday | None = None
    last_activity_at: datetime | None = None
    last_order_at: datetime | None = None
    calendar_at: datetime | None = None
    expires_at: datetime | None = None
    expiry_not_before: datetime | None = None
    issues: list[OpenIssue] = field(default_factory=list)
    awards: dict[AwardKey, Award] = field(default_factory=dict)
    orders: dict[int, OrderCredit] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    _purse: Purse = field(default_factory=Purse, init=False)
    _in_purse: int = field(default=0, init=False)

    def award(self, source: Source, rule: str) -> Award | None:
        """The award of a source by a rule, or None."""
        return self.awards.get(AwardKey(source, rule))

    def of_source(self, source: Source) -> Iterator[Award]:
        """The awards of a source."""
        return (award for award in self.awards.values() if award.source == source)

    def by_rule(self, rule: str) -> Iterator[Award]:
        """The awards by a rule that are worth something."""
        return (award for award in self.awards.values() if award.rule == rule and award.worth)

    def put(self, award: Award) -> None:
        """Count an award as it is from now on."""
        before = self.awards.get(award.key)
        self.held += award.held - (before.held if before else 0)
        self.awards[award.key] = award

    def take(self, entry: Entry) -> None:
        """Count a movement of points that was decided."""
        self.balance += entry.points
        earned, spent = ledger.lifetime(entry.kind, entry.points)
        self.lifetime_earned += earned
        self.lifetime_spent += spent
        if ledger.is_activity(entry.kind) and (
            self.last_activity_at is None or entry.occurred_at > self.last_activity_at
        ):
            self.last_activity_at = entry.occurred_at
        self.entries.append(entry)

    def remember(self, earlier: Sequence[Entry]) -> None:
        """Take note of movements that were counted long ago, and of which nothing was known here yet."""
        self.entries[:0] = earlier
        self._purse, self._in_purse = Purse(), 0

    def lots(self) -> Sequence[Lot]:
        """The points that are left and how old they are, from the oldest: what all the movements come to. Each is looked at once."""
        for entry in self.entries[self._in_purse :]:
            self._purse.enter(entry)
        self._in_purse = len(self.entries)
        return self._purse.lots
