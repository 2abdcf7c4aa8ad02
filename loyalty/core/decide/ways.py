"""Whether a way to earn is open to a member now: for showing it, not for deciding. What is earned is decided when it happens."""

from datetime import datetime

from loyalty.core.decide.actions import slot_of
from loyalty.core.decide.goals import goal_slot
from loyalty.core.limits import allows
from loyalty.core.moments import day_of
from loyalty.core.program import ActionRule, GoalRule, Program, Rule
from loyalty.core.standing import Standing


def why_not(standing: Standing, rule: Rule, program: Program, *, at: datetime) -> str | None:
    """Why a member earns nothing by a rule now, in the words of ``ActionRefused``; None when it is open."""
    if not rule.schedule.holds(day_of(at, program.timezone)):
        return "out_of_schedule"
    if rule.tiers and standing.tier not in rule.tiers:
        return "wrong_tier"
    slot = _slot(rule, at, program)
    if slot and any(award.slot == slot and award.worth for award in standing.awards.values()):
        return "done_already"
    given = [award.occurred_at for award in standing.by_rule(rule.key)]
    return None if allows(rule.limit, given, at, program.timezone) else "limit_reached"


def _slot(rule: Rule, at: datetime, program: Program) -> str:
    if isinstance(rule, GoalRule):
        return goal_slot(rule)
    return slot_of(rule, at, program) if isinstance(rule, ActionRule) else ""
