"""How often a rule may be earned by. A limit is about when things happened, not about when we heard of them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from loyalty.core.moments import day_of, next_period, period_start
from loyalty.core.program import Limit


def allows(limit: Limit | None, others: Iterable[datetime], at: datetime, zone: ZoneInfo) -> bool:
    """Whether something may be earned at ``at`` beside what was earned at ``others``, in any order of their arrival."""
    if limit is None:
        return True
    if limit.per == "lifetime":
        return len(list(others)) < limit.times
    if limit.per == "days":
        return _rolling(limit, list(others), at)
    day = day_of(at, zone)
    begins, ends = period_start(day, limit.per), next_period(day, limit.per)
    return sum(begins <= day_of(other, zone) < ends for other in others) < limit.times


def _rolling(limit: Limit, others: list[datetime], at: datetime) -> bool:
    """No stretch of the limit's length may hold more than it allows. Every fullest stretch begins with one of the moments."""
    length = timedelta(days=limit.days or 1)
    near = [other for other in others if abs(other - at) < length]
    starts = [moment for moment in (*near, at) if moment <= at]
    return all(sum(start <= other < start + length for other in near) < limit.times for start in starts)
