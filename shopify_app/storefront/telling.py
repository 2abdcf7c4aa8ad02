"""What a shopper says of themselves: that they follow or shared, and when their birthday is.

Nobody can check a follow or a share, so each counts once: a follow in a life, a share in a day of the shop. Said again it changes
nothing, and the answer is the same.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NoReturn

from sqlalchemy import func
from sqlmodel import Session, select

from loyalty.core.facts import ActionDone, BirthdayTold, Identity
from loyalty.core.moments import day_of, yearly
from loyalty.core.program import ONCE, SELF_REPORTED_WAYS, BirthdayRule, Program, Rule
from loyalty.database import retry_on_conflict
from loyalty.models import AwardRow, Member, Shop
from loyalty.points import absorb
from loyalty.runtime import Runtime
from loyalty.statement import shopper
from shopify_app.visitors import Visitor, person_of, program_of, refuse

# A leap year, so that February 29 can be told.
_ANY_YEAR = 2024
Told = tuple[dict[str, Any], frozenset[str]]


@retry_on_conflict
def tell_action(runtime: Runtime, visitor: Visitor, body: Mapping[str, Any]) -> Told:
    """The member did what a rule rewards. Returns the answer, and the channels that have something to send."""
    now = runtime.clock()
    with runtime.transaction() as session:
        person, program = _speaker(session, visitor)
        rule = _self_reported(program, body.get("rule"))
        closed = shopper.closed_ways(session, person, program, now=now)
        if closed.get(rule.key) in ("wrong_tier", "out_of_schedule"):
            refuse(closed[rule.key])
        before = _given(session, person, rule)
        key = "" if rule.way in ONCE else f"{person.id}:{day_of(now, program.timezone)}"
        fact = ActionDone(rule.key, key, Identity(visitor.customer_id, None), now)
        channels = absorb(session, session.get_one(Shop, visitor.shop.id), (fact,), now=now)
        session.flush()
        session.refresh(person)
        earned = _given(session, person, rule) - before
        state = shopper.closed_ways(session, person, program, now=now).get(rule.key)
        if not earned and state == "limit_reached":
            refuse("limit_reached")
        answer = {
            "way": {"key": rule.key, "state": state or "open"},
            "points": earned,
            "balance": person.balance,
            "pending": person.pending,
        }
        return answer, channels


@retry_on_conflict
def tell_birthday(runtime: Runtime, visitor: Visitor, body: Mapping[str, Any]) -> Told:
    """The member's birthday is known from now on. ``celebrated_from`` is the first one that is rewarded: one that was told too shortly
    before it comes earns from the next year on."""
    now = runtime.clock()
    month, day = body.get("month"), body.get("day")
    if type(month) is not int or type(day) is not int or not _is_date(month, day):
        refuse("bad_birthday")
    with runtime.transaction() as session:
        person, program = _speaker(session, visitor)
        fact = BirthdayTold(Identity(visitor.customer_id, None), month, day, now)
        channels = absorb(session, session.get_one(Shop, visitor.shop.id), (fact,), now=now)
        session.flush()
        session.refresh(person)
        first = first_celebration(person, program, now)
        answer = {
            "birthday": {"month": month, "day": day},
            "celebrated_from": first.isoformat() if first else None,
            "balance": person.balance,
        }
        return answer, channels


def first_celebration(person: Member, program: Program, now: datetime) -> date | None:
    """The next birthday that is rewarded; None when the program rewards none, or the birthday is not known."""
    rules = program.actions("birthday")
    if not rules or person.birthday_month is None or person.birthday_day is None:
        return None
    for_tier = [rule for rule in rules if not rule.tiers or person.tier in rule.tiers] or rules
    known = day_of(person.birthday_told_at or now, program.timezone)
    blackout = timedelta(
        days=min(rule.blackout_days if isinstance(rule, BirthdayRule) else 0 for rule in for_tier)
    )
    today = day_of(now, program.timezone)
    years = range(today.year, today.year + 4)
    days = (yearly(person.birthday_month, person.birthday_day, year) for year in years)
    return next((day for day in days if day > today and day - known >= blackout), None)


def _speaker(session: Session, visitor: Visitor) -> tuple[Member, Program]:
    """Who is speaking. A customer whose record is still on its way to us has to come again a moment later."""
    if visitor.customer_id is None:
        refuse("not_signed_in")
    person = person_of(session, visitor)
    if person is None or person.state != "member":
        refuse("not_available")
    return person, program_of(session, visitor)


def _given(session: Session, person: Member, rule: Rule) -> int:
    """What the member has by a rule. The balance tells also what time has done to it meanwhile."""
    mine = (AwardRow.member_id == person.id, AwardRow.rule == rule.key)
    return int(session.exec(select(func.coalesce(func.sum(AwardRow.worth), 0)).where(*mine)).one())


def _self_reported(program: Program, key: Any) -> Rule:
    rule = program.rule(key) if isinstance(key, str) else None
    if rule is None or rule.way not in SELF_REPORTED_WAYS:
        _refuse_rule()
    return rule


def _refuse_rule() -> NoReturn:
    refuse("unknown_rule")


def _is_date(month: int, day: int) -> bool:
    try:
        date(_ANY_YEAR, month, day)
    except (ValueError, OverflowError):
        return False
    return True
