"""The days that come round each year: birthdays, and the anniversaries of joining."""

from collections.abc import Sequence
from dataclasses import replace
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
    if standing.birthday is not None and program.actions(BIRTHDAY):
        moments.append(_next(standing.birthday.month, standing.birthday.day, after, zone))
    if standing.joined_at is not None and program.actions(ANNIVERSARY):
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
    day = day_of(at, program.timezone)
    if yearly(told.month, told.day, day.year) != day:
        return NOTHING
    known_for = (day - day_of(told.told_at, program.timezone)).days
    rules = [rule for rule in program.actions(BIRTHDAY) if known_for >= _blackout(rule)]
    return _celebrate(standing, rules, BIRTHDAY, day, program, at)


def decide_anniversary(standing: Standing, program: Program, at: datetime) -> Decision:
    """The points for another year as a member. The day of joining itself is none."""
    rules, day = program.actions(ANNIVERSARY), day_of(at, program.timezone)
    if not rules or standing.joined_at is None:
        return NOTHING
    joined = day_of(standing.joined_at, program.timezone)
    if day.year <= joined.year or yearly(joined.month, joined.day, day.year) != day:
        return NOTHING
    return _celebrate(standing, rules, ANNIVERSARY, day, program, at, years=day.year - joined.year)


def _blackout(rule: ActionRule) -> int:
    return rule.blackout_days if isinstance(rule, BirthdayRule) else 0


def _celebrate(
    standing: Standing,
    rules: Sequence[ActionRule],
    way: str,
    day: date,
    program: Program,
    at: datetime,
    **why: int,
) -> Decision:
    """What the first of the rules gives that gives anything."""
    slot = f"{way}:{day.year}"
    if not rules or any(award.slot == slot for award in standing.awards.values()):
        return NOTHING
    occasion = Occasion(Source(way, f"{standing.name}:{day.year}"), at, why)
    for rule in rules:
        try:
            decision = decide_occasion(standing, rule, occasion, program, at=at)
        except ActionRefused:
            continue
        reward = rule.reward if isinstance(rule, BirthdayRule) else None
        gifts = (GiftDue(reward, slot, way, at),) if reward is not None else ()
        return replace(decision, gifts=gifts)
    return NOTHING


def _next(month: int, day: int, after: datetime, zone: ZoneInfo) -> datetime:
    year = day_of(after, zone).year
    moment = start_of(yearly(month, day, year), zone)
    return moment if moment > after else start_of(yearly(month, day, year + 1), zone)
