"""Which tier a member has reached: a function of what the member's orders and awards count now, of the program, and of an instant.

Nothing is remembered, so it does not matter when or how often somebody looked. It decides nothing (``decide.tiers`` does). Whole days of
the shop's calendar count: what a day brought is worth the same in the morning and in the evening, and tiers fall at midnight.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from heapq import merge
from itertools import accumulate
from zoneinfo import ZoneInfo

from loyalty.core.moments import add_months, day_of, start_of
from loyalty.core.program import Program, Tier, Tiers
from loyalty.core.standing import Standing

# The way of awards that a tier itself gives: what was given for climbing is no step up.
TIER_ENTRY = "tier_entry"
_NOTHING = Decimal(0)
_ONE = Decimal(1)
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Distance:
    """The next tier up, and how much of the metric is still missing."""

    tier: Tier
    missing: Decimal


@dataclass(frozen=True, slots=True)
class _Credit:
    """Something that counts: on which day, how much, and since when it is certain (points on hold are not)."""

    day: date
    amount: Decimal
    since: datetime


def tier_at(standing: Standing, program: Program, at: datetime) -> Tier | None:
    """The tier that a member has at an instant: the one given by hand while that holds, otherwise the highest one reached."""
    return Climb(standing, program).tier(at)


def tier_until(standing: Standing, program: Program, at: datetime) -> datetime | None:
    """When the tier falls if nothing more happens; None when it does not."""
    return Climb(standing, program).falls(at)


def next_tier(standing: Standing, program: Program, at: datetime) -> Distance | None:
    """The next tier and the distance to it; None at the top, and for those who take no part."""
    return Climb(standing, program).ahead(at)


def metric_at(standing: Standing, tiers: Tiers, at: datetime, zone: ZoneInfo) -> Decimal:
    """What counts towards the next tier: since ever, of this calendar year, or of the months that roll."""
    counting = _credits(standing, tiers, zone)
    return _Sums([credit for credit in counting if credit.since <= at], tiers).towards(day_of(at, zone))


def takes_part(standing: Standing, program: Program) -> bool:
    """Whether this person has tiers at all: guests do where they earn like members."""
    return program.tiers is not None and (not standing.is_guest or program.guests == "earn")


class Climb:
    """One member's way up and down the ladder (the program's, or that of an earlier day), for several questions about it."""

    def __init__(self, standing: Standing, program: Program, tiers: Tiers | None = None) -> None:
        self.zone = program.timezone
        self.tiers = tiers or (program.tiers if takes_part(standing, program) else None)
        self._hand = standing.hand_tier
        counting = _credits(standing, self.tiers, self.zone) if self.tiers else []
        self._credits = sorted(counting, key=lambda credit: credit.since)
        self._since = [credit.since for credit in self._credits]
        self._sums: dict[int, _Sums] = {}

    def tier(self, at: datetime) -> Tier | None:
        """See ``tier_at``."""
        by_hand = self.by_hand(at)
        return by_hand if by_hand is not None else self.reached(at)

    def by_hand(self, at: datetime) -> Tier | None:
        """The tier that staff gave, while it holds and the ladder has it."""
        hand = self._hand
        if (
            hand is None
            or self.tiers is None
            or at < hand.since
            or (hand.ends_at is not None and at >= hand.ends_at)
        ):
            return None
        return self.tiers.tier(hand.tier)

    def reached(self, at: datetime) -> Tier | None:
        """The highest tier that the credits reach, the grace included."""
        if self.tiers is None:
            return None
        best = self._best(at)
        return next((tier for tier in reversed(self.tiers.ladder) if best >= tier.threshold), None)

    def ever_reached(self, threshold: Decimal, begins: datetime, ends: datetime) -> bool:
        """Whether a threshold was reached at any moment of a span. The value only ever rises when something begins to count."""
        first, last = bisect_right(self._since, begins), bisect_right(self._since, ends)
        return any(self._best(at) >= threshold for at in (begins, *self._since[first:last], ends))

    def towards(self, at: datetime) -> Decimal:
        """What counts towards the next tier."""
        return self._at(at).towards(day_of(at, self.zone)) if self.tiers else _NOTHING

    def ahead(self, at: datetime) -> Distance | None:
        """See ``next_tier``."""
        if self.tiers is None:
            return None
        tier, value = self.tier(at), self.towards(at)
        place = self.tiers.place(tier.key if tier else None)
        higher = (tier for tier in self.tiers.ladder[place:] if tier.threshold > value)
        following = next(higher, None)
        return Distance(following, following.threshold - value) if following else None

    def falls(self, at: datetime) -> datetime | None:
        """See ``tier_until``."""
        if self.tiers is None:
            return None
        tier = self.tier(at)
        place = self.tiers.place(tier.key if tier else None)
        for moment, changed in self.changes(at):
            now = self.tiers.place(changed.key if changed else None)
            if now < place:
                return moment
            place = now
        return None

    def changes(self, at: datetime) -> Iterator[tuple[datetime, Tier | None]]:
        """The moments after an instant at which time alone changes the tier, and what it is from then on."""
        tier = self.tier(at)
        for moment in self._moments(at):
            then = self.tier(moment)
            if then != tier:
                tier = then
                yield moment, then

    def _moments(self, at: datetime) -> Iterator[datetime]:
        """When the tier may change: something stops to count, begins to, or what staff gave ends."""
        if self.tiers is None:
            return
        later = self._since[bisect_right(self._since, at) :]
        if self._hand is not None:
            later.extend(
                moment
                for moment in (self._hand.since, self._hand.ends_at)
                if moment is not None and moment > at
            )
        grace = timedelta(days=self.tiers.grace_days)
        ends = _Sums(self._credits, self.tiers).end_days(after=day_of(at, self.zone) - grace)
        yield from merge(sorted(later), (start_of(day + grace, self.zone) for day in ends))

    def _best(self, at: datetime) -> Decimal:
        assert self.tiers is not None
        last = day_of(at, self.zone)
        return self._at(at).best(last - timedelta(days=self.tiers.grace_days), last)

    def _at(self, at: datetime) -> "_Sums":
        assert self.tiers is not None
        number = bisect_right(self._since, at)
        if number not in self._sums:
            self._sums[number] = _Sums(self._credits[:number], self.tiers)
        return self._sums[number]


class _Sums:
    """What credits add up to on any day, by the window of the tiers."""

    def __init__(self, counting: list[_Credit], tiers: Tiers) -> None:
        ordered = sorted(counting, key=lambda credit: credit.day)
        self._window, self._days = tiers.window, [credit.day for credit in ordered]
        self._sums = [_NOTHING, *accumulate(credit.amount for credit in ordered)]
        self._ends = [_end_day(day, tiers) for day in self._days] if tiers.window != "lifetime" else []

    def on(self, day: date) -> Decimal:
        """What holds on a day: of calendar years the better one of this one so far and the one before."""
        if self._window != "calendar_year":
            return self._sums[bisect_right(self._days, day)] - self._sums[bisect_right(self._ends, day)]
        return max(self.towards(day), self._year(day.year - 1, date(day.year - 1, 12, 31)))

    def towards(self, day: date) -> Decimal:
        """What counts towards the next tier on a day."""
        return self._year(day.year, day) if self._window == "calendar_year" else self.on(day)

    def best(self, first: date, last: date) -> Decimal:
        """The most that held on any day from ``first`` to ``last``: on the last one, or on the eve of a day on which something ended."""
        eves = {
            end - _ONE_DAY
            for end in self._ends[bisect_right(self._ends, first) : bisect_right(self._ends, last)]
        }
        return max(self.on(day) for day in (last, *eves))

    def end_days(self, *, after: date) -> Iterator[date]:
        """The days after a day on which something stops to count."""
        previous = after
        for end in self._ends[bisect_right(self._ends, after) :]:
            if end != previous:
                previous = end
                yield end

    def _year(self, year: int, until: date) -> Decimal:
        return (
            self._sums[bisect_right(self._days, until)]
            - self._sums[bisect_left(self._days, date(year, 1, 1))]
        )


def _end_day(day: date, tiers: Tiers) -> date:
    """From which day on something of a day no longer counts. Never later for an earlier day."""
    return date(day.year + 2, 1, 1) if tiers.window == "calendar_year" else add_months(day, tiers.months)


def _credits(standing: Standing, tiers: Tiers, zone: ZoneInfo) -> list[_Credit]:
    if tiers.metric == "points":
        return [
            _Credit(
                day_of(award.occurred_at, zone), Decimal(award.worth), award.release_at or award.occurred_at
            )
            for award in standing.awards.values()
            if award.worth > 0 and award.way != TIER_ENTRY
        ]
    return [
        _Credit(
            day_of(order.placed_at, zone), _ONE if tiers.metric == "orders" else order.amount, order.placed_at
        )
        for order in standing.orders.values()
        if order.amount > 0
    ]
