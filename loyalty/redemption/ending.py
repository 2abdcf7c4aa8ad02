"""What time alone does to rewards: reminders of those that end soon, and the end itself. The calendar says when."""

from datetime import datetime

from loyalty.book import Book
from loyalty.core.decide import reward_news
from loyalty.core.news import REWARD_EXPIRED, REWARD_EXPIRING
from loyalty.core.program import DISCOUNTS
from loyalty.models import RewardIssue
from loyalty.redemption.records import locked, owner
from loyalty.redemption.saying import said_of


def remind(book: Book, issue: RewardIssue, at: datetime) -> None:
    """Tell that a code ends soon, once. Of gift cards and store credit nobody tells us whether they were used: they are left in peace."""
    now = locked(book, issue.id)
    if now is None or now.state != "issued" or now.kind not in DISCOUNTS:
        return
    account = owner(book, now)
    news = reward_news(REWARD_EXPIRING, now.id, balance=account.balance, at=at, reward=said_of(now))
    book.post(account, (), (news,))


def expire(book: Book, issue: RewardIssue, at: datetime) -> None:
    """A reward that was not used by ``at`` has ended. An order from before that comes later still makes it used."""
    now = locked(book, issue.id)
    if now is None or now.state != "issued" or now.expires_at is None or now.expires_at > at:
        return
    now.state = "expired"
    if now.kind not in DISCOUNTS:
        return
    account = owner(book, now)
    news = reward_news(REWARD_EXPIRED, now.id, balance=account.balance, at=at, reward=said_of(now))
    book.post(account, (), (news,))
