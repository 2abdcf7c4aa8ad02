"""Long jobs in small steps. A step does one bounded piece and writes the cursor in the transaction of that piece, so a run that was
killed goes on where it was, and what a page shows is what is true.
"""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from loyalty import leases
from loyalty.models import Run, RunItem
from loyalty.outbox import insert_or_ignore
from loyalty.runtime import TURN, Runtime

OPEN = ("queued", "running", "cancelling")
RETRY_SECONDS = 30.0
# What an open run's ``error`` begins with while it waits for permissions; their names follow.
LACKS = "lacks:"

log = structlog.get_logger(__name__)


class RunStopped(Exception):
    """The run was cancelled (or ended) meanwhile; whatever the step did in this transaction is undone."""


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as a step sees it."""

    id: int
    shop_id: int
    kind: str
    params: dict[str, Any]
    cursor: dict[str, Any]
    total: int | None
    done: int
    failed: int
    skipped: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """What a step says when it ends: finished, failed for good (``error``), or go on after ``wait`` seconds. ``lacks`` names the
    permissions that a person has to give before it can."""

    finished: bool = False
    wait: float = 0.0
    error: str | None = None
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """What people see of a run. ``rate`` is things per second so far; ``seconds_left`` is None when nobody can tell."""

    state: str
    total: int | None
    done: int
    failed: int
    skipped: int
    rate: float
    seconds_left: float | None
    error: str | None


StepFunction = Callable[[Runtime, RunView], Step]


def start(session: Session, shop_id: int, kind: str, params: dict[str, Any], *, now: datetime) -> Run:
    """Begin a run, or give the one of this kind that is already open.

    One that is being stopped is not that: it ends here, and a step of it that is still under way is undone by ``RunStopped``.
    """
    stopping = update(Run).where(
        col(Run.shop_id) == shop_id, col(Run.kind) == kind, col(Run.state) == "cancelling"
    )
    session.execute(stopping.values(state="cancelled", finished_at=now))
    run = Run(shop_id=shop_id, kind=kind, params=params, created_at=now, due_at=now)
    try:
        with session.begin_nested():
            session.add(run)
            session.flush()
    except IntegrityError:
        return session.exec(
            select(Run).where(Run.shop_id == shop_id, Run.kind == kind, col(Run.state).in_(OPEN))
        ).one()
    return run


def cancel(session: Session, shop_id: int, run_id: int, *, now: datetime) -> bool:
    """Ask an open run to stop; it stops before its next step. False when there is no such open run."""
    asked = update(Run).where(col(Run.id) == run_id, col(Run.shop_id) == shop_id, col(Run.state).in_(OPEN))
    return bool(session.execute(asked.values(state="cancelling", due_at=now)).rowcount)  # type: ignore[attr-defined]


def save(
    session: Session,
    run_id: int,
    *,
    cursor: dict[str, Any] | None = None,
    total: int | None = None,
    done: int = 0,
    failed: int = 0,
    skipped: int = 0,
) -> None:
    """Write a step's progress; the counts are added to what is there. Raises ``RunStopped`` when the run is no longer running."""
    values: dict[str, Any] = {
        "done": Run.done + done,
        "failed": Run.failed + failed,
        "skipped": Run.skipped + skipped,
    }
    if cursor is not None:
        values["cursor"] = cursor
    if total is not None:
        values["total"] = total
    running = update(Run).where(col(Run.id) == run_id, col(Run.state) == "running").values(**values)
    if not session.execute(running).rowcount:  # type: ignore[attr-defined]
        raise RunStopped(run_id)


def finish(session: Session, run_id: int, *, now: datetime) -> None:
    """End a run in the transaction of its last piece: where that changes what a step finds, a kill between the two must not come between
    them. The step then says that it has finished. Raises ``RunStopped`` when the run is no longer running."""
    running = update(Run).where(col(Run.id) == run_id, col(Run.state) == "running")
    if not session.execute(running.values(state="done", error=None, finished_at=now)).rowcount:  # type: ignore[attr-defined]
        raise RunStopped(run_id)


def permitted(session: Session, shop_id: int, *, now: datetime) -> None:
    """The shop's permissions changed: runs that wait for one look again."""
    waiting = update(Run).where(
        col(Run.shop_id) == shop_id, col(Run.state) == "running", col(Run.error).startswith(LACKS)
    )
    session.execute(waiting.values(due_at=now))


def hurry(session: Session, shop_id: int, kinds: Collection[str], *, now: datetime) -> None:
    """What runs of these kinds waited for has come: their next step is due at once."""
    waiting = update(Run).where(
        col(Run.shop_id) == shop_id, col(Run.kind).in_(kinds), col(Run.state).in_(OPEN), col(Run.due_at) > now
    )
    session.execute(waiting.values(due_at=now))


def note(session: Session, run_id: int, items: list[tuple[str, int | None, str, str]]) -> None:
    """Keep who was skipped or failed: (subject, member id, outcome, reason). The same subject is kept once per run."""
    if items:
        rows = [
            {
                "run_id": run_id,
                "subject": subject,
                "member_id": member_id,
                "outcome": outcome,
                "reason": reason,
            }
            for subject, member_id, outcome, reason in items
        ]
        session.execute(insert_or_ignore(session, RunItem), rows)


def advance(
    runtime: Runtime, run_id: int, step: StepFunction, *, seconds: float = TURN.total_seconds()
) -> float | None:
    """Take steps for up to ``seconds``. Returns when to ring again (seconds), or None when the run has ended.

    When the run is in other hands, that is when their lease runs out: they may have been killed.
    """
    holder = uuid.uuid4().hex
    name = f"run:{run_id}"
    stop_at = runtime.clock() + timedelta(seconds=seconds)
    try:
        while True:
            with runtime.transaction() as session:
                if not leases.acquire(
                    session, name, holder=holder, seconds=runtime.lease_seconds, now=runtime.clock()
                ):
                    return leases.remaining(session, name, now=runtime.clock()) + 0.1
                view = _begin_step(session, run_id, runtime.clock())
            if view is None:
                return None
            wait = _take_step(runtime, view, step)
            if wait is None or wait > 0 or runtime.clock() >= stop_at:
                return wait
    finally:
        with runtime.transaction() as session:
            leases.release(session, name, holder=holder)


def progress(run: Run, *, now: datetime) -> Progress:
    """Counts, rate and time left of a run."""
    handled = run.done + run.failed + run.skipped
    began = run.started_at or run.created_at
    seconds = max(((run.finished_at or now) - began) / timedelta(seconds=1), 0.001)
    rate = handled / seconds
    # Whoever joined since all were counted is one more of them.
    total = None if run.total is None else max(run.total, handled)
    left = (total - handled) / rate if run.state in OPEN and total is not None and handled else None
    return Progress(run.state, total, run.done, run.failed, run.skipped, rate, left, run.error)


def _begin_step(session: Session, run_id: int, now: datetime) -> RunView | None:
    run = session.exec(select(Run).where(Run.id == run_id).with_for_update()).first()
    if run is None or run.state not in OPEN:
        return None
    if run.state == "cancelling":
        run.state, run.finished_at = "cancelled", now
        return None
    if run.state == "queued":
        run.state, run.started_at = "running", now
    session.flush()
    return RunView(
        id=run_id,
        shop_id=run.shop_id,
        kind=run.kind,
        params=dict(run.params),
        cursor=dict(run.cursor),
        total=run.total,
        done=run.done,
        failed=run.failed,
        skipped=run.skipped,
        created_at=run.created_at,
    )


def _take_step(runtime: Runtime, view: RunView, step: StepFunction) -> float | None:
    try:
        result = step(runtime, view)
        stumbled = LACKS + ",".join(result.lacks) if result.lacks else None
    except RunStopped:
        return 0.001
    except (
        Exception
    ) as error:  # whatever it was, the run keeps its place and tries again; the page shows that it stumbled
        log.exception("run step failed", run=view.id, kind=view.kind)
        result = Step(wait=RETRY_SECONDS)
        stumbled = type(error).__name__
    now = runtime.clock()
    ended = result.finished or result.error is not None
    with runtime.transaction() as session:
        values: dict[str, Any] = {"due_at": now + timedelta(seconds=result.wait), "error": stumbled}
        if ended:
            values |= {
                "state": "failed" if result.error else "done",
                "error": result.error,
                "finished_at": now,
            }
        running = update(Run).where(col(Run.id) == view.id, col(Run.state) == "running")
        session.execute(running.values(**values))
    return None if ended else result.wait
