"""A changed program beside the one in force, over everything that has happened in a shop. It reads, and changes nothing.

Both are run over the same history, so what differs is the programs' doing alone. The books stand beside them: they also know what
the history no longer tells (earlier versions of the program, orders that arrived late).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from loyalty.core.calendar import Era
from loyalty.core.facts import OrderSnapshot
from loyalty.core.orders import needs_catalogue
from loyalty.core.program import Program
from loyalty.preview.outcome import Outcome, Trial, outcome
from loyalty.preview.pasts import Past, read_pasts
from loyalty.preview.totals import Totals

BATCH = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare. ``changed`` is in force from ``begins`` on, and ``in_force`` before that; from the very beginning when it is None.
    ``until`` is the moment up to which history is looked at."""

    shop_id: int
    earning_since: datetime
    in_force: Program
    changed: Program
    begins: datetime | None
    until: datetime

    def trials(self) -> tuple[Trial, Trial]:
        """The history under the program in force, and under the changed one."""
        first = datetime.min.replace(tzinfo=self.until.tzinfo)
        now, then = _quiet(self.in_force), _quiet(replace(self.changed, version=self.in_force.version + 1))
        before = (Era(first, now),)
        after = (Era(first, then),) if self.begins is None else (Era(first, now), Era(self.begins, then))
        return self._trial(before), self._trial(after)

    def _trial(self, eras: Sequence[Era]) -> Trial:
        return Trial(eras, self.earning_since, self.begins, self.until)


@dataclass(frozen=True, slots=True)
class Compared:
    """One member, three ways."""

    past: Past
    before: Outcome
    after: Outcome


def compare_next(session: Session, plan: Plan, *, after: int, limit: int) -> Iterator[Compared]:
    """The next members by id, each compared."""
    before_trial, after_trial = plan.trials()
    pasts = read_pasts(
        session, plan.shop_id, after=after, limit=limit, counts_from=plan.begins, until=plan.until
    )
    for past in pasts:
        yield Compared(past, outcome(past.facts, before_trial), outcome(past.facts, after_trial))


def add_next(session: Session, plan: Plan, totals: Totals, *, after: int, limit: int) -> int | None:
    """Count the next members. Returns the last one's id, or None when there is nobody left."""
    last = None
    for compared in compare_next(session, plan, after=after, limit=limit):
        last = compared.past.member_id
        orders = compared.past.orders
        totals.orders += len(orders)
        totals.unknown_goods += sum(_is_unknown(order, plan.changed) for order in orders)
        totals.add(last, compared.past.books, compared.before, compared.after)
    return last


def _is_unknown(order: OrderSnapshot, program: Program) -> bool:
    return any(
        rule.goods.asks_catalogue and needs_catalogue(order, rule.goods) for rule in program.order_rules
    )


def _quiet(program: Program) -> Program:
    """The same program without what it only says. It moves no points, and is most of what a calendar does."""
    return replace(program, balance_reminder=None, is_told=False)
