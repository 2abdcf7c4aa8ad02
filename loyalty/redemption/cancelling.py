"""Taking back a reward that was not used: first its code dies at Shopify, and only then its points return."""

from datetime import datetime

from sqlmodel import Session

from loyalty.book import Book
from loyalty.core.decide import decide_reward_retake, decide_reward_return, reward_news
from loyalty.core.facts import RewardDeactivated
from loyalty.core.news import REWARD_CANCELLED
from loyalty.models import RewardIssue, Shop
from loyalty.redemption.records import locked, owner, redeemed_entry, tell_to_end
from loyalty.redemption.saying import said_of


class CancelRefused(Exception):
    """A reward cannot be cancelled. ``code``: store_credit (it is spent like money), or the state it is in."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def cancel(session: Session, shop: Shop, issue: RewardIssue, *, by: str, now: datetime) -> frozenset[str]:
    """Begin to take a reward back; ``by`` is who wants it. Asking again asks Shopify again. Raises ``CancelRefused``.

    Returns the outbox channels that have something to send.
    """
    book = Book(session, shop, now=now)
    row = locked(book, issue.id)
    if row is None:
        raise CancelRefused("unknown")
    if row.kind == "store_credit":
        raise CancelRefused("store_credit")
    if row.state not in ("issued", "cancelling"):
        raise CancelRefused(row.state)
    if row.state == "issued":
        if row.expires_at is not None and row.expires_at <= now:
            raise CancelRefused("expired")  # the calendar only has not been there yet
        row.state, row.cancelled_by = "cancelling", by
        account = owner(book, row)
        account.changed = account.rewards_changed = True
    tell_to_end(book, row, again=now.isoformat())
    return book.write()


def reward_deactivated(book: Book, fact: RewardDeactivated) -> None:
    """The code is dead. If nobody had used it, its points come back; if somebody had, they stay spent."""
    issue = locked(book, fact.issue_id)
    if issue is None or issue.state not in ("cancelling", "failed"):
        return
    if fact.used:
        _used_before(book, issue, fact.deactivated_at)
    elif issue.state == "cancelling":
        _cancelled(book, issue, fact.deactivated_at)


def _cancelled(book: Book, issue: RewardIssue, at: datetime) -> None:
    issue.state, issue.cancelled_at = "cancelled", at
    account, redeemed = owner(book, issue), redeemed_entry(book.session, issue)
    if redeemed is not None:
        because = f"cancelled by {issue.cancelled_by}" if issue.cancelled_by else "cancelled"
        decision = decide_reward_return(
            redeemed, because=because, reason="Reward cancelled", at=at, balance=account.balance
        )
        book.apply(account, decision)
    news = reward_news(REWARD_CANCELLED, issue.id, balance=account.balance, at=at, reward=said_of(issue))
    book.post(account, (), (news,))


def _used_before(book: Book, issue: RewardIssue, at: datetime) -> None:
    """Somebody was quicker. Which order it was is told when the order comes."""
    redeemed = redeemed_entry(book.session, issue) if issue.state == "failed" else None
    if redeemed is not None:
        book.post(owner(book, issue), (decide_reward_retake(redeemed, at=at),), ())
    issue.state, issue.used_at = "used", at
