"""Brings referrals to what is known now: judges them, moves the advocates' points, and gives and takes back what goes with them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from loyalty.book import Account, Book, OrderRecord
from loyalty.core.decide.referrals import (
    CANCELLED,
    CLAIMED,
    COMPLETED,
    ORDERED,
    REVERSED,
    Verdict,
    decide_referral,
    judge,
    referral_source,
)
from loyalty.core.facts import Fact, RewardFailed, RewardIssued
from loyalty.core.program import Program, Referrals
from loyalty.models import Referral, RewardIssue, Shop
from loyalty.redemption.giving import give
from loyalty.redemption.records import locked, tell_to_end
from loyalty.referrals import evidence
from loyalty.referrals.telling import tell_accepted, tell_completed

GIVEN_FOR = "referral"
_BATCH = 200
# How long an order that has to be read first keeps a referral from being completed.
_READING = timedelta(hours=1)
# A code that works was promised in these states only.
_KEEPS_CODE = frozenset({CLAIMED, ORDERED, COMPLETED, CANCELLED})


def settle_orders(book: Book, records: Iterable[OrderRecord]) -> None:
    """Judge the referrals that these orders are about: as a friend's, or by a friend's code."""
    records = list(records)
    buyers = {r.account.id for r in records if r.account is not None and r.account.id is not None}
    by_code = _by_code(book, records)
    if not buyers and not by_code:
        return
    rows = _locked_rows(book, or_(col(Referral.friend_id).in_(buyers), col(Referral.key).in_(by_code)))
    for row in rows:
        fresh = [order_id for order_id in by_code.get(row.key, ()) if order_id not in row.coupon_orders]
        if fresh:
            row.coupon_orders = sorted([*row.coupon_orders, *fresh])
    settle(book, rows)


def settle_members(book: Book, accounts: Iterable[Account]) -> None:
    """Judge the referrals of friends of whom something else became known: that two people are one."""
    book.ensure_ids()
    ids = {account.id for account in accounts if account.id is not None}
    if ids:
        settle(book, _locked_rows(book, col(Referral.friend_id).in_(ids)))


def settle_issues(book: Book, facts: Sequence[Fact]) -> None:
    """Tell what waited for a code: that the friend has one, and that the advocate was rewarded."""
    issued = {fact.issue_id: fact.issued_at for fact in facts if isinstance(fact, RewardIssued)}
    failed = {fact.issue_id: fact.failed_at for fact in facts if isinstance(fact, RewardFailed)}
    known = issued | failed
    if not known:
        return
    mine = (col(Referral.friend_issue_id).in_(known), col(Referral.advocate_issue_id).in_(known))
    rows = _locked_rows(book, or_(*mine))
    evidence.load(book, rows)
    for row in rows:
        _, terms = terms_of(book, row)
        if row.state not in _KEEPS_CODE:
            _end_gift(book, row.friend_issue_id)
        elif row.friend_issue_id in issued:
            issue = book.session.get_one(RewardIssue, row.friend_issue_id)
            tell_accepted(book, row, terms, issue, at=issued[row.friend_issue_id])
        if row.advocate_issue_id in known:
            issue = book.session.get_one(RewardIssue, row.advocate_issue_id)
            is_there = row.advocate_issue_id in issued
            at = known[row.advocate_issue_id]
            tell_completed(book, row, terms, at=at, issue=issue if is_there else None)


def shops_with_due(session: Session, *, at: datetime) -> list[int]:
    """The shops in which the hold of a referral is over."""
    return list(session.exec(select(Referral.shop_id).distinct().where(*_due(at))).all())


def complete_due(
    session: Session, shop: Shop, *, at: datetime, most: int = _BATCH
) -> tuple[int, frozenset[str]]:
    """Complete referrals whose hold is over at an instant, each as of the end of its own hold. Returns how many were due (fewer than
    ``most``: none is left) and the outbox channels that have something to send."""
    book = Book(session, shop, now=at)
    rows = _locked_rows(book, *_due(at), most=most)
    settle(book, rows)
    return len(rows), book.write()


def settle(book: Book, rows: Sequence[Referral]) -> None:
    """Judge these referrals anew. Their rows are locked."""
    claimed = [row for row in rows if row.claimed_at is not None]
    evidence.load(book, claimed)
    book.load_awards([referral_source(row.key) for row in claimed])
    for row in claimed:
        _settle(book, row)


def terms_of(book: Book, row: Referral) -> tuple[Program, Referrals]:
    """The program that decides a referral for ever, and what it says of referrals."""
    program = book.program_at(row.program_version)
    assert program.referrals is not None, "a referral is only made under a program that has them"
    return program, program.referrals


def _settle(book: Book, row: Referral) -> None:
    advocate = book.account(row.advocate_id)
    if advocate.state == "redacted":
        _end_without_advocate(book, row)
        return
    program, terms = terms_of(book, row)
    verdict = judge(evidence.case_of(book, row), program, terms, at=book.now)
    if _rests_on_hearsay(book, row, verdict):
        row.due_at = max(row.due_at or book.now, book.now + _READING)
        return
    book.apply(advocate, decide_referral(advocate, row.key, verdict, program, terms, at=book.now))
    _note(book, row, verdict)
    if verdict.state in (CLAIMED, ORDERED, COMPLETED):
        _give_friend(book, row, program, terms)
    elif verdict.state not in _KEEPS_CODE:
        _end_gift(book, row.friend_issue_id)
    if verdict.state == COMPLETED and row.completed_at is None:
        _complete(book, row, verdict, program, terms)
    elif verdict.state == REVERSED:
        _end_gift(book, row.advocate_issue_id)


def _rests_on_hearsay(book: Book, row: Referral, verdict: Verdict) -> bool:
    """Whether the judgement would take something back because of an order that only a webhook told of; then the order is read first."""
    if (
        row.state not in (ORDERED, COMPLETED)
        or verdict.is_rewarded
        or verdict.reason not in ("refunded", "", "below_minimum")
    ):
        return False
    told = [
        record
        for record in evidence.orders_of(book, row)
        if record.order_id == row.order_id and not record.authoritative
    ]
    for record in told:
        occasion = record.snapshot.updated_at.isoformat()
        payload = {"order_id": record.order_id, "history": False}
        book.tell_shopify("reread_order", f"reread:{record.order_id}:{occasion}", payload)
    return bool(told)


def _end_without_advocate(book: Book, row: Referral) -> None:
    """Nobody is left to be rewarded, and what was given to nobody is taken from nobody."""
    if row.state in (CLAIMED, ORDERED):
        row.state, row.reason, row.updated_at = CANCELLED, "advocate_erased", book.now


def _note(book: Book, row: Referral, verdict: Verdict) -> None:
    row.state, row.reason, row.updated_at = verdict.state, verdict.reason, book.now
    row.checks = [
        {"check": each.check, "result": each.result, "blocks": each.blocks} for each in verdict.findings
    ]
    if row.completed_at is not None:
        return  # it stays with the order that completed it
    order = verdict.order if verdict.is_rewarded else None
    row.order_id = order.order_id if order else None
    row.ordered_at = order.placed_at if order else None
    row.due_at = verdict.due_at if order else None


def _give_friend(book: Book, row: Referral, program: Program, terms: Referrals) -> None:
    slot = f"referral:{row.key}"
    if row.friend_issue_id is not None:
        earlier = book.session.get_one(RewardIssue, row.friend_issue_id)
        if earlier.cancelled_by != GIVEN_FOR or row.ruled_at is None:
            return
        slot += f":{row.ruled_at.isoformat()}"  # staff changed their mind: the first code is gone for good
    friend = book.account(row.friend_id)
    issue = give(
        book,
        friend,
        terms.friend,
        given_for=GIVEN_FOR,
        slot=slot,
        occurred_at=book.now,
        program=program,
    )
    row.friend_issue_id = issue.id if issue is not None else None


def _complete(book: Book, row: Referral, verdict: Verdict, program: Program, terms: Referrals) -> None:
    assert verdict.order is not None
    happened = verdict.due_at or verdict.order.placed_at
    row.completed_at = happened
    issue = None
    if terms.advocate.reward is not None:
        advocate = book.account(row.advocate_id)
        issue = give(
            book,
            advocate,
            terms.advocate.reward,
            given_for=GIVEN_FOR,
            slot=f"referral:{row.key}:advocate",
            occurred_at=happened,
            program=program,
        )
    if issue is not None:
        row.advocate_issue_id = issue.id  # it is told when the reward is there
    else:
        tell_completed(book, row, terms, at=happened)


def _end_gift(book: Book, issue_id: str | None) -> None:
    """Let a code that nobody used yet become unusable."""
    issue = locked(book, issue_id) if issue_id is not None else None
    if issue is not None and issue.state == "issued" and issue.kind != "store_credit":
        issue.state, issue.cancelled_by = "cancelling", GIVEN_FOR
        tell_to_end(book, issue)


def _by_code(book: Book, records: Sequence[OrderRecord]) -> dict[str, list[int]]:
    """The orders by the referral whose friend's code they carry."""
    codes = {code.upper(): r.order_id for r in records for code in r.snapshot.discount_codes}
    if not codes:
        return {}
    found = book.session.exec(
        select(Referral.key, RewardIssue.code)
        .join(RewardIssue, col(RewardIssue.id) == col(Referral.friend_issue_id))
        .where(Referral.shop_id == book.shop_id, col(RewardIssue.code).in_(codes))
    ).all()
    by_code: dict[str, list[int]] = {}
    for key, code in found:
        by_code.setdefault(key, []).append(codes[code or ""])
    return by_code


def _locked_rows(book: Book, *conditions: ColumnElement[bool], most: int | None = None) -> list[Referral]:
    statement = (
        select(Referral)
        .where(Referral.shop_id == book.shop_id, *conditions)
        .order_by(col(Referral.id))
        .with_for_update()
    )
    return list(book.session.exec(statement.limit(most) if most is not None else statement).all())


def _due(at: datetime) -> tuple[ColumnElement[bool], ...]:
    return (col(Referral.state) == ORDERED, col(Referral.due_at) <= at)
