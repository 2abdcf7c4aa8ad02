"""What the edges need from the process they run in, handed to them by the roots. It holds things; it does nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import Engine
from sqlmodel import Session

from loyalty.database import reading, transaction
from loyalty.encryption import Cipher

# After so long whoever works off a long line lets the others have their turn, and asks to go on: one worker alone must not have a shopper
# wait for a code, or a new order for its points, until an import or a sync is through.
TURN = timedelta(seconds=2)


class Nudge(Protocol):
    """Asks for a job to run soon: ``nudge("drain_outbox", 7, "klaviyo")``. Best effort: never raises, never needed for correctness."""

    def __call__(self, job: str, *args: int | str, delay: float = 0) -> None: ...


def utc_now() -> datetime:
    """The clock of a real process."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Runtime:
    """Database, cipher, clock and bell of one process.

    ``lease_seconds`` is how long work that a process took stays reserved for it: after a kill, others wait that long.
    """

    engine: Engine
    cipher: Cipher
    nudge: Nudge
    clock: Callable[[], datetime] = utc_now
    lease_seconds: float = 60.0

    @property
    def step_seconds(self) -> float:
        """How long a step of a long job goes on at most: a turn, and well within its lease."""
        return min(TURN.total_seconds(), self.lease_seconds / 4)

    def transaction(self) -> AbstractContextManager[Session]:
        """One unit of work (see ``loyalty.database.transaction``)."""
        return transaction(self.engine)

    def reading(self) -> AbstractContextManager[Session]:
        """A session for reading only."""
        return reading(self.engine)
