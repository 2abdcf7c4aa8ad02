"""Goals: points, once, when all the orders of a member together reach a mark. Taken back when refunds undo it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from operator import attrgetter

from loyalty.core.decide.decision import Decision
from loyalty.core.decide.orders import may_earn
from loyalty.core.decide.posting import Change, Gathered, new_award
from loyalty.core.ledger import Source
from loyalty.core.moments import day_of
from loyalty.core.program import GoalRule, Program
from loyalty.core.standing import Award, OrderCredit, Standing
from loyalty.core.tiers import tier_at

_SLOT = "goal:"
_NOTHING, _ONE = Decimal(0), Decimal(1)


def decide_goals(standing: Standing, program: Program, *, at: datetime, history: bool = False) -> Decision:
    """Give what goals are reached, and take back what turns out not to have been. Needs all orders of the member.

    What was given stays while it is reached by the terms of then or by those of now: a goal that was set higher takes nothing back, and
    one that was switched off can still be undone.
    """
    gathered = Gathered(standing.balance)
    for award, to in _changes(standing, program, at):
        gathered.change(award, to, at=at, history=history)
    return gathered.decision()


def reached_at(standing: Standing, way: str, goal: Decimal) -> datetime | None:
    """When the orders that count now had reached a goal, or None."""
    if _total(standing, way) < goal:
        return None
    sum_so_far = _NOTHING
    for credit in sorted(standing.orders.values(), key=attrgetter("placed_at")):
        sum_so_far += _amount(credit, way)
        if sum_so_far >= goal:
            return credit.placed_at
    return None


def _total(standing: Standing, way: str) -> Decimal:
    return sum((_amount(credit, way) for credit in standing.orders.values()), _NOTHING)


def _amount(credit: OrderCredit, way: str) -> Decimal:
    """How much an order adds towards a goal."""
    if credit.amount <= 0:
        return _NOTHING
    return _ONE if way == "order_count_goal" else credit.amount


def _changes(standing: Standing, program: Program, at: datetime) -> Iterator[tuple[Award, Change]]:
    known = _known(standing)
    rules = {goal_slot(rule): rule for rule in program.goals}
    for slot, award in known.items():
        if award.worth and not _still_reached(standing, award, rules.get(slot)):
            why = {**award.why, "orders": len(standing.orders)}
            yield award, Change(0, at, why, "Goal no longer reached")
    for slot, rule in rules.items():
        before = known.get(slot)
        if before is not None and before.worth:
            continue
        reached = reached_at(standing, rule.way, rule.goal)
        if reached is not None and _may(standing, rule, program, reached):
            award = _dated(standing, before, rule, program, reached)
            why = {"goal": str(rule.goal), "way": rule.way, "orders": len(standing.orders)}
            yield award, Change(rule.points, reached, why, "")


def _may(standing: Standing, rule: GoalRule, program: Program, reached: datetime) -> bool:
    """Whether this person may have the goal that an order of this moment reached. The tier is the one that the member had with that order, as
    far as is known now."""
    if not may_earn(standing, rule.guests, program, reached):
        return False
    if not rule.schedule.holds(day_of(reached, program.timezone)):
        return False
    return not rule.tiers or _tier_key(standing, program, reached) in rule.tiers


def _tier_key(standing: Standing, program: Program, at: datetime) -> str | None:
    tier = tier_at(standing, program, at)
    return tier.key if tier else None


def _known(standing: Standing) -> dict[str, Award]:
    """What was given for each goal. Of two people who turned out to be one, the award that is still worth something."""
    known: dict[str, Award] = {}
    for award in standing.awards.values():
        if award.slot.startswith(_SLOT) and (award.slot not in known or award.worth):
            known[award.slot] = award
    return known


def _still_reached(standing: Standing, award: Award, rule: GoalRule | None) -> bool:
    terms = [(rule.way, rule.goal)] if rule is not None else []
    if "goal" in award.why:
        terms.append((award.why["way"], Decimal(award.why["goal"])))
    return not terms or any(_total(standing, way) >= goal for way, goal in terms)


def _dated(
    standing: Standing, before: Award | None, rule: GoalRule, program: Program, reached: datetime
) -> Award:
    """The award for a goal that is reached (once more: by the rules of now, and with a hold of its own unless it was posted already)."""
    source = Source("goal", f"{rule.key}:{standing.name}")
    fresh = new_award(source, rule, program, occurred_at=reached, slot=goal_slot(rule))
    if before is None:
        return fresh
    if before.postings:
        return replace(before, program_version=program.version)
    return replace(fresh, source=before.source)


def goal_slot(rule: GoalRule) -> str:
    """What one person may have once by the rule."""
    return f"{_SLOT}{rule.key}"
