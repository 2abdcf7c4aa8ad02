"""What time alone brings about for one member: points are released, rewards and points end, tiers fall, days are celebrated.

Everything happens at its own instant, under the program in force at that instant, and what falls on the same instant happens in a fixed
order. So it makes no difference how often, or how late, somebody settles: one run over ninety days ends like ninety daily runs. It knows no
clock and keeps nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from loyalty.core.celebrations import decide_anniversary, decide_birthday, next_celebration
from loyalty.core.decide import NOTHING, Decision, decide_tier, release
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
    return _next(standing, program, after, _next_change(climb or Climb(standing, program), after))


def settle(
    standing: Standing, eras: Sequence[Era], until: datetime, apply: Apply, *, climb: Climb | None = None
) -> None:
    """Let everything happen that time brings after ``standing.calendar_at`` up to ``until``. ``eras`` are the versions that were in force,
    from the oldest; whoever was never settled before begins at ``until``. ``apply`` puts each decision on the standing; it is told the version and the
    instant. ``climb`` is for those who have looked already."""
    at = standing.calendar_at if standing.calendar_at is not None else until
    if at > until:
        return
    program, later = _in_force(eras, at)
    life = _Life(standing, program, apply, until, climb)
    for decision in (*_releases(standing, at), *_ended(standing, at)):
        life.take(decision, at)
    while True:
        moment = life.next(at)
        if later and later[0].since <= until and (moment is None or later[0].since <= moment):
            era = later.pop(0)
            at, life = era.since, _Life(standing, era.program, apply, until)
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
    """One member under one version of the program, from instant to instant; it only ever goes forward.

    What counts for tiers is looked at once, and anew when a decision has changed it. In between, time alone can move the tier, and only
    at a moment that is known (``_change``; None when there is none up to ``until``): a tier that was right a moment ago (``_calm``) is
    right until then.
    """

    def __init__(
        self,
        standing: Standing,
        program: Program,
        apply: Apply,
        until: datetime,
        climb: Climb | None = None,
    ) -> None:
        self.standing = standing
        self.program = program
        self._apply = apply
        self._until = until
        self._climb = climb if climb is not None and climb.program is program else None
        self._change: datetime | None = None
        self._knows_change = self._calm = False

    def next(self, after: datetime) -> datetime | None:
        """The next instant after another one, as far as it matters."""
        is_over = self._change is not None and self._change <= after
        if is_over or not self._knows_change:
            self._change = _next_change(self._look(), after, until=self._until)
            self._knows_change = True
        return _next(self.standing, self.program, after, self._change)

    def happen(self, at: datetime) -> None:
        """What an instant brings, one thing after the other; each is decided when the standing has taken the one before."""
        standing, program = self.standing, self.program
        for released in _releases(standing, at):
            self.take(released, at)
        self.take(decide_issues(standing, program, at), at)
        something = self.climb(at)
        something |= self.take(decide_expiry(standing, program, at), at)
        self.take(decide_warnings(standing, program, at), at)
        something |= self.take(decide_birthday(standing, program, at), at)
        something |= self.take(decide_anniversary(standing, program, at), at)
        if something:
            self.climb(at)  # what was given just now may count for it
        self.take(decide_balance_reminder(standing, program, at), at)
        foresee(standing, program, at)

    def climb(self, at: datetime, *, history: bool = False) -> bool:
        """Bring the tier to what it is; whether there was anything to do."""
        if self.program.tiers is None and self.standing.tier is None:
            return False
        if self._calm and (self._change is None or at < self._change):
            return False
        decision = decide_tier(self.standing, self.program, at, climb=self._look(), history=history)
        self._calm = decision is NOTHING
        return self.take(decision, at)

    def take(self, decision: Decision, at: datetime) -> bool:
        """Let a decision be carried out; whether there was anything to carry out."""
        if decision is NOTHING or decision == NOTHING:
            return False
        self._apply(decision, self.program, at)
        if decision.awards or decision.gifts or decision.ended:
            # What counts for tiers may be something else now.
            self._climb, self._knows_change, self._calm = None, False, False
        return True

    def _look(self) -> Climb:
        if self._climb is None:
            self._climb = Climb(self.standing, self.program)
        return self._climb


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


def _next(
    standing: Standing, program: Program, after: datetime, tier_changes: datetime | None
) -> datetime | None:
    """The next instant after another one."""
    moments = (
        tier_changes,
        min(_release_moments(standing, after), default=None) if standing.held else None,
        next_issue_moment(standing, program, after) if standing.issues else None,
        next_expiry_moment(standing, program, after),
        next_celebration(standing, program, after),
        next_balance_reminder(standing, program, after),
    )
    return min((moment for moment in moments if moment is not None), default=None)


def _next_change(climb: Climb, after: datetime, *, until: datetime | None = None) -> datetime | None:
    """When time alone next changes the tier (or None, if that is not before another instant)."""
    if climb.tiers is None:
        return None
    return next((moment for moment, _ in climb.changes(after, until)), None)


def _release_moments(standing: Standing, after: datetime) -> Iterator[datetime]:
    for award in standing.awards.values():
        if award.held and award.release_at is not None and award.release_at > after:
            yield award.release_at


def _over(standing: Standing, at: datetime) -> tuple[str, ...]:
    """The rewards whose end has passed."""
    return tuple(issue.id for issue in standing.issues if issue.expires_at <= at)


def _ended(standing: Standing, at: datetime) -> Iterator[Decision]:
    ended = _over(standing, at)
    if ended:
        yield Decision(ended=ended)


def _overdue(standing: Standing, at: datetime) -> Iterator[Award]:
    if not standing.held:
        return
    for award in standing.awards.values():
        if award.held and award.release_at is not None and award.release_at <= at:
            yield award


def _releases(standing: Standing, at: datetime) -> Iterator[Decision]:
    if not standing.held:
        return
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
