"""What time alone brings about for one member: points are released, rewards and points end, tiers fall, days are celebrated.

Everything happens at its own instant, under the program in force at that instant, and what falls on the same instant happens in a fixed
order. So it makes no difference how often, or how late, somebody settles: one run over ninety days ends like ninety daily runs. It knows no
clock and keeps nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from loyalty.core.celebrations import decide_anniversary, decide_birthday, next_celebration
from loyalty.core.decide import Decision, decide_tier, release
from loyalty.core.expiry import decide_expiry, decide_warnings, foresee, next_expiry_moment
from loyalty.core.program import Program
from loyalty.core.reminders import (
    decide_balance_reminder,
    decide_issues,
    next_balance_reminder,
    next_issue_moment,
)
from loyalty.core.standing import Award, Standing
from loyalty.core.tiers import Climb


@dataclass(frozen=True, slots=True)
class Era:
    """A version of the program, and since when it is in force."""

    since: datetime
    program: Program


Apply = Callable[[Decision, Program, datetime], None]


def next_occasion(standing: Standing, program: Program, after: datetime) -> datetime | None:
    """When time next brings something about; None when it never does. What should have been released or ended before is due at once."""
    if next(_overdue(standing, after), None) is not None or _over(standing, after):
        return after
    return _next(standing, program, after)


def occasions_at(standing: Standing, program: Program, at: datetime) -> Iterator[Decision]:
    """What an instant brings, one thing after the other: the standing takes each one before the next is asked for."""
    yield from _releases(standing, at)
    yield decide_issues(standing, program, at)
    yield _tier(standing, program, at)
    yield decide_expiry(standing, program, at)
    yield decide_warnings(standing, program, at)
    yield decide_birthday(standing, program, at)
    yield decide_anniversary(standing, program, at)
    yield _tier(standing, program, at)  # what was given just now may count for it
    yield decide_balance_reminder(standing, program, at)


def settle(standing: Standing, eras: Sequence[Era], until: datetime, apply: Apply) -> None:
    """Let everything happen that time brings after ``standing.calendar_at`` up to ``until``. ``eras`` are the versions that were in force,
    from the oldest; whoever was never settled before begins at ``until``. ``apply`` puts each decision on the standing; it is told the version and the
    instant."""
    at = standing.calendar_at if standing.calendar_at is not None else until
    if at > until:
        return
    program, later = _in_force(eras, at)
    for decision in (*_releases(standing, at), Decision(ended=_over(standing, at))):
        _take(decision, program, at, apply)
    while True:
        moment = _next(standing, program, at)
        if later and later[0].since <= until and (moment is None or later[0].since <= moment):
            era = later.pop(0)
            at, program = era.since, era.program
            # The merchant moved the tiers, not the member: nobody is to be congratulated or consoled.
            _take(_tier(standing, program, at, history=True), program, at, apply)
            foresee(standing, program, at)
            if at != moment:
                continue
        if moment is None or moment > until:
            break
        for decision in occasions_at(standing, program, moment):
            _take(decision, program, moment, apply)
        foresee(standing, program, moment)
        standing.calendar_at = at = moment
    standing.calendar_at = until


def take(standing: Standing, decision: Decision) -> None:
    """Count what was decided, where nothing is written down."""
    for award in decision.awards:
        standing.put(award)
    for entry in decision.entries:
        standing.take(entry)
    move(standing, decision)


def move(standing: Standing, decision: Decision) -> None:
    """Count what a decision says of the tier and of rewards that ended."""
    if decision.tier is not None:
        standing.tier, standing.tier_since = decision.tier.tier, decision.tier.since
    if decision.ended:
        standing.issues = [issue for issue in standing.issues if issue.id not in decision.ended]


def _take(decision: Decision, program: Program, at: datetime, apply: Apply) -> None:
    if decision != _NOTHING:
        apply(decision, program, at)


_NOTHING = Decision()


def _next(standing: Standing, program: Program, after: datetime) -> datetime | None:
    """The next instant after another one."""
    moments = [
        min(_release_moments(standing, after), default=None),
        next_issue_moment(standing, program, after),
        next_expiry_moment(standing, program, after),
        next_celebration(standing, program, after),
        next_balance_reminder(standing, program, after),
    ]
    if program.tiers is not None:
        moments.append(next((moment for moment, _ in Climb(standing, program).changes(after)), None))
    return min((moment for moment in moments if moment is not None), default=None)


def _release_moments(standing: Standing, after: datetime) -> Iterator[datetime]:
    return (
        award.release_at
        for award in standing.awards.values()
        if award.held and award.release_at is not None and award.release_at > after
    )


def _over(standing: Standing, at: datetime) -> tuple[str, ...]:
    """The rewards whose end has passed."""
    return tuple(issue.id for issue in standing.issues if issue.expires_at <= at)


def _overdue(standing: Standing, at: datetime) -> Iterator[Award]:
    if not standing.held:
        return
    for award in standing.awards.values():
        if award.held and award.release_at is not None and award.release_at <= at:
            yield award


def _releases(standing: Standing, at: datetime) -> Iterator[Decision]:
    ready = sorted(
        _overdue(standing, at), key=lambda award: (award.release_at, award.source.kind, award.source.ref)
    )
    for award in ready:
        changed, entries, news = release(standing, award, at=at)
        yield Decision(entries, news, (changed,))


def _tier(standing: Standing, program: Program, at: datetime, *, history: bool = False) -> Decision:
    if program.tiers is None and standing.tier is None:
        return _NOTHING
    return decide_tier(standing, program, at, history=history)


def _in_force(eras: Sequence[Era], at: datetime) -> tuple[Program, list[Era]]:
    """The version in force at an instant (the first one, for any time before it), and those that came later."""
    current, *rest = eras
    while rest and rest[0].since <= at:
        current, *rest = rest
    return current.program, rest
