"""The dry run: reads every line, says what is wrong with it, and reckons what the import would change. It changes no member.

First the lines, a piece of the file at a time; then the lines that are about the same person; then the sums.
"""

import io
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Select, and_, case, delete, exists, func, insert, or_, select, text, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from loyalty import bulk, programs, runs
from loyalty.core.program import Program
from loyalty.ledger.reading import stream
from loyalty.member_file import Broken, Layout, Record, Rules, Table, read_row
from loyalty.models import ImportBatch, ImportChunk, ImportRow, Member
from loyalty.models.columns import table_of
from loyalty.runs import RunView, Step
from loyalty.runtime import Runtime

CHECK = "member_import_check"
LINES_AT_ONCE = 1_000
LARGEST_CHANGES = 10


def check_step(runtime: Runtime, view: RunView) -> Step:
    """Take the dry run further."""
    with runtime.reading() as session:
        batch = session.get(ImportBatch, view.params["batch"])
        program = programs.current(session, view.shop_id)
    if batch is None or batch.shop_id != view.shop_id or batch.state != "uploaded":
        return Step(error="no_such_import")
    match view.cursor.get("phase", "lines"):
        case "lines":
            return _read_lines(runtime, view, batch, program)
        case "twins":
            return _mark_twins(runtime, view, batch)
    return _conclude(runtime, view, batch)


def _read_lines(runtime: Runtime, view: RunView, batch: ImportBatch, program: Program) -> Step:
    until = time.monotonic() + runtime.step_seconds
    layout = Layout.from_json({name: value for name, value in batch.layout.items() if name != "skip"})
    line = int(view.cursor.get("line", batch.layout["skip"]))
    number = int(view.cursor.get("number", 0))
    rules = _rules(program, batch, runtime.clock())
    records = iter(Table(_lines(runtime, batch, line), layout.delimiter, before=line))
    while batch_of_records := list(islice(records, LINES_AT_ONCE)):
        rows = []
        for record in batch_of_records:
            line = record.line - 1 + record.lines
            if isinstance(record, Broken) or any(cell.strip() for cell in record.cells):
                number += 1
                rows.append(_row(batch, number, record, layout, rules))
        cursor = {"phase": "lines", "line": line, "number": number}
        bad = sum(row["state"] == "bad" for row in rows)
        with runtime.transaction() as session:
            if rows:
                session.execute(insert(table_of(ImportRow)), rows)
            runs.save(
                session,
                view.id,
                cursor=cursor,
                total=batch.report["lines"],
                done=len(rows) - bad,
                failed=bad,
            )
        if time.monotonic() > until:
            return Step()
    with runtime.transaction() as session:
        runs.save(session, view.id, cursor={"phase": "twins"}, total=number)
    return Step()


def _rules(program: Program, batch: ImportBatch, now: datetime) -> Rules:
    ladder = program.tiers.ladder if program.tiers else ()
    tiers = {tier.title.casefold(): tier.key for tier in ladder} | {
        tier.key.casefold(): tier.key for tier in ladder
    }
    return Rules(program.timezone, batch.mode, now, tiers, day_first=batch.day_first)


def _lines(runtime: Runtime, batch: ImportBatch, before: int) -> Iterator[str]:
    """The file's lines behind the first ``before``, a piece in memory at a time."""
    mine = (col(ImportChunk.shop_id) == batch.shop_id, col(ImportChunk.batch_id) == batch.id)
    with runtime.reading() as session:
        found = select(func.max(ImportChunk.number)).where(*mine, col(ImportChunk.lines_before) <= before)
        number = session.execute(found).scalar_one()
    skip: int | None = None
    while number is not None:
        with runtime.reading() as session:
            piece = session.execute(
                select(ImportChunk).where(*mine, col(ImportChunk.number) == number)
            ).scalar_one_or_none()
        if piece is None:
            return
        skip = before - piece.lines_before if skip is None else 0
        # A StringIO ends lines at line feeds only; so does everything that counted them.
        yield from islice(io.StringIO(piece.data.decode(), newline="\n"), skip, None)
        number += 1


def _row(
    batch: ImportBatch, number: int, record: Record | Broken, layout: Layout, rules: Rules
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "shop_id": batch.shop_id,
        "batch_id": batch.id,
        "number": number,
        "line": record.line,
        "state": "good",
        "email": None,
        "customer_id": None,
        "told": {},
        "told_points": None,
        "adds": True,
        "mistakes": [],
        "reason": "",
        "before": {},
    }
    if isinstance(record, Broken):
        return values | {"state": "bad", "mistakes": [["", record.reason]]}
    row, wrong = read_row(record, layout, rules)
    # A bad line keeps its address until the import is over, only so that its twins are found.
    values |= {"email": row.email, "customer_id": row.customer_id}
    if wrong:
        return values | {
            "state": "bad",
            "mistakes": [[mistake.column, mistake.what] for mistake in wrong],
        }
    return values | {"told": row.to_json(), "told_points": row.points, "adds": row.adds}


def _mark_twins(runtime: Runtime, view: RunView, batch: ImportBatch) -> Step:
    """Two lines about one person are both bad: nobody can tell which of them is meant."""
    with runtime.transaction() as session:
        marked = sum(
            _mark(session, batch, column) for column in (col(ImportRow.email), col(ImportRow.customer_id))
        )
        runs.save(session, view.id, cursor={"phase": "sums"}, done=-marked, failed=marked)
    return Step()


def _mark(session: Session, batch: ImportBatch, column: Any) -> int:
    """Mark the lines that share a value; returns how many of them were good until now.

    The lines are sorted once. A join with the shared values would be up to the planner, who knows nothing yet of rows that are so young.
    """
    line = col(ImportRow.line)
    alike: dict[str, Any] = {"partition_by": column}
    rows = (
        select(
            col(ImportRow.id).label("id"),
            line.label("line"),
            col(ImportRow.state).label("state"),
            func.min(line).over(**alike).label("first"),
            func.max(line).over(**alike).label("last"),
            func.count().over(**alike).label("sharers"),
        )
        .where(
            col(ImportRow.shop_id) == batch.shop_id,
            col(ImportRow.batch_id) == batch.id,
            column.is_not(None),
        )
        .subquery()
    )
    good = 0
    with closing(stream(session, select(rows).where(rows.c.sharers > 1))) as found:
        while some := list(islice(found, LINES_AT_ONCE)):
            good += sum(row.state == "good" for row in some)
            bulk.update_rows(
                session,
                ImportRow,
                [
                    {
                        "id": row.id,
                        "state": "bad",
                        "twin_line": row.last if row.line == row.first else row.first,
                    }
                    for row in some
                ],
            )
    return good


def _conclude(runtime: Runtime, view: RunView, batch: ImportBatch) -> Step:
    with runtime.transaction() as session:
        kept = session.get_one(ImportBatch, batch.id, with_for_update=True)
        hopeless = _mark_unknown(session, kept) + _mark_refused(session, kept)
        kept.report = {**kept.report, **_sums(session, kept)}
        now = runtime.clock()
        kept.state, kept.checked_at = "checked", now
        session.execute(
            delete(ImportChunk).where(
                col(ImportChunk.shop_id) == kept.shop_id, col(ImportChunk.batch_id) == kept.id
            ),
            execution_options={"synchronize_session": False},
        )
        runs.save(session, view.id, cursor={"phase": "over"}, done=-hopeless, failed=hopeless)
        runs.finish(session, view.id, now=now)
        if session.get_bind().dialect.name == "postgresql":
            # Of a million rows that are a minute old the planner thinks as of a handful; the import would read them all for each batch.
            session.execute(text("ANALYZE import_row"))
    return Step(finished=True)


def _mark_unknown(session: Session, batch: ImportBatch) -> int:
    """Lines without an address whose customer nobody knows: a member is made of an address only."""
    # Not "in none of them": for that a database may walk all members for each line.
    known = exists().where(
        col(Member.shop_id) == batch.shop_id, col(Member.shopify_customer_id) == col(ImportRow.customer_id)
    )
    lost = (
        update(ImportRow)
        .where(
            col(ImportRow.shop_id) == batch.shop_id,
            col(ImportRow.batch_id) == batch.id,
            col(ImportRow.state) == "good",
            col(ImportRow.email).is_(None),
            ~known,
        )
        .values(state="bad", reason="unknown_customer")
    )
    changed = session.execute(lost, execution_options={"synchronize_session": False})
    return int(changed.rowcount)  # type: ignore[attr-defined]


def _mark_refused(session: Session, batch: ImportBatch) -> int:
    """Lines that the import would skip as things are: about customers who are gone, or below zero. What changes until then it sees by itself."""
    matched = _matched(batch).subquery()
    is_gone = matched.c.state == "deleted"
    below = and_(matched.c.change < 0, matched.c.balance + matched.c.change < 0)
    reason = case((is_gone, "customer_deleted"), else_="below_zero")
    refused = select(matched.c.id, reason.label("reason")).where(or_(is_gone, below))
    marked = 0
    with closing(stream(session, refused)) as found:
        while some := list(islice(found, LINES_AT_ONCE)):
            marked += len(some)
            bad = [{"id": row.id, "state": "bad", "reason": row.reason} for row in some]
            bulk.update_rows(session, ImportRow, bad)
    return marked


def _sums(session: Session, batch: ImportBatch) -> dict[str, Any]:
    matched = _matched(batch).subquery()
    sums = session.execute(
        select(
            func.count(),
            func.count(matched.c.member_id),
            func.coalesce(func.sum(matched.c.change), 0),
            func.coalesce(func.sum(case((matched.c.change < 0, matched.c.change), else_=0)), 0),
            func.count(case((matched.c.change != 0, 1))),
        )
    ).one()
    good, known, points, lowered, moved = (int(number) for number in sums)
    largest = session.execute(
        select(matched.c.line, matched.c.change, matched.c.balance)
        .where(matched.c.change != 0)
        .order_by(func.abs(matched.c.change).desc(), matched.c.line)
        .limit(LARGEST_CHANGES)
    ).all()
    bad = session.execute(
        select(func.count()).where(
            col(ImportRow.shop_id) == batch.shop_id, col(ImportRow.batch_id) == batch.id, col(ImportRow.state) == "bad"
        )
    ).scalar_one()  # fmt: skip
    return {
        "good": good,
        "bad": int(bad),
        "known": known,
        "new": good - known,
        "points": points,
        "taken": -lowered,
        "moved": moved,
        "largest": [
            {"line": line, "change": int(change), "balance": int(balance)}
            for line, change, balance in largest
        ],
    }


def _matched(batch: ImportBatch) -> Select[Any]:
    """Every good line with the member that it is about, by customer or else by address, their state, and the change of the balance."""
    by_customer, by_email = aliased(Member), aliased(Member)
    balance = func.coalesce(by_customer.balance, by_email.balance, 0)
    told = col(ImportRow.told_points)
    return (
        select(
            col(ImportRow.id).label("id"),
            col(ImportRow.line).label("line"),
            func.coalesce(by_customer.state, by_email.state).label("state"),
            func.coalesce(by_customer.id, by_email.id).label("member_id"),
            balance.label("balance"),
            case(
                (told.is_(None), 0),
                (col(ImportRow.adds), told),
                else_=told - balance,
            ).label("change"),
        )
        .select_from(ImportRow)
        .outerjoin(
            by_customer,
            (col(by_customer.shop_id) == batch.shop_id)
            & (col(by_customer.shopify_customer_id) == col(ImportRow.customer_id)),
        )
        .outerjoin(
            by_email,
            (col(by_email.shop_id) == batch.shop_id) & (col(by_email.email) == col(ImportRow.email)),
        )
        .where(
            col(ImportRow.shop_id) == batch.shop_id,
            col(ImportRow.batch_id) == batch.id,
            col(ImportRow.state) == "good",
        )
    )
