"""Which tier a member has reached: a function of what the member's orders and awards count now, of the program, and of an instant.

Nothing is remembered, so it does not matter when or how often somebody looked. It decides nothing (``decide.tiers`` does). Whole days of
the shop's calendar count: what a day brought is worth the same in the morning and in the evening, and tiers fall at midnight.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from heapq import merge
from itertools import accumulate, chain, takewhile
from operator import itemgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from loyalty.core.moments import add_months, day_of, start_of
from loyalty.core.program import Program, Tier, Tiers
from loyalty.core.standing import OrderCredit, Standing

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


class _Credit(NamedTuple):
    """Something that counts: since when it is certain (points on hold are not), on which day, and how much."""

    since: datetime
    day: date
    amount: Decimal


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
    return _Credits(standing, tiers.metric, zone).at(at, tiers).towards(day_of(at, zone))


def takes_part(standing: Standing, program: Program) -> bool:
    """Whether this person has tiers at all: guests do where they earn like members."""
    return program.tiers is not None and (not standing.is_guest or program.guests == "earn")


class Climb:
    """One member's way up and down the ladder (the program's, or that of an earlier day), for several questions about it.

    It is a look at the standing as it is: once orders, awards or the tier given by hand have changed, one has to look anew. One more order
    than there was can be counted instead (``goes_on``).
    """

    def __init__(
        self,
        standing: Standing,
        program: Program,
        tiers: Tiers | None = None,
        *,
        counted: "_Credits | None" = None,
    ) -> None:
        self.zone = program.timezone
        self.tiers = tiers or (program.tiers if takes_part(standing, program) else None)
        self._standing, self.program = standing, program
        self._hand = standing.hand_tier
        metric = self.tiers.metric if self.tiers else None
        if counted is None or counted.metric != metric:
            counted = _Credits(standing, metric, self.zone)
        self._credits = counted

    def by(self, tiers: Tiers) -> "Climb":
        """The same member's way up another ladder."""
        return Climb(self._standing, self.program, tiers, counted=self._credits)

    @property
    def asks_awards(self) -> bool:
        """Whether it depends on what awards are worth."""
        return self._credits.metric == "points"

    def goes_on(self, order: OrderCredit) -> bool:
        """Count one more order, if it is the newest of all. Otherwise it says False, and one has to look anew."""
        counted = _of_orders((order,), self._credits.metric, self.zone)
        return not self.asks_awards and all(self._credits.append(credit) for credit in counted)

    def tier(self, at: datetime) -> Tier | None:
        """See ``tier_at``."""
        by_hand = self.by_hand(at) if self._hand is not None else None
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
        since = self._credits.since
        first, last = bisect_right(since, begins), bisect_right(since, ends)
        # The end is asked first: whoever has reached it mostly still does.
        return any(self._best(at) >= threshold for at in (ends, begins, *since[first:last]))

    def towards(self, at: datetime) -> Decimal:
        """What counts towards the next tier."""
        return self._credits.at(at, self.tiers).towards(day_of(at, self.zone)) if self.tiers else _NOTHING

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

    def changes(self, at: datetime, until: datetime | None = None) -> Iterator[tuple[datetime, Tier | None]]:
        """The moments after an instant (and not after another one) at which time alone changes the tier, and what it is from then on."""
        moments = takewhile(lambda moment: until is None or moment <= until, self._moments(at))
        first = next(moments, None)
        if first is None:
            return
        tier = self.tier(at)
        for moment in chain((first,), moments):
            then = self.tier(moment)
            if then != tier:
                tier = then
                yield moment, then

    def _moments(self, at: datetime) -> Iterator[datetime]:
        """When the tier may change: something stops to count, begins to, or what staff gave ends."""
        if self.tiers is None:
            return
        since = self._credits.since
        later = since[bisect_right(since, at) :]
        if self._hand is not None:
            later.extend(
                moment
                for moment in (self._hand.since, self._hand.ends_at)
                if moment is not None and moment > at
            )
        grace = timedelta(days=self.tiers.grace_days)
        ends = self._credits.all(self.tiers).end_days(after=day_of(at, self.zone) - grace)
        falls = (start_of(day + grace, self.zone) for day in ends)
        yield from merge(sorted(later), falls) if later else falls

    def _best(self, at: datetime) -> Decimal:
        assert self.tiers is not None
        last = day_of(at, self.zone)
        return self._credits.at(at, self.tiers).best(last - timedelta(days=self.tiers.grace_days), last)


class _Credits:
    """Everything that counts by a metric, in the order in which it became certain, and its sums as they were needed."""

    def __init__(self, standing: Standing, metric: str | None, zone: ZoneInfo) -> None:
        self.metric = metric
        self._all = sorted(_counting(standing, metric, zone), key=itemgetter(0))
        self.since = [credit.since for credit in self._all]
        # Where clocks are set back over midnight, a later instant may be of an earlier day.
        self._last_day = max((credit.day for credit in self._all), default=date.min)
        self._sums: dict[tuple[int, str, int], _Sums] = {}

    def append(self, credit: _Credit) -> bool:
        """Add one that is certain after all others, and of no earlier day. Sums of all of them are carried on; False when it is not so."""
        number = len(self._all)
        if number and (credit.since < self.since[-1] or credit.day < self._last_day):
            return False
        self._sums = {
            (number + 1, window, months): sums
            for (known, window, months), sums in self._sums.items()
            if known == number
        }
        for sums in self._sums.values():
            sums.append(credit)
        self._all.append(credit)
        self.since.append(credit.since)
        self._last_day = credit.day
        return True

    def at(self, at: datetime, tiers: Tiers) -> "_Sums":
        """What was certain at an instant, added up by the window of the tiers."""
        number = bisect_right(self.since, at)
        return self._sums.get((number, tiers.window, tiers.months)) or self._first(number, tiers)

    def all(self, tiers: Tiers) -> "_Sums":
        """The same of everything, also of what is not certain yet."""
        return self._first(len(self._all), tiers)

    def _first(self, number: int, tiers: Tiers) -> "_Sums":
        asked = number, tiers.window, tiers.months
        found = self._sums.get(asked)
        if found is None:
            found = self._sums[asked] = _Sums(self._all[:number], tiers)
        return found


class _Sums:
    """What credits add up to on any day, by the window of the tiers."""

    def __init__(self, counting: list[_Credit], tiers: Tiers) -> None:
        ordered = sorted(counting, key=itemgetter(1))
        self._tiers, self._window, self._days = tiers, tiers.window, [credit.day for credit in ordered]
        self._sums = [_NOTHING, *accumulate(credit.amount for credit in ordered)]
        self._ends = [_end_day(day, tiers) for day in self._days] if tiers.window != "lifetime" else []

    def append(self, credit: _Credit) -> None:
        """Add one of no earlier day than all others."""
        self._days.append(credit.day)
        self._sums.append(self._sums[-1] + credit.amount)
        if self._window != "lifetime":
            self._ends.append(_end_day(credit.day, self._tiers))

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
        begin, stop = bisect_right(self._ends, first), bisect_right(self._ends, last)
        if begin == stop:
            return self.on(last)
        return max(self.on(day) for day in (last, *{end - _ONE_DAY for end in self._ends[begin:stop]}))

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


def _counting(standing: Standing, metric: str | None, zone: ZoneInfo) -> Iterator[_Credit]:
    if metric == "points":
        for award in standing.awards.values():
            if award.worth > 0 and award.way != TIER_ENTRY:
                since = award.release_at or award.occurred_at
                yield _Credit(since, day_of(award.occurred_at, zone), Decimal(award.worth))
    else:
        yield from _of_orders(standing.orders.values(), metric, zone)


def _of_orders(orders: Iterable[OrderCredit], metric: str | None, zone: ZoneInfo) -> Iterator[_Credit]:
    if metric not in ("orders", "spent"):
        return
    for order in orders:
        if order.amount > 0:
            counts = _ONE if metric == "orders" else order.amount
            yield _Credit(order.placed_at, day_of(order.placed_at, zone), counts)
