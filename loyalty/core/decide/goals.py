"""Goals: points, once, when all the orders of a member together reach a mark. Taken back when refunds undo it."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from loyalty.core.decide.decision import Decision
from loyalty.core.decide.orders import may_earn
from loyalty.core.decide.posting import Change, change, new_award
from loyalty.core.ledger import Entry, Source
from loyalty.core.news import News
from loyalty.core.program import GoalRule, Program
from loyalty.core.standing import Award, Standing


def decide_goals(standing: Standing, program: Program, *, at: datetime, history: bool = False) -> Decision:
    """Give what goals are reached, and take back what is no longer. Needs all orders of the member."""
    awards: list[Award] = []
    entries: list[Entry] = []
    news: list[News] = []
    for award, to in _changes(standing, program, at):
        known = Standing(balance=standing.balance + sum(entry.points for entry in entries))
        changed, posted, told = change(known, award, to, at=at, history=history)
        awards.append(changed)
        entries.extend(posted)
        news.extend(told)
    return Decision(tuple(entries), tuple(news), tuple(awards))


def reached_at(standing: Standing, rule: GoalRule) -> datetime | None:
    """When the orders that count now had reached the goal, or None."""
    sum_so_far = Decimal(0)
    for credit in sorted(standing.orders.values(), key=lambda credit: credit.placed_at):
        if credit.amount > 0:
            sum_so_far += 1 if rule.way == "order_count_goal" else credit.amount
            if sum_so_far >= rule.goal:
                return credit.placed_at
    return None


def _changes(standing: Standing, program: Program, at: datetime) -> Iterator[tuple[Award, Change]]:
    known = {award.slot: award for award in standing.awards.values() if award.slot.startswith("goal:")}
    for rule in program.goals:
        award = known.get(f"goal:{rule.key}")
        reached = reached_at(standing, rule)
        points = rule.points if reached and may_earn(standing, rule.guests, program, reached) else 0
        if award is not None and award.worth and points:
            continue  # what it was worth when it was reached stays, whatever the rule says now
        if award is None and points:
            assert reached is not None
            source = Source("goal", f"{rule.key}:{standing.name}")
            award = new_award(source, rule, program, occurred_at=reached, slot=f"goal:{rule.key}")
        if award is not None and award.worth != points:
            why = {"goal": str(rule.goal), "way": rule.way, "orders": len(standing.orders)}
            yield award, Change(points, reached or at, why, "Goal no longer reached")
