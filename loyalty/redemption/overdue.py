"""Rewards that are being made for longer than anybody should wait: their points go back.

Not so gifts, which nobody waits for, and not store credit that was asked for: it may have been paid, so whether it was is found out
first.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select

from loyalty.book import Book
from loyalty.core.facts import RewardFailed
from loyalty.models import RewardIssue, Shop
from loyalty.redemption.issuing import NOT_IN_TIME, reward_failed

# A shopper waits for a code for seconds; whoever still waits after a day gets the points back instead.
LONGEST_ISSUING = timedelta(days=1)
_AT_ONCE = 500


def shops_with_overdue(session: Session, *, now: datetime) -> list[int]:
    """The shops where a reward is being made for longer than anybody should wait."""
    overdue = select(RewardIssue.shop_id).distinct().where(*_overdue(now))
    return list(session.exec(overdue).all())


def return_overdue(session: Session, shop: Shop, *, now: datetime) -> frozenset[str]:
    """Give the points of overdue rewards back. Returns the outbox channels that have something to send."""
    late = select(RewardIssue.id).where(RewardIssue.shop_id == shop.id, *_overdue(now)).limit(_AT_ONCE)
    book = Book(session, shop, now=now)
    for issue_id in session.exec(late).all():
        reward_failed(book, RewardFailed(issue_id, NOT_IN_TIME, now))
    return book.write()


def _overdue(now: datetime) -> tuple[ColumnElement[bool], ...]:
    may_be_paid = (RewardIssue.kind != "store_credit", col(RewardIssue.asked_at).is_(None))
    return (
        col(RewardIssue.state) == "issuing",
        col(RewardIssue.created_at) < now - LONGEST_ISSUING,
        col(RewardIssue.given_for).is_(None),
        or_(*may_be_paid),
    )
