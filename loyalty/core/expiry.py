"""When points end: the whole balance some months after the last activity, or each point some months after it could first be spent.

Points end at the shop's midnight with which the day begins. An end that nobody could foresee (the program has changed, old points came
back, somebody idle was given some) waits until every warning could be given; one that was foreseen comes on its day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.core import ledger
from loyalty.core.decide import NOTHING, Decision
from loyalty.core.ledger import Entry, Source
from loyalty.core.moments import add_months, day_of, start_of
from loyalty.core.news import EXPIRING, News, entry_news
from loyalty.core.program import Expiry, Program
from loyalty.core.standing import Standing

WARNING = "warning"
LAST_CHANCE = "last_chance"


@dataclass(frozen=True, slots=True)
class End:
    """How many points end, and when."""

    at: datetime
    points: int


def ends(standing: Standing, program: Program) -> Iterator[End]:
    """What ends when, from the first, if nothing more happens. Where points end by age it needs the member's entries.

    Older points never end after younger ones, so whoever asks for what comes next looks at the oldest lots and no further.
    """
    expiry = program.expiry
    if expiry is None or standing.balance <= 0:
        return
    if expiry.kind == "inactivity":
        since = standing.last_activity_at or standing.joined_at
        if since is not None:
            yield End(_end(standing, program, since, expiry), standing.balance)
        return
    ending, points = None, 0
    for lot in standing.lots():
        end = _end(standing, program, lot.at, expiry)
        if ending is not None and end != ending:
            yield End(ending, points)
            points = 0
        ending, points = end, points + lot.points
    if ending is not None:
        yield End(ending, points)


def next_end(standing: Standing, program: Program) -> End | None:
    """What ends next; None when nothing does."""
    return next(ends(standing, program), None) if program.expiry is not None else None


def notice(program: Program, at: datetime) -> datetime:
    """The earliest end that may come as a surprise at ``at``: late enough for every warning."""
    assert program.expiry is not None
    days = max(program.expiry.warning_days, program.expiry.last_chance_days)
    return start_of(day_of(at, program.timezone) + timedelta(days=days + 1), program.timezone)


def foresee(standing: Standing, program: Program, at: datetime) -> End | None:
    """What ends next, as it can be said from now on; the standing keeps it in mind.

    An end that comes too soon for its warnings, and sooner than what was foreseen, is put off.
    """
    ending = next_end(standing, program)
    if ending is not None and program.expiry is not None:
        soonest = notice(program, at)
        is_news = standing.expires_at is None or ending.at < standing.expires_at
        was_missed = standing.calendar_at is not None and ending.at <= standing.calendar_at
        if was_missed or (is_news and ending.at < soonest):
            standing.expiry_not_before = soonest
            ending = next_end(standing, program)
    standing.expires_at = ending.at if ending else None
    return ending


def next_expiry_moment(standing: Standing, program: Program, after: datetime) -> datetime | None:
    """When points next end, or are to be announced to end."""
    if program.expiry is None:
        return None
    soonest: datetime | None = None
    for end in ends(standing, program):
        passed = False
        for moment in (end.at, *(moment for moment, _ in _warnings(end, program))):
            if moment <= after:
                passed = True
            elif soonest is None or moment < soonest:
                soonest = moment
        if not passed:
            break  # what ends later is announced later, too
    return soonest


def decide_expiry(standing: Standing, program: Program, at: datetime) -> Decision:
    """Let the points go whose end has come."""
    ending, expiry = next_end(standing, program), program.expiry
    if ending is None or expiry is None or ending.at > at:
        return NOTHING
    day = day_of(ending.at, program.timezone)
    last = standing.last_activity_at
    entry = Entry(
        kind=ledger.EXPIRE,
        points=-ending.points,
        source=Source("expiry", f"{standing.name}:{day.isoformat()}"),
        rule=expiry.kind,
        sequence=0,
        program_version=program.version,
        reason="Points expired",
        why={"months": expiry.months, "last_activity_at": last.isoformat() if last else None},
        occurred_at=at,
    )
    extra = {"points_expired": ending.points, "last_activity_at": last.isoformat() if last else None}
    return Decision((entry,), (entry_news(entry, balance=standing.balance - ending.points, extra=extra),))


def decide_warnings(standing: Standing, program: Program, at: datetime) -> Decision:
    """Announce the end of points on the days for it."""
    if program.expiry is None or not program.is_told:
        return NOTHING
    news = []
    for end in ends(standing, program):
        warnings = _warnings(end, program)
        for moment, which in warnings:
            if moment == at:
                day = day_of(end.at, program.timezone)
                said = _announcement(standing, end, day, at, which, program)
                news.append(News(EXPIRING, said, at, subject=f"{which}:{day}"))
        if all(moment > at for moment, _ in warnings):
            break  # what ends later is announced later, too
    return Decision(news=tuple(news)) if news else NOTHING


def _warnings(end: End, program: Program) -> list[tuple[datetime, str]]:
    """When an end is announced, and how."""
    if not program.is_told:
        return []
    expiry, zone = program.expiry, program.timezone
    assert expiry is not None
    day = day_of(end.at, zone)
    days = ((expiry.warning_days, WARNING), (expiry.last_chance_days, LAST_CHANCE))
    return [(start_of(day - timedelta(days=ahead), zone), which) for ahead, which in days if ahead]


def _announcement(
    standing: Standing, ending: End, day: date, at: datetime, which: str, program: Program
) -> dict[str, Any]:
    last = standing.last_activity_at
    return {
        "which": which,
        "points": ending.points,
        "points_balance": standing.balance,
        "expires_at": ending.at.isoformat(),
        "expires_on": day.isoformat(),
        "days_left": (day - day_of(at, program.timezone)).days,
        **({"last_activity_at": last.isoformat()} if last else {}),
    }


def _end(standing: Standing, program: Program, since: datetime, expiry: Expiry) -> datetime:
    end = _months_after(since, expiry.months, program.timezone)
    return max(end, standing.expiry_not_before) if standing.expiry_not_before is not None else end


@lru_cache(maxsize=1 << 12)
def _months_after(since: datetime, months: int, zone: ZoneInfo) -> datetime:
    return start_of(add_months(day_of(since, zone), months), zone)
