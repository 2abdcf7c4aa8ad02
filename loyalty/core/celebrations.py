"""The days that come round each year: birthdays, and the anniversaries of joining."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from loyalty.core.decide import NOTHING, ActionRefused, Decision, GiftDue, Occasion, decide_occasion
from loyalty.core.ledger import Source
from loyalty.core.moments import day_of, start_of, yearly
from loyalty.core.program import ActionRule, BirthdayRule, Program
from loyalty.core.standing import Standing

BIRTHDAY = "birthday"
ANNIVERSARY = "anniversary"


def next_celebration(standing: Standing, program: Program, after: datetime) -> datetime | None:
    """When the member next has something to celebrate by the program."""
    zone, moments = program.timezone, []
    if standing.birthday is not None and program.action(BIRTHDAY) is not None:
        moments.append(_next(standing.birthday.month, standing.birthday.day, after, zone))
    if standing.joined_at is not None and program.action(ANNIVERSARY) is not None:
        joined = day_of(standing.joined_at, zone)
        moment = _next(joined.month, joined.day, after, zone)
        if day_of(moment, zone).year == joined.year:
            moment = start_of(yearly(joined.month, joined.day, joined.year + 1), zone)
        moments.append(moment)
    return min(moments, default=None)


def decide_birthday(standing: Standing, program: Program, at: datetime) -> Decision:
    """The birthday's points and reward, once a year, if the birthday has been known for long enough."""
    told = standing.birthday
    if told is None:
        return NOTHING
    rule, day = program.action(BIRTHDAY), day_of(at, program.timezone)
    if rule is None or yearly(told.month, told.day, day.year) != day:
        return NOTHING
    blackout = rule.blackout_days if isinstance(rule, BirthdayRule) else 0
    if (day - day_of(told.told_at, program.timezone)).days < blackout:
        return NOTHING
    return _celebrate(standing, rule, BIRTHDAY, day, program, at)


def decide_anniversary(standing: Standing, program: Program, at: datetime) -> Decision:
    """The points for another year as a member. The day of joining itself is none."""
    rule, day = program.action(ANNIVERSARY), day_of(at, program.timezone)
    if rule is None or standing.joined_at is None:
        return NOTHING
    joined = day_of(standing.joined_at, program.timezone)
    if day.year <= joined.year or yearly(joined.month, joined.day, day.year) != day:
        return NOTHING
    return _celebrate(standing, rule, ANNIVERSARY, day, program, at, years=day.year - joined.year)


def _celebrate(
    standing: Standing, rule: ActionRule, way: str, day: date, program: Program, at: datetime, **why: int
) -> Decision:
    slot = f"{way}:{day.year}"
    if any(award.slot == slot for award in standing.awards.values()):
        return NOTHING
    occasion = Occasion(Source(way, f"{standing.name}:{day.year}"), at, why)
    try:
        decision = decide_occasion(standing, rule, occasion, program, at=at)
    except ActionRefused:
        return NOTHING
    reward = rule.reward if isinstance(rule, BirthdayRule) else None
    gifts = (GiftDue(reward, slot, way, at),) if reward is not None else ()
    return Decision(decision.entries, decision.news, decision.awards, gifts=gifts)


def _next(month: int, day: int, after: datetime, zone: ZoneInfo) -> datetime:
    year = day_of(after, zone).year
    moment = start_of(yearly(month, day, year), zone)
    return moment if moment > after else start_of(yearly(month, day, year + 1), zone)
