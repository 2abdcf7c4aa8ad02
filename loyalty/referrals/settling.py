"""Brings referrals to what is known now: judges them, moves the advocates' points, and gives and takes back what goes with them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_
from sqlmodel import Session, col

from loyalty import outbox
from loyalty.book import Account, Book, OrderRecord
from loyalty.book.records import ALIVE
from loyalty.core.decide.referrals import (
    BLOCKED,
    CANCELLED,
    CLAIMED,
    COMPLETED,
    LIMIT,
    ORDERED,
    REVERSED,
    RULE,
    Finding,
    Verdict,
    decide_referral,
    judge,
    referral_source,
)
from loyalty.core.facts import Fact, RewardFailed, RewardIssued
from loyalty.core.program import Program, Referrals
from loyalty.models import Referral, RewardIssue, Shop
from loyalty.referrals import evidence
from loyalty.referrals.finding import (
    is_due,
    keyed,
    locked_rows,
    orders_by_code,
    used_codes,
    without_door,
)
from loyalty.referrals.gifts import end_gift, give_friend, reward_advocate
from loyalty.referrals.telling import tell_accepted, tell_completed

# How long an order that has to be read first keeps a referral from being completed.
_READING = timedelta(hours=1)
# Who takes up a place within the limit.
_COUNTS = frozenset({ORDERED, COMPLETED})
# A code that works was promised in these states only.
_KEEPS_CODE = frozenset({CLAIMED, ORDERED, COMPLETED, CANCELLED})

# Lets time do its work on members up to an instant (``loyalty.points.settling``), before anything else of theirs is moved.
Ready = Callable[[Book, Sequence[Account], datetime], None]


def settle_orders(book: Book, records: Iterable[OrderRecord], ready: Ready) -> None:
    """Judge the referrals that these orders are about: as a friend's, by a friend's code, or because they are the first to tell of an
    address of the member's."""
    records = list(records)
    buyers = {r.account.id for r in records if r.account is not None and r.account.id is not None}
    by_code = orders_by_code(book, records)
    if not buyers and not by_code:
        return
    placed = {r.account.id for r in records if r.account is not None and r.snapshot.address_mark}
    waiting = without_door(book, {one for one in placed if one is not None}) if placed else []
    about: list[ColumnElement[bool]] = [col(Referral.friend_id).in_(buyers)]
    about += [keyed(book, by_code)] if by_code else []
    about += [col(Referral.id).in_(waiting)] if waiting else []
    rows = locked_rows(book, *about)
    for row in rows:
        fresh = [order_id for order_id in by_code.get(row.key, ()) if order_id not in row.coupon_orders]
        if fresh:
            row.coupon_orders = sorted([*row.coupon_orders, *fresh])
    settle(book, rows, ready)


def settle_members(book: Book, accounts: Iterable[Account], ready: Ready) -> None:
    """Judge the referrals of people of whom something else became known: that two are one. They are the friends, or members of whose
    friends' codes somebody made use: it may have been they themselves."""
    book.ensure_ids()
    ids = {account.id for account in accounts if account.id is not None}
    if ids:
        used = used_codes(book, ids)
        about = [col(Referral.friend_id).in_(ids), *([col(Referral.id).in_(used)] if used else ())]
        settle(book, locked_rows(book, *about), ready)


def settle_issues(book: Book, facts: Sequence[Fact]) -> None:
    """Tell what waited for a code: that the friend has one, and that the advocate was rewarded. One that came too late to be theirs ends."""
    issued = {fact.issue_id: fact.issued_at for fact in facts if isinstance(fact, RewardIssued)}
    failed = {fact.issue_id: fact.failed_at for fact in facts if isinstance(fact, RewardFailed)}
    known = issued | failed
    if not known:
        return
    mine = (col(Referral.friend_issue_id).in_(known), col(Referral.advocate_issue_id).in_(known))
    rows = locked_rows(book, *mine)
    evidence.load(book, rows)
    for row in rows:
        _, terms = terms_of(book, row)
        if row.state not in _KEEPS_CODE:
            end_gift(book, row.friend_issue_id)
        elif row.friend_issue_id in issued:
            issue = book.session.get_one(RewardIssue, row.friend_issue_id)
            tell_accepted(book, row, terms, issue, at=issued[row.friend_issue_id])
        if row.advocate_issue_id in known and row.state != COMPLETED:
            end_gift(book, row.advocate_issue_id)
        elif row.advocate_issue_id in known:
            issue = book.session.get_one(RewardIssue, row.advocate_issue_id)
            is_there = row.advocate_issue_id in issued
            at = known[row.advocate_issue_id]
            tell_completed(book, row, terms, at=at, issue=issue if is_there else None)


def complete(
    session: Session, shop: Shop, ready: Ready, ids: Collection[int], *, at: datetime, now: datetime
) -> frozenset[str]:
    """Complete those of these referrals whose hold is over at an instant, each as of the end of its own hold. Returns the outbox
    channels that have something to send."""
    book = Book(session, shop, now=now)
    settle(book, locked_rows(book, and_(col(Referral.id).in_(ids), *is_due(at))), ready, at=at)
    return book.write()


def settle(book: Book, rows: Sequence[Referral], ready: Ready, *, at: datetime | None = None) -> None:
    """Judge these referrals anew, as of now or of another instant. Their rows are locked."""
    claimed = [row for row in rows if row.claimed_at is not None]
    if not claimed:
        return
    at = at or book.now
    evidence.load(book, claimed)
    book.load_awards([referral_source(row.key) for row in claimed])
    for row in claimed:
        _hold_back(book, row, at)
    advocates = {row.advocate_id: book.account(row.advocate_id) for row in claimed}.values()
    due = [one for one in dict.fromkeys(advocates) if one.calendar_due is not None and one.calendar_due <= at]
    ready(book, due, at)
    counted = {row.id for row in claimed if row.state in _COUNTS}
    for row in claimed:
        _settle(book, row, at)
    free = {row.advocate_id for row in claimed if row.id in counted and row.state not in _COUNTS}
    if free:
        _let_others_in(book, free, ready, at)


def _let_others_in(book: Book, advocates: Collection[int], ready: Ready, at: datetime) -> None:
    """Judge those anew whom only the limit kept out: a place within it is free again."""
    waiting = (col(Referral.state) == BLOCKED, col(Referral.reason) == LIMIT)
    settle(book, locked_rows(book, and_(col(Referral.advocate_id).in_(advocates), *waiting)), ready, at=at)


def terms_of(book: Book, row: Referral) -> tuple[Program, Referrals]:
    """The program that decides a referral for ever, and what it says of referrals."""
    program = book.program_at(row.program_version)
    assert program.referrals is not None, "a referral is only made under a program that has them"
    return program, program.referrals


def _hold_back(book: Book, row: Referral, at: datetime) -> None:
    """Let points that are still on hold, and that the present judgement does not give, be worth nothing before time releases them."""
    advocate = book.account(row.advocate_id)
    award = advocate.award(referral_source(row.key), RULE)
    if award is None or not award.held:
        return
    program, terms = terms_of(book, row)
    verdict = judge(evidence.case_of(book, row), program, terms, at=at)
    if not verdict.is_rewarded and not _hearsay(book, row, verdict):
        book.apply(advocate, decide_referral(advocate, row.key, verdict, program, terms, at=at))


def _settle(book: Book, row: Referral, at: datetime) -> None:
    advocate = book.account(row.advocate_id)
    if advocate.state not in ALIVE:
        _end_without_advocate(book, row)
        return
    program, terms = terms_of(book, row)
    verdict = judge(evidence.case_of(book, row), program, terms, at=at)
    if hearsay := _hearsay(book, row, verdict):
        _read_again(book, row, hearsay, at)
        return
    book.apply(advocate, decide_referral(advocate, row.key, verdict, program, terms, at=at))
    _note(book, row, verdict)
    if verdict.state in (CLAIMED, ORDERED, COMPLETED):
        give_friend(book, row, program, terms)
    elif verdict.state not in _KEEPS_CODE:
        end_gift(book, row.friend_issue_id)
    if verdict.state == COMPLETED:
        reward_advocate(book, row, verdict, program, terms)
    elif verdict.state == REVERSED:
        end_gift(book, row.advocate_issue_id)


def _hearsay(book: Book, row: Referral, verdict: Verdict) -> list[OrderRecord]:
    """The orders that only a webhook told of, because of which the judgement would take something back: they are read first."""
    takes_back = row.state in (ORDERED, COMPLETED) and not verdict.is_rewarded
    if not takes_back or verdict.reason not in ("refunded", "", "below_minimum"):
        return []
    return [
        record
        for record in evidence.orders_of(book, row)
        if record.order_id == row.order_id and not (record.authoritative or record.unreadable)
    ]


def _read_again(book: Book, row: Referral, hearsay: Sequence[OrderRecord], at: datetime) -> None:
    row.due_at = max(row.due_at or at, book.now + _READING, at + _READING)
    for record in hearsay:
        occasion = record.snapshot.updated_at.isoformat()
        payload = {"order_id": record.order_id, "history": False}
        book.tell_shopify(outbox.REREAD_ORDER, f"reread:{record.order_id}:{occasion}", payload)


def _end_without_advocate(book: Book, row: Referral) -> None:
    """Nobody is left to be rewarded, and what was given to nobody is taken from nobody."""
    if row.state in (CLAIMED, ORDERED):
        row.state, row.reason, row.updated_at = CANCELLED, "advocate_gone", book.now


def _note(book: Book, row: Referral, verdict: Verdict) -> None:
    row.state, row.reason, row.updated_at = verdict.state, verdict.reason, book.now
    row.checks = [_told(finding) for finding in verdict.findings]
    if row.completed_at is not None:
        return  # it stays with the order that completed it
    order = verdict.order if verdict.is_rewarded else None
    row.order_id = order.order_id if order else None
    row.ordered_at = order.placed_at if order else None
    row.due_at = verdict.due_at if order else None


def _told(finding: Finding) -> dict[str, Any]:
    told = {"check": finding.check, "result": finding.result, "blocks": finding.blocks}
    return told | ({"missing": finding.missing} if finding.missing else {})
