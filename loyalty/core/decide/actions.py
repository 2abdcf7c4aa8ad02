"""Points for things that happen once: an action of a member, a day of the calendar, an account made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from loyalty.core.decide.decision import NOTHING, Decision
from loyalty.core.decide.orders import may_earn
from loyalty.core.decide.posting import Change, change, new_award
from loyalty.core.facts import ActionDone
from loyalty.core.ledger import Source
from loyalty.core.limits import allows
from loyalty.core.moments import day_of
from loyalty.core.program import ONCE, SELF_REPORTED_WAYS, YEARLY, ActionRule, Program
from loyalty.core.standing import Standing


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that happened. ``source`` is what makes it one of its kind."""

    source: Source
    occurred_at: datetime
    why: Mapping[str, Any] = field(default_factory=dict)
    said: Mapping[str, Any] = field(default_factory=dict)


class ActionRefused(Exception):
    """An action earns nothing. ``reason``: unknown_rule, not_a_member, out_of_schedule, wrong_tier, limit_reached or done_already."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def slot_of(rule: ActionRule, occurred_at: datetime, program: Program) -> str:
    """What a person may have only once: the way itself, or the way in a year. Empty where there is no such bound."""
    if rule.way in ONCE:
        return rule.way
    if rule.way in YEARLY:
        return f"{rule.way}:{day_of(occurred_at, program.timezone).year}"
    return ""


def decide_occasion(
    standing: Standing,
    rule: ActionRule,
    occasion: Occasion,
    program: Program,
    *,
    at: datetime,
    history: bool = False,
) -> Decision:
    """Give the points of a rule for an occasion, once. Raises ``ActionRefused`` when the rule gives nothing for it."""
    if standing.award(occasion.source, rule.key) is not None:
        return NOTHING
    slot = slot_of(rule, occasion.occurred_at, program)
    _check(standing, rule, occasion, program, slot)
    award = new_award(occasion.source, rule, program, occurred_at=occasion.occurred_at, slot=slot)
    to = Change(rule.points, occasion.occurred_at, {"points": rule.points, **occasion.why}, "")
    changed, entries, news = change(standing.balance, award, to, at=at, history=history, extra=occasion.said)
    return Decision(entries, news, (changed,))


def decide_action(standing: Standing, fact: ActionDone, program: Program, *, at: datetime) -> Decision:
    """A member did something that a rule rewards. Raises ``ActionRefused``."""
    rule = program.rule(fact.rule)
    if not isinstance(rule, ActionRule) or rule.way not in SELF_REPORTED_WAYS | {"custom", "nps", "answer"}:
        raise ActionRefused("unknown_rule")
    return decide_occasion(
        standing,
        rule,
        Occasion(action_source(standing, rule, fact.key, fact.done_at), fact.done_at),
        program,
        at=at,
    )


def action_source(standing: Standing, rule: ActionRule, key: str, done_at: datetime) -> Source:
    """What an action's points come from: the caller's id where there is one; the member and the moment (or, once in a life, the
    member alone) otherwise."""
    if key:
        return Source("action", f"{rule.key}:{key}")
    if rule.way in ONCE:
        return Source("action", f"{rule.key}:{standing.name}")
    return Source("action", f"{rule.key}:{standing.name}:{done_at.isoformat()}")


def _check(standing: Standing, rule: ActionRule, occasion: Occasion, program: Program, slot: str) -> None:
    if not may_earn(standing, rule.guests, program, occasion.occurred_at):
        raise ActionRefused("not_a_member")
    if not rule.schedule.holds(day_of(occasion.occurred_at, program.timezone)):
        raise ActionRefused("out_of_schedule")
    if rule.tiers and standing.tier not in rule.tiers:
        raise ActionRefused("wrong_tier")
    if slot and any(award.slot == slot and award.worth for award in standing.awards.values()):
        raise ActionRefused("done_already")
    # Where only a reward is given, no award is worth any points.
    given = standing.by_rule(rule.key) if rule.points else standing.awards.values()
    others = [award.occurred_at for award in given if award.rule == rule.key]
    if not allows(rule.limit, others, occasion.occurred_at, program.timezone):
        raise ActionRefused("limit_reached")
