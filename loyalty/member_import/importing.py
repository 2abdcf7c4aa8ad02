"""The import itself: every good line of a file to its member, a few hundred in one transaction.

Whoever is not known becomes a guest with that address. What a member said of themselves counts more than what a file says: a birthday that is
known stays. A line that cannot be carried out is skipped with its reason, and the others go on.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session, select

from loyalty import bulk, runs
from loyalty.book import Account, Book
from loyalty.core.decide.imports import Brought, ImportRefused, decide_import, import_source
from loyalty.core.standing import Birthday, HandTier
from loyalty.member_file import FileRow
from loyalty.member_import.lines import ROWS_AT_ONCE, forget_people, next_lines
from loyalty.models import ImportBatch, ImportRow, Member, Shop
from loyalty.points.climbing import climb
from loyalty.runs import RunView, Step
from loyalty.runtime import Runtime

IMPORT = "member_import"


def import_step(runtime: Runtime, view: RunView) -> Step:
    """Take the import further; every transaction is one batch of lines with the cursor behind them."""
    until = time.monotonic() + runtime.step_seconds
    number = int(view.cursor.get("number", 0))
    while True:
        with runtime.transaction() as session:
            shop = session.get_one(Shop, view.shop_id)
            batch = session.get(ImportBatch, view.params["batch"])
            if batch is None or batch.state != "importing" or shop.erasing_at is not None:
                return Step(error="no_such_import")
            rows = next_lines(session, batch, "good", after=number, limit=ROWS_AT_ONCE)
            if not rows:
                now = runtime.clock()
                batch.state, batch.imported_at = "imported", now
                session.add(batch)
                forget_people(session, batch)
                runs.finish(session, view.id, now=now)
                return Step(finished=True)
            skipped = _import(session, shop, batch, rows, now=runtime.clock())
            number = rows[-1].number
            total = int(batch.report["good"])
            runs.save(
                session,
                view.id,
                cursor={"number": number},
                total=total,
                done=len(rows) - skipped,
                skipped=skipped,
            )
        if time.monotonic() > until:
            return Step()


@dataclass(slots=True)
class _Outcome:
    """What became of a line."""

    row: Row[Any]
    state: str = "done"
    reason: str = ""
    account: Account | None = None
    points: int | None = None
    before: dict[str, Any] = field(default_factory=dict)


def _import(
    session: Session, shop: Shop, batch: ImportBatch, rows: Sequence[Row[Any]], *, now: datetime
) -> int:
    """Carry out some lines; returns how many had to be skipped."""
    book = Book(session, shop, now=now)
    book.load_people(
        {row.customer_id for row in rows if row.customer_id is not None},
        {row.email for row in rows if row.email},
    )
    outcomes = [_whose(book, row) for row in rows]
    book.ensure_ids()
    taken = _taken(session, batch, outcomes)
    found = [outcome.account for outcome in outcomes if outcome.account is not None]
    if book.program.looks_back:
        book.load_history(found)
    codes = codes_in_use(session, batch, [row.told.get("referral_code") for row in rows])
    for outcome in outcomes:
        if outcome.state != "done" or outcome.account is None:
            continue
        if outcome.account.id in taken:
            outcome.state, outcome.reason = "skipped", "same_member"
            continue
        taken.add(outcome.account.id or 0)
        _carry_out(book, batch, outcome, codes)
    book.write()
    bulk.update_rows(session, ImportRow, [_values(outcome) for outcome in outcomes])
    return sum(outcome.state == "skipped" for outcome in outcomes)


def _whose(book: Book, row: Row[Any]) -> _Outcome:
    account = book.by_customer(row.customer_id) or book.by_email(row.email)
    if account is None and row.email is None:
        return _Outcome(row, "skipped", "unknown_customer")
    if account is None:
        # The file is believed about addresses, not about customers' numbers: those come from Shopify alone.
        account = book.open_account(None, row.email)
    if account.state == "deleted":
        return _Outcome(row, "skipped", "customer_deleted")
    return _Outcome(row, account=account)


def _taken(session: Session, batch: ImportBatch, outcomes: Sequence[_Outcome]) -> set[int]:
    """Those of these members that a line of the file was about before."""
    ids = [outcome.account.id for outcome in outcomes if outcome.account is not None]
    statement = select(ImportRow.member_id).where(
        ImportRow.shop_id == batch.shop_id,
        ImportRow.batch_id == batch.id,
        bulk.among(session, ImportRow.member_id, ids),
    )
    return {member_id for member_id in session.exec(statement) if member_id is not None}


def codes_in_use(session: Session, batch: ImportBatch, asked: Collection[str | None]) -> set[str]:
    """Those of these referral codes that somebody has."""
    wanted = {code for code in asked if code}
    if not wanted:
        return set()
    statement = select(Member.referral_code).where(
        Member.shop_id == batch.shop_id, bulk.among(session, Member.referral_code, wanted)
    )
    return {code for code in session.exec(statement) if code}


def _carry_out(book: Book, batch: ImportBatch, outcome: _Outcome, codes: set[str]) -> None:
    account, row = outcome.account, outcome.row
    assert account is not None
    told = FileRow.from_json(row.told, row.email, row.customer_id)
    if told.points is not None:
        brought = Brought(
            source=import_source(batch.id, row.number),
            points=told.points,
            adds=told.adds,
            earned_at=told.points_earned_at,
            expire_at=told.points_expire_at,
            said={"line": row.line, "format": batch.format}
            | ({"lifetime_points": told.lifetime_points} if told.lifetime_points else {}),
        )
        try:
            entry = decide_import(account, brought, book.program, at=book.now)
        except ImportRefused as refused:
            outcome.state, outcome.reason = "skipped", refused.code
            return
        if entry is not None:
            book.post(account, (entry,), ())
            outcome.points = entry.points
    by = f"the import of {batch.file_name}"
    outcome.before = _take_person(account, told, codes, by=by, now=book.now)
    if "hand_tier" in outcome.before:
        climb(book, account, history=True)


def _take_person(
    account: Account, told: FileRow, codes: set[str], *, by: str, now: datetime
) -> dict[str, Any]:
    """Give the account what the line says of the person. Returns what each changed value was, and became."""
    was = _person(account)
    if told.tier is not None and (told.tier_until is None or told.tier_until > now):
        account.hand_tier, account.hand_tier_by = HandTier(told.tier, now, told.tier_until), by
    if told.birthday is not None and account.birthday is None:
        month, day = told.birthday
        # Known for as long as the person has been a member elsewhere: a birthday soon is no trick.
        account.birthday = Birthday(month, day, told.joined_at or now)
    if told.referral_code and told.referral_code not in codes:
        codes.add(told.referral_code)
        account.referral_code = told.referral_code
    if told.joined_at is not None and account.joined_at is not None and told.joined_at < account.joined_at:
        account.joined_at = told.joined_at
    account.first_name = account.first_name or told.first_name
    account.last_name = account.last_name or told.last_name
    is_now = _person(account)
    changed = {name: [was[name], is_now[name]] for name in was if was[name] != is_now[name]}
    account.changed = account.changed or bool(changed)
    return changed


def _person(account: Account) -> dict[str, Any]:
    """What an import may change of a person, as plain values."""
    hand, born = account.hand_tier, account.birthday
    return {
        "hand_tier": [hand.tier, _plain(hand.since), _plain(hand.ends_at)] if hand else None,
        "birthday": [born.month, born.day, _plain(born.told_at)] if born else None,
        "hand_tier_by": account.hand_tier_by,
        "referral_code": account.referral_code,
        "joined_at": _plain(account.joined_at),
        "first_name": account.first_name,
        "last_name": account.last_name,
    }


def give_back(account: Account, changes: dict[str, list[Any]], codes: Collection[str]) -> None:
    """Let a person be as before an import, in everything that nobody has changed since. A referral code that somebody else has by now
    (``codes``) is not theirs again."""
    is_now = _person(account)
    for name, (was, became) in changes.items():
        if is_now[name] != became or (name == "referral_code" and was in codes):
            continue
        match name:
            case "hand_tier":
                account.hand_tier = HandTier(was[0], _instant(was[1]), _instant(was[2])) if was else None  # type: ignore[arg-type]
            case "birthday":
                account.birthday = Birthday(was[0], was[1], _instant(was[2])) if was else None  # type: ignore[arg-type]
            case "joined_at":
                account.joined_at = _instant(was)
            case _:
                setattr(account, name, was)
        account.changed = True


def _plain(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def _values(outcome: _Outcome) -> dict[str, Any]:
    """A line's row after its turn. What it said of the person goes: the member has it now."""
    return {
        "id": outcome.row.id,
        "state": outcome.state,
        "reason": outcome.reason,
        "member_id": outcome.account.id if outcome.account and outcome.state == "done" else None,
        "points": outcome.points,
        "before": outcome.before,
        "email": None,
        "customer_id": None,
        "told": {},
    }
