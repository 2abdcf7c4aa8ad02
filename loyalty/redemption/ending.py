"""What time alone does to rewards: reminders of those that end soon, and the end itself. The calendar says when."""

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from loyalty.book import Book
from loyalty.core.decide import reward_news
from loyalty.core.news import REWARD_EXPIRED, REWARD_EXPIRING
from loyalty.core.program import DISCOUNTS
from loyalty.models import RewardIssue
from loyalty.redemption.records import locked, owner
from loyalty.redemption.saying import said_of


def ending_rewards(session: Session, member_ids: Iterable[int]) -> list[RewardIssue]:
    """The rewards of these members that can be used now and will end, the first to end first."""
    return list(
        session.exec(
            select(RewardIssue)
            .where(
                col(RewardIssue.member_id).in_(set(member_ids)),
                RewardIssue.state == "issued",
                col(RewardIssue.expires_at).is_not(None),
            )
            .order_by(col(RewardIssue.expires_at), col(RewardIssue.id))
        ).all()
    )


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
