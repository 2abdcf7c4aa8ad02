"""Days and months of a shop's calendar, as stretches between two instants: right also where the clocks change."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from loyalty.core.moments import add_months, period_start
from loyalty.statement.formats import Formats

# SQLite joins at most 500 of them at once, and nobody reads more.
MOST = 400
UNITS = ("day", "month")


class TooLong(ValueError):
    """More periods than one report may have."""


@dataclass(frozen=True, slots=True)
class Period:
    """One day or month. ``first`` is its first day; it holds from ``starts`` until before ``ends``."""

    first: date
    starts: datetime
    ends: datetime


def periods(first: date, last: date, unit: str, formats: Formats) -> tuple[Period, ...]:
    """The days, or the whole months, from that of ``first`` to that of ``last``. Raises ``TooLong``."""
    found: list[Period] = []
    for begins, ends in _stretches(first, last, unit):
        if len(found) == MOST:
            raise TooLong(MOST)
        found.append(Period(begins, formats.start_of_day(begins), formats.start_of_day(ends)))
    return tuple(found)


def _stretches(first: date, last: date, unit: str) -> Iterator[tuple[date, date]]:
    if unit not in UNITS:
        raise ValueError(f"no period is called {unit}")
    begins = period_start(first, unit)
    while begins <= last:
        ends = begins + timedelta(days=1) if unit == "day" else add_months(begins, 1)
        yield begins, ends
        begins = ends
