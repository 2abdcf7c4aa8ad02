"""Begins the runs of an import, each only when it is its turn."""

from datetime import datetime

from sqlmodel import Session, col, select

from loyalty import runs
from loyalty.member_import.checking import CHECK
from loyalty.member_import.importing import IMPORT
from loyalty.member_import.reading import ImportBusy
from loyalty.member_import.undoing import UNDO
from loyalty.member_import.uploading import earlier
from loyalty.models import ImportBatch, Run


class NotReady(Exception):
    """The import is not at the point for this. ``state`` is where it is."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class AlreadyImported(Exception):
    """The very same file was imported before, by the import ``batch_id`` of ``at``."""

    def __init__(self, batch_id: str, at: datetime) -> None:
        super().__init__(batch_id)
        self.batch_id = batch_id
        self.at = at


def start_check(session: Session, batch: ImportBatch, *, now: datetime) -> Run:
    """Begin the dry run. Raises ``NotReady`` or ``ImportBusy``."""
    _expect(batch, "uploaded")
    return _start(session, batch, CHECK, now)


def start_import(session: Session, batch: ImportBatch, *, now: datetime, again: bool = False) -> Run:
    """Begin (or go on with) the import. ``again``: also when the same file was imported before. Raises ``NotReady``, ``ImportBusy`` or
    ``AlreadyImported``."""
    _expect(batch, "checked", "importing")
    known = earlier(session, batch.shop_id, batch.digest)
    if known is not None and known.id != batch.id and not again:
        raise AlreadyImported(known.id, known.imported_at or known.created_at)
    run = _start(session, batch, IMPORT, now)
    batch.state = "importing"
    session.add(batch)
    return run


def start_undo(session: Session, batch: ImportBatch, *, now: datetime) -> Run:
    """Begin to undo what was imported; an import that was cancelled half-way too. Raises ``NotReady`` or ``ImportBusy``."""
    _expect(batch, "importing", "imported", "undoing")
    importing = select(Run.id).where(
        Run.shop_id == batch.shop_id, Run.kind == IMPORT, col(Run.state).in_(runs.OPEN)
    )
    if session.exec(importing).first() is not None:
        raise ImportBusy
    run = _start(session, batch, UNDO, now)
    batch.state = "undoing"
    session.add(batch)
    return run


def _expect(batch: ImportBatch, *states: str) -> None:
    if batch.state not in states:
        raise NotReady(batch.state)


def _start(session: Session, batch: ImportBatch, kind: str, now: datetime) -> Run:
    run = runs.start(session, batch.shop_id, kind, {"batch": batch.id}, now=now)
    if run.params.get("batch") != batch.id:
        raise ImportBusy
    return run
