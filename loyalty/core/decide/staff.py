"""Points given or taken by staff, and debts that are forgiven."""

from loyalty.core import ledger
from loyalty.core.decide.decision import NOTHING, AdjustmentRefused, Decision
from loyalty.core.facts import PointsAdjusted
from loyalty.core.ledger import Entry, Source
from loyalty.core.news import entry_news
from loyalty.core.program import Program
from loyalty.core.standing import Standing


def staff_source(key: str) -> Source:
    """What an adjustment comes from."""
    return Source("staff", key)


def decide_adjustment(standing: Standing, fact: PointsAdjusted, program: Program) -> Decision:
    """Points given or taken by staff. Raises ``AdjustmentRefused`` when they would leave less than nothing without saying so.

    The caller has seen that ``fact.key`` was not posted before.
    """
    if fact.points == 0:
        return NOTHING
    if fact.points < 0 and standing.balance + fact.points < 0 and not fact.may_go_negative:
        raise AdjustmentRefused(standing.balance)
    why = {"staff": fact.staff} | ({"internal_note": fact.internal_note} if fact.internal_note else {})
    entry = Entry(
        kind=ledger.ADJUST,
        points=fact.points,
        source=staff_source(fact.key),
        rule="adjustment",
        sequence=0,
        program_version=program.version,
        reason=fact.note,
        why=why,
        occurred_at=fact.adjusted_at,
    )
    return Decision((entry,), (entry_news(entry, balance=standing.balance + entry.points),))


def debt_source(taken: Source, rule: str, sequence: int) -> Source:
    """What writes off the debt that a posting of a rule for a source left. Each taking back is forgiven by itself: the third one of an order
    may be the first that leaves a debt."""
    return Source("debt", f"{taken.kind}:{taken.ref}:{rule}:{sequence}")


def decide_debt(standing: Standing, taken: Entry, program: Program) -> Entry | None:
    """Where debts are forgiven: the entry that writes off what ``taken`` left below nothing, as far as ``taken`` caused it."""
    if program.debts != "forgive" or taken.kind != ledger.REVERSE or standing.balance >= 0:
        return None
    points = min(-standing.balance, -taken.points)
    return Entry(
        kind=ledger.FORGIVE,
        points=points,
        source=debt_source(taken.source, taken.rule, taken.sequence),
        rule="forgiven",
        sequence=0,
        program_version=program.version,
        reason="Debt written off",
        why={"taken": -taken.points, "because": taken.reason},
        occurred_at=taken.occurred_at,
    )
