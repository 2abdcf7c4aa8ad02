"""Long jobs for pages: how far each is, how fast it goes and when it may be done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select, text
from sqlmodel import Session, col

from loyalty.models import Run, RunItem
from loyalty.runs import LACKS, OPEN, progress
from loyalty.statement.formats import Formats
from loyalty.statement.keyset import Cursor, Page, fetch_page


@dataclass(frozen=True, slots=True)
class RunView:
    """One run as a progress bar shows it. ``rate`` is pieces a second since the start; ``asks_less``: it does without delivery addresses,
    because the app may not see them."""

    id: int
    kind: str
    state: str
    total: int | None
    done: int
    failed: int
    skipped: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    rate: float
    seconds_left: float | None
    asks_less: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def handled(self) -> int:
        """Pieces that need no more work, whatever became of them."""
        return self.done + self.failed + self.skipped

    @property
    def fraction(self) -> float | None:
        """From 0 to 1, or None while nobody knows how much there is."""
        if self.state == "done":
            return 1.0
        return min(1.0, self.handled / self.total) if self.total else None


def view(run: Run, *, now: datetime) -> RunView:
    """A run at ``now``."""
    assert run.id is not None
    seen = progress(run, now=now)
    return RunView(
        id=run.id,
        kind=run.kind,
        state=run.state,
        total=seen.total,
        done=run.done,
        failed=run.failed,
        skipped=run.skipped,
        error=run.error,
        created_at=run.created_at,
        finished_at=run.finished_at,
        rate=seen.rate,
        seconds_left=seen.seconds_left,
        asks_less=bool(run.cursor.get("asks_less")),
    )


def one(session: Session, shop_id: int, run_id: int, *, now: datetime) -> RunView | None:
    """One run of the shop, or None."""
    run = session.scalar(select(Run).where(col(Run.id) == run_id, col(Run.shop_id) == shop_id))
    return view(run, now=now) if run else None


def open_runs(session: Session, shop_id: int, *, now: datetime) -> tuple[RunView, ...]:
    """The runs that are under way."""
    # Written out, so that the database sees that the index of the open runs will do.
    under_way = text("state IN ('queued', 'running', 'cancelling')")
    statement = select(Run).where(col(Run.shop_id) == shop_id, under_way).order_by(col(Run.id))
    return tuple(view(run, now=now) for run in session.scalars(statement))


def latest(
    session: Session, shop_id: int, kinds: Sequence[str], *, now: datetime, limit: int = 10
) -> tuple[RunView, ...]:
    """The latest runs of these kinds, the newest first."""
    statement = select(Run).where(col(Run.shop_id) == shop_id, col(Run.kind).in_(kinds))
    return tuple(
        view(run, now=now) for run in session.scalars(statement.order_by(col(Run.id).desc()).limit(limit))
    )


def items_page(
    session: Session, run_id: int, *, cursor: Cursor | None = None, limit: int = 50
) -> Page[RunItem]:
    """What a run skipped or could not do, with the reasons."""
    identity = col(RunItem.id)
    page = fetch_page(
        session,
        select(RunItem).where(col(RunItem.run_id) == run_id),
        [identity],  # type: ignore[list-item]
        cursor=cursor,
        limit=limit,
        key_of=lambda row: (row[0].id,),
    )
    return Page(tuple(row[0] for row in page.rows), page.newer, page.older)


@dataclass(frozen=True, slots=True)
class Description:
    """A run in words, for a progress bar. ``percent`` is None while nobody knows how much there is."""

    title: str
    text: str
    percent: int | None
    tone: str
    badge: str
    badge_tone: str


TITLES = {
    "customer_import": "Import of customers",
    "order_import": "Import of past orders",
    "member_import_check": "Dry run of a file of members",
    "member_import": "Import of members from a file",
    "member_import_undo": "Undoing of an import of members",
    "program_refresh": "New program for every member",
    "program_preview": "Preview of a changed program",
    "klaviyo_sync": "Sync of customer data to Klaviyo",
    "klaviyo_check": "Check of the profiles at Klaviyo",
}
_BADGES = {
    "queued": ("Waiting", "info"),
    "running": ("Running", "info"),
    "cancelling": ("Stopping", "warning"),
    "done": ("Done", "success"),
    "cancelled": ("Cancelled", "neutral"),
    "failed": ("Failed", "critical"),
}
# It changes nothing, so nothing of it can fail.
_LOOKS_ONLY = "member_import_check"
_TONES = {"done": "success", "failed": "critical"}


def describe(run: RunView, formats: Formats) -> Description:
    """What to say about a run."""
    badge, badge_tone = _BADGES[run.state]
    fraction = run.fraction
    return Description(
        title=TITLES.get(run.kind, run.kind.replace("_", " ").capitalize()),
        text=", ".join(_parts(run, formats)),
        percent=None if fraction is None else int(fraction * 100),
        tone=_TONES.get(run.state, "auto"),
        badge=badge,
        badge_tone=badge_tone,
    )


def _parts(run: RunView, formats: Formats) -> Iterator[str]:
    if run.state == "queued" and not run.handled:
        yield "Waiting for its turn"
        return
    amount = formats.number(run.handled)
    yield f"{amount} of {formats.number(run.total)}" if run.total is not None else f"{amount} so far"
    if run.skipped:
        yield f"{formats.number(run.skipped)} skipped"
    if run.failed:
        yield f"{formats.number(run.failed)} {'bad' if run.kind == _LOOKS_ONLY else 'failed'}"
    if run.state == "running" and run.handled:
        yield f"{formats.number(round(run.rate) or Decimal(str(round(run.rate, 2))))} per second"
    if run.state == "running" and run.seconds_left is not None:
        yield f"about {formats.span(run.seconds_left)} left"
    if run.asks_less:
        yield "without delivery addresses, which Shopify has not approved this app to see"
    if run.error:
        yield _waiting(run.error) if run.is_open else run.error


def _waiting(error: str) -> str:
    if not error.startswith(LACKS):
        return f"stumbled over {error} and tries again"
    names = error.removeprefix(LACKS).replace(",", " and ")
    return f"waiting for the permission {names}: open Laurel from your Shopify admin and approve what it asks for"
