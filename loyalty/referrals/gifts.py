"""What goes with a referral beside points: the friend's code, and the advocate's reward."""

from datetime import datetime

from loyalty.book import Book
from loyalty.core.decide.referrals import Verdict
from loyalty.core.program import Program, Referrals
from loyalty.models import Referral, RewardIssue
from loyalty.redemption.giving import give
from loyalty.redemption.records import locked, owner, tell_to_end
from loyalty.referrals.telling import tell_completed

GIVEN_FOR = "referral"


def give_friend(book: Book, row: Referral, program: Program, terms: Referrals) -> None:
    """Let the friend have a code."""
    slot = _slot(book, row, row.friend_issue_id, f"referral:{row.key}")
    if slot is None:
        return
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


def reward_advocate(book: Book, row: Referral, verdict: Verdict, program: Program, terms: Referrals) -> None:
    """Let a referral be completed, and the advocate have what there is beside points. It is told once: when that is there, or now where
    there is nothing."""
    assert verdict.order is not None
    is_first = row.completed_at is None
    row.completed_at = row.completed_at or verdict.due_at or verdict.order.placed_at
    _give_advocate(book, row, row.completed_at if is_first else book.now, program, terms)
    if is_first and row.advocate_issue_id is None:
        tell_completed(book, row, terms, at=row.completed_at)


def end_gift(book: Book, issue_id: str | None) -> None:
    """Let a code that nobody used yet become unusable."""
    issue = locked(book, issue_id) if issue_id is not None else None
    if issue is not None and issue.state == "issued" and issue.kind != "store_credit":
        issue.state, issue.cancelled_by = "cancelling", GIVEN_FOR
        account = owner(book, issue)
        account.changed = account.rewards_changed = True
        tell_to_end(book, issue)


def _give_advocate(book: Book, row: Referral, at: datetime, program: Program, terms: Referrals) -> None:
    if terms.advocate.reward is None:
        return
    slot = _slot(book, row, row.advocate_issue_id, f"referral:{row.key}:advocate")
    if slot is None:
        return
    advocate = book.account(row.advocate_id)
    issue = give(
        book,
        advocate,
        terms.advocate.reward,
        given_for=GIVEN_FOR,
        slot=slot,
        occurred_at=at,
        program=program,
    )
    row.advocate_issue_id = issue.id if issue is not None else None


def _slot(book: Book, row: Referral, issue_id: str | None, first: str) -> str | None:
    """For which occasion something is given now; None when what was given before holds."""
    if issue_id is None:
        return first
    earlier = book.session.get_one(RewardIssue, issue_id)
    if earlier.cancelled_by != GIVEN_FOR or row.ruled_at is None:
        return None
    return f"{first}:{row.ruled_at.isoformat()}"  # staff changed their mind: the first one is gone for good
