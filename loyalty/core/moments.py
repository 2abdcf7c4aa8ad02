"""Days, months and midnights of a shop's calendar. All instants are aware; all of them come and go as UTC.

What a decision asks most is kept for the next one: a member's few days are asked for again and again, and a zone's rules cost more to
apply than to remember. An answer depends on what was asked alone, so none can grow old.
"""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=1 << 14)
def day_of(at: datetime, zone: ZoneInfo) -> date:
    """The shop's day at an instant."""
    return at.astimezone(zone).date()


@lru_cache(maxsize=1 << 12)
def start_of(day: date, zone: ZoneInfo, *, hour: int = 0) -> datetime:
    """The instant at which a day of the shop (or an hour of it) begins. An hour that a clock change skips begins where it would have."""
    return datetime.combine(day, time(hour), tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=1 << 12)
def add_months(day: date, months: int) -> date:
    """The same day some months later (or earlier); the last day of a month that is too short for it."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def yearly(month: int, day: int, year: int) -> date:
    """The day of a yearly date in a year. February 29 is kept on February 28 in other years."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def is_quiet(hour: int, begins: int, ends: int) -> bool:
    """Whether an hour of the day lies in the quiet ones, which may go over midnight. There are none when they end as they begin."""
    return begins <= hour < ends if begins <= ends else not ends <= hour < begins


def after_quiet(at: datetime, zone: ZoneInfo, *, begins: int, ends: int) -> datetime:
    """The instant itself, or the end of the quiet hours that it lies in."""
    if not is_quiet(at.astimezone(zone).hour, begins, ends):
        return at
    day = day_of(at, zone)
    end = start_of(day, zone, hour=ends)
    return end if end > at else start_of(day + timedelta(days=1), zone, hour=ends)


def next_midnight(at: datetime, zone: ZoneInfo) -> datetime:
    """The next beginning of a shop's day after an instant."""
    return start_of(day_of(at, zone) + timedelta(days=1), zone)


def period_start(day: date, per: str) -> date:
    """The first day of the day, week (from Monday), month or year that a day is in."""
    match per:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "year":
            return day.replace(month=1, day=1)
    raise ValueError(f"no period is called {per}")


def next_period(day: date, per: str) -> date:
    """The first day of the period after the one that a day is in."""
    start = period_start(day, per)
    match per:
        case "day":
            return start + timedelta(days=1)
        case "week":
            return start + timedelta(days=7)
        case "month":
            return add_months(start, 1)
    return start.replace(year=start.year + 1)
