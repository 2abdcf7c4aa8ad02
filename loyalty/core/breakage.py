"""How much of what is outstanding nobody will ever spend, judged by what became of points that are old enough to tell.

The points of members are followed lot by lot, first in, first out. Lots that have had their time (``MATURE_MONTHS``, or as long as points
live where they end) say which share of points came to nothing, in three ways: *low* counts only what has expired; *base* adds what is
still there with members who have done nothing since; *high* adds all that is still there. The rest of the evidence is when points were
spent: what has lain for a year is less likely to be spent than what was earned yesterday, so each outstanding lot is judged by its age.
It is an estimate, and says so: with too little evidence there is none.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from loyalty.core import ledger
from loyalty.core.ledger import Entry, is_activity
from loyalty.core.lots import fates
from loyalty.core.program import Program

MATURE_MONTHS = 12
LEAST_MEMBERS = 20
LEAST_POINTS = 1000
_MONTH = timedelta(days=30)
# What was taken back, or moved with its member, was never given to anybody for good.
_NEVER_GIVEN = frozenset({ledger.REVERSE, ledger.IMPORT, ledger.TRANSFER})
_KINDS = ("low", "base", "high")


@dataclass(frozen=True, slots=True)
class Breakage:
    """Which share of the outstanding points will come to nothing."""

    low: Fraction
    base: Fraction
    high: Fraction


@dataclass(slots=True)
class Evidence:
    """What the lots of many members tell at an instant. ``mature_months``: how old a lot has to be to count as told to its end."""

    at: datetime
    mature_months: int = MATURE_MONTHS
    members: int = 0
    mature_members: int = 0
    given: int = 0
    expired: int = 0
    idle: int = 0
    left: int = 0
    spent_at_age: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    outstanding_at_age: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, entries: Sequence[Entry]) -> None:
        """Follow one member's points; ``entries`` are all of the member's, in the order in which they were recorded."""
        self.members += 1
        left, gone = fates(entries)
        newest = max((entry.occurred_at for entry in entries if is_activity(entry.kind)), default=None)
        is_idle = newest is None or newest < self.at - self.mature_months * _MONTH
        before = self.given
        for lot in left:
            self.outstanding_at_age[self._age(lot.at, self.at)] += lot.points
            if self._is_mature(lot.at):
                self.given += lot.points
                self.left += lot.points
                self.idle += lot.points if is_idle else 0
        for one in gone:
            if not self._is_mature(one.lot.at) or one.kind in _NEVER_GIVEN:
                continue
            self.given += one.lot.points
            if one.kind == ledger.EXPIRE:
                self.expired += one.lot.points
            else:
                self.spent_at_age[self._age(one.lot.at, one.at)] += one.lot.points
        self.mature_members += self.given != before

    def estimate(self) -> Breakage | None:
        """The share of the outstanding points that will come to nothing; None when there is not enough history."""
        if self.mature_members < LEAST_MEMBERS or self.given < LEAST_POINTS:
            return None
        outstanding = sum(self.outstanding_at_age.values())
        lost = (self.expired, self.expired + self.idle, self.expired + self.left)
        if outstanding == 0:
            return Breakage(*(Fraction(each, self.given) for each in lost))
        expected = [
            sum(self._lost(points, age, each) for age, points in self.outstanding_at_age.items())
            for each in lost
        ]
        return Breakage(*(Fraction(each) / outstanding for each in expected))

    def _lost(self, points: int, age: int, lost: int) -> Fraction:
        """How many points of an age will come to nothing: of those that were not spent by that age, as many as ever came to nothing."""
        unspent = self.given - sum(spent for when, spent in self.spent_at_age.items() if when < age)
        return Fraction(points * min(lost, unspent), unspent) if unspent > 0 else Fraction(0)

    def _is_mature(self, since: datetime) -> bool:
        return since <= self.at - self.mature_months * _MONTH

    @staticmethod
    def _age(since: datetime, at: datetime) -> int:
        return max(0, (at - since) // _MONTH)


def evidence(program: Program, at: datetime) -> Evidence:
    """An empty one, for the program's way of ending points."""
    months = program.expiry.months + 1 if program.expiry else MATURE_MONTHS
    return Evidence(at, months)
