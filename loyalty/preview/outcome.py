"""What has become of one member by some moment: in a replay, or on the books."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.core import ledger
from loyalty.core.calendar import Era
from loyalty.core.expiry import foresee
from loyalty.core.replay import Replay, ReplayedFact

SOON = timedelta(days=90)
# What each kind of movement counts as. Transfers between accounts of one person cancel each other out.
COUNTED_AS = {
    ledger.EARN: "earned",
    ledger.REVERSE: "earned",
    ledger.REDEEM: "redeemed",
    ledger.RETURN: "redeemed",
    ledger.ADJUST: "adjusted",
    ledger.IMPORT: "adjusted",
    ledger.TRANSFER: "adjusted",
    ledger.EXPIRE: "expired",
    ledger.FORGIVE: "forgiven",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``earned`` is after what refunds took back; ``redeemed`` and ``expired`` are positive; these count from the day that one asked for.
    ``balance`` and ``pending`` are what there is; ``expiring`` ends within ``SOON``. ``goals`` reached, ``gifts`` (rewards that cost no
    points) given."""

    earned: int = 0
    redeemed: int = 0
    adjusted: int = 0
    expired: int = 0
    forgiven: int = 0
    balance: int = 0
    pending: int = 0
    expiring: int = 0
    goals: int = 0
    gifts: int = 0
    tier: str | None = None

    @property
    def points(self) -> int:
        """What the member has, or will have when nothing more happens."""
        return self.balance + self.pending


@dataclass(frozen=True, slots=True)
class Trial:
    """By which versions a history is settled, since when accounts earn, from when on movements are counted (None: all of them), and up to
    when."""

    eras: Sequence[Era]
    earning_since: datetime
    counts_from: datetime | None
    until: datetime


def outcome(facts: Iterable[tuple[datetime, ReplayedFact]], trial: Trial) -> Outcome:
    """Settle one member's history, which comes in the order of its instants, and let time pass up to the end."""
    replay = Replay(program=trial.eras[0].program, earning_since=trial.earning_since)
    for at, fact in facts:
        replay.happen(fact, trial.eras, at=at)
    replay.wait(trial.eras, until=trial.until)
    ending = foresee(replay.standing, replay.program, trial.until)
    sums: dict[str, int] = {}
    for entry in replay.entries:
        if trial.counts_from is None or entry.occurred_at >= trial.counts_from:
            name = COUNTED_AS[entry.kind]
            sums[name] = sums.get(name, 0) + entry.points
    awards = replay.standing.awards.values()
    return Outcome(
        **flows(sums),
        balance=replay.standing.balance,
        pending=replay.standing.held,
        expiring=ending.points if ending and ending.at <= trial.until + SOON else 0,
        goals=sum(award.slot.startswith("goal:") and award.worth > 0 for award in awards),
        gifts=sum(
            trial.counts_from is None or gift.occurred_at >= trial.counts_from for gift in replay.gifts
        ),
        tier=replay.standing.tier,
    )


def flows(sums: dict[str, int]) -> dict[str, int]:
    """The signs as people expect them: what was redeemed or has expired is a positive number."""
    signs = {"earned": 1, "redeemed": -1, "adjusted": 1, "expired": -1, "forgiven": 1}
    return {name: sign * sums.get(name, 0) for name, sign in signs.items()}
