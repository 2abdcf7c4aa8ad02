"""What pages, commands and steps read of imports."""

from collections.abc import Iterator, Sequence

from sqlalchemy import delete
from sqlmodel import Session, col, select

from loyalty.member_import.checking import CHECK
from loyalty.member_import.importing import IMPORT
from loyalty.member_import.undoing import UNDO
from loyalty.models import ImportBatch, ImportChunk, ImportRow, Run

KINDS = (CHECK, IMPORT, UNDO)
_AT_ONCE = 1_000
_LATEST = 50
TROUBLE = ("bad", "skipped")
REASONS = {
    "below_zero": "It would take the balance below zero.",
    "same_member": "Another line of the file is about the same member.",
    "customer_deleted": "The customer was deleted in Shopify.",
    "unknown_customer": "No member has this customer number: add the e-mail address.",
    "redacted": "The person asked to be forgotten.",
}


class ImportBusy(Exception):
    """Another import of the shop is under way."""


def one(session: Session, shop_id: int, batch_id: str, *, lock: bool = False) -> ImportBatch | None:
    """An import of the shop, or None."""
    statement = select(ImportBatch).where(ImportBatch.shop_id == shop_id, ImportBatch.id == batch_id)
    return session.exec(statement.with_for_update() if lock else statement).first()


def latest(session: Session, shop_id: int, *, limit: int = 20) -> Sequence[ImportBatch]:
    """The latest imports of a shop, the newest first."""
    newest = (col(ImportBatch.created_at).desc(), col(ImportBatch.id))
    statement = select(ImportBatch).where(ImportBatch.shop_id == shop_id).order_by(*newest)
    return session.exec(statement.limit(limit)).all()


def latest_run(session: Session, batch: ImportBatch) -> Run | None:
    """The latest run of an import, or None."""
    newest = select(Run).where(Run.shop_id == batch.shop_id, col(Run.kind).in_(KINDS))
    found = session.exec(newest.order_by(col(Run.id).desc()).limit(_LATEST))
    return next((run for run in found if run.params.get("batch") == batch.id), None)


def people_of(session: Session, batch: ImportBatch, lines: Sequence[int]) -> dict[int, str]:
    """Whom these lines are about, by line, as far as the file is still remembered."""
    statement = select(ImportRow.line, ImportRow.email).where(
        ImportRow.shop_id == batch.shop_id, ImportRow.batch_id == batch.id, col(ImportRow.line).in_(lines)
    )
    return {line: email for line, email in session.exec(statement) if email}


def trouble_lines(
    session: Session, batch: ImportBatch, *, after: int = 0, limit: int = 50
) -> list[ImportRow]:
    """Lines that are bad or were skipped, in the order of the file, behind line number ``after`` (``ImportRow.number``)."""
    statement = (
        select(ImportRow)
        .where(
            ImportRow.shop_id == batch.shop_id,
            ImportRow.batch_id == batch.id,
            col(ImportRow.state).in_(TROUBLE),
            col(ImportRow.number) > after,
        )
        .order_by(col(ImportRow.number))
    )
    return list(session.exec(statement.limit(limit)))


def mistakes(row: ImportRow) -> Iterator[tuple[str, str]]:
    """Everything that is wrong with a line: the column (empty for the whole line), and what."""
    yield from ((column, what) for column, what in row.mistakes)
    if row.twin_line is not None:
        yield "", f"is about the same person as line {row.twin_line}"
    if row.reason:
        yield "", REASONS.get(row.reason, row.reason)


def all_trouble(session: Session, batch: ImportBatch) -> Iterator[ImportRow]:
    """Every bad or skipped line, in flat memory."""
    last = 0
    while rows := trouble_lines(session, batch, after=last, limit=_AT_ONCE):
        yield from rows
        last = rows[-1].number


def discard(session: Session, batch: ImportBatch) -> bool:
    """Remove an import that has changed nothing. False when it has begun."""
    if batch.state not in ("uploaded", "checked"):
        return False
    for table in (ImportRow, ImportChunk):
        session.execute(
            delete(table).where(col(table.shop_id) == batch.shop_id, col(table.batch_id) == batch.id),
            execution_options={"synchronize_session": False},
        )
    session.delete(batch)
    session.flush()
    return True
