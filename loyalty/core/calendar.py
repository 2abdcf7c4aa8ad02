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


def next_occasion(
    standing: Standing, program: Program, after: datetime, *, climb: Climb | None = None
) -> datetime | None:
    """When time next brings something about; None when it never does. What should have been released or ended before is due at once.
    ``climb`` is for those who have looked already."""
    if next(_overdue(standing, after), None) is not None or _over(standing, after):
        return after
    return _next(standing, program, after, climb or Climb(standing, program))


def settle(standing: Standing, eras: Sequence[Era], until: datetime, apply: Apply) -> None:
    """Let everything happen that time brings after ``standing.calendar_at`` up to ``until``. ``eras`` are the versions that were in force,
    from the oldest; whoever was never settled before begins at ``until``. ``apply`` puts each decision on the standing; it is told the version and the
    instant."""
    at = standing.calendar_at if standing.calendar_at is not None else until
    if at > until:
        return
    program, later = _in_force(eras, at)
    life = _Life(standing, program, apply)
    life.take(*_releases(standing, at), Decision(ended=_over(standing, at)), at=at)
    while True:
        moment = life.next(at)
        if later and later[0].since <= until and (moment is None or later[0].since <= moment):
            era = later.pop(0)
            at, life = era.since, _Life(standing, era.program, apply)
            # The merchant moved the tiers, not the member: nobody is to be congratulated or consoled.
            life.climb(at, history=True)
            foresee(standing, era.program, at)
            if at != moment:
                continue
        if moment is None or moment > until:
            break
        life.happen(moment)
        standing.calendar_at = at = moment
    standing.calendar_at = until


class _Life:
    """One member under one version of the program, from instant to instant."""

    def __init__(self, standing: Standing, program: Program, apply: Apply) -> None:
        self.standing = standing
        self.program = program
        self._apply = apply
        self._looked: Climb | None = None

    def next(self, after: datetime) -> datetime | None:
        """The next instant after another one."""
        return _next(self.standing, self.program, after, self._look())

    def happen(self, at: datetime) -> None:
        """What an instant brings, one thing after the other; each is decided when the standing has taken the one before."""
        standing, program = self.standing, self.program
        for released in _releases(standing, at):
            self.take(released, at=at)
        self.take(decide_issues(standing, program, at), at=at)
        something = self.climb(at)
        something |= self.take(decide_expiry(standing, program, at), at=at)
        self.take(decide_warnings(standing, program, at), at=at)
        something |= self.take(decide_birthday(standing, program, at), at=at)
        something |= self.take(decide_anniversary(standing, program, at), at=at)
        if something:
            self.climb(at)  # what was given just now may count for it
        self.take(decide_balance_reminder(standing, program, at), at=at)
        foresee(standing, program, at)

    def climb(self, at: datetime, *, history: bool = False) -> bool:
        """Bring the tier to what it is."""
        if self.program.tiers is None and self.standing.tier is None:
            return False
        decision = decide_tier(self.standing, self.program, at, climb=self._look(), history=history)
        return self.take(decision, at=at)

    def take(self, *decisions: Decision, at: datetime) -> bool:
        """Let decisions be carried out; whether there was anything to carry out."""
        something = False
        for decision in decisions:
            if decision != _NOTHING:
                self._apply(decision, self.program, at)
                something = True
                if decision.awards or decision.gifts or decision.ended:
                    self._looked = None  # what counts for tiers may have changed
        return something

    def _look(self) -> Climb:
        if self._looked is None:
            self._looked = Climb(self.standing, self.program)
        return self._looked


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


_NOTHING = Decision()


def _next(standing: Standing, program: Program, after: datetime, climb: Climb) -> datetime | None:
    """The next instant after another one."""
    moments = [
        min(_release_moments(standing, after), default=None),
        next_issue_moment(standing, program, after),
        next_expiry_moment(standing, program, after),
        next_celebration(standing, program, after),
        next_balance_reminder(standing, program, after),
        next((moment for moment, _ in climb.changes(after)), None),
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def _release_moments(standing: Standing, after: datetime) -> Iterator[datetime]:
    if not standing.held:
        return
    for award in standing.awards.values():
        if award.held and award.release_at is not None and award.release_at > after:
            yield award.release_at


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


def _in_force(eras: Sequence[Era], at: datetime) -> tuple[Program, list[Era]]:
    """The version in force at an instant (the first one, for any time before it), and those that came later."""
    current, *rest = eras
    while rest and rest[0].since <= at:
        current, *rest = rest
    return current.program, rest
