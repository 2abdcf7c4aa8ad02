"""Takes a whole import back: an entry against every entry of it, and every member as before in what nobody has changed since.

Points that were spent meanwhile are owed: a balance may go below zero. Members who came with the import stay, with nothing.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlmodel import Session, col

from loyalty import bulk, runs
from loyalty.book import Book
from loyalty.core.decide.imports import decide_import_undone, import_source
from loyalty.core.ledger import Entry
from loyalty.ledger.reading import as_entry
from loyalty.member_import.importing import codes_in_use, give_back
from loyalty.member_import.lines import ROWS_AT_ONCE, forget_people, next_lines
from loyalty.models import ImportBatch, ImportRow, LedgerEntry, Shop
from loyalty.models.columns import table_of
from loyalty.points.climbing import climb
from loyalty.runs import RunView, Step
from loyalty.runtime import Runtime

UNDO = "member_import_undo"
_ENTRY = tuple(table_of(LedgerEntry).columns)


def undo_step(runtime: Runtime, view: RunView) -> Step:
    """Take the undoing further."""
    until = time.monotonic() + runtime.step_seconds
    number = int(view.cursor.get("number", 0))
    while True:
        with runtime.transaction() as session:
            shop = session.get_one(Shop, view.shop_id)
            batch = session.get(ImportBatch, view.params["batch"])
            if batch is None or batch.state != "undoing" or shop.erasing_at is not None:
                return Step(error="no_such_import")
            rows = next_lines(session, batch, "done", after=number, limit=ROWS_AT_ONCE)
            if not rows:
                now = runtime.clock()
                batch.state, batch.undone_at = "undone", now
                session.add(batch)
                forget_people(session, batch)
                runs.finish(session, view.id, now=now)
                return Step(finished=True)
            _undo(session, shop, batch, rows, now=runtime.clock())
            number = rows[-1].number
            total = int(batch.report["good"])
            runs.save(session, view.id, cursor={"number": number}, total=total, done=len(rows))
        if time.monotonic() > until:
            return Step()


def _undo(
    session: Session, shop: Shop, batch: ImportBatch, rows: Sequence[Row[Any]], *, now: datetime
) -> None:
    book = Book(session, shop, now=now)
    book.load_members({row.member_id for row in rows if row.member_id is not None})
    accounts = {row.number: book.account(row.member_id) for row in rows if row.member_id is not None}
    if book.program.looks_back:
        book.load_history(accounts.values())
    posted = _posted(session, batch, rows)
    codes = codes_in_use(session, batch, [row.before.get("referral_code", (None,))[0] for row in rows])
    for row in rows:
        account = accounts[row.number]
        entry = posted.get(import_source(batch.id, row.number).ref)
        if entry is not None:
            book.post(account, (decide_import_undone(entry, at=now),), ())
        give_back(account, row.before, codes)
        if "hand_tier" in row.before:
            climb(book, account, history=True)
    book.write()
    undone = [{"id": row.id, "state": "undone", "before": {}} for row in rows]
    bulk.update_rows(session, ImportRow, undone)


def _posted(session: Session, batch: ImportBatch, rows: Sequence[Row[Any]]) -> dict[str, Entry]:
    refs = [import_source(batch.id, row.number).ref for row in rows if row.points is not None]
    statement = select(*_ENTRY).where(
        col(LedgerEntry.shop_id) == batch.shop_id,
        col(LedgerEntry.source_kind) == "import",
        bulk.among(session, LedgerEntry.source_ref, refs),
        col(LedgerEntry.sequence) == 0,
    )
    return {row.source_ref: as_entry(row) for row in session.execute(statement)}
