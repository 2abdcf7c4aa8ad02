"""What goes with a referral beside points: the friend's code, and the advocate's reward."""

from loyalty.book import Book
from loyalty.core.decide.referrals import Verdict
from loyalty.core.program import Program, Referrals
from loyalty.models import Referral, RewardIssue
from loyalty.redemption.giving import give
from loyalty.redemption.records import locked, tell_to_end
from loyalty.referrals.telling import tell_completed

GIVEN_FOR = "referral"


def give_friend(book: Book, row: Referral, program: Program, terms: Referrals) -> None:
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


def reward_advocate(book: Book, row: Referral, verdict: Verdict, program: Program, terms: Referrals) -> None:
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


def end_gift(book: Book, issue_id: str | None) -> None:
    """Let a code that nobody used yet become unusable."""
    issue = locked(book, issue_id) if issue_id is not None else None
    if issue is not None and issue.state == "issued" and issue.kind != "store_credit":
        issue.state, issue.cancelled_by = "cancelling", GIVEN_FOR
        tell_to_end(book, issue)
