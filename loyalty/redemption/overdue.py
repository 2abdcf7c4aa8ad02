"""Rewards that are being made for longer than anybody should wait: their points go back.

Not so gifts, which nobody waits for, and not store credit that was asked for: it may have been paid, so whether it was is found out
first. Where that is not found out for days, a person is asked.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, or_, select

from loyalty.book import Book
from loyalty.core.facts import RewardFailed
from loyalty.models import RewardIssue, Shop
from loyalty.redemption.asking import leave_to_a_person
from loyalty.redemption.issuing import NOT_IN_TIME, reward_failed

# A shopper waits for a code for seconds; whoever still waits after a day gets the points back instead.
LONGEST_ISSUING = timedelta(days=1)
# By then Shopify was asked often enough whether it paid a credit.
LONGEST_UNKNOWN = timedelta(days=3)
NOT_FOUND_OUT = "not_found_out"
_AT_ONCE = 500


def shops_with_overdue(session: Session, *, now: datetime) -> list[int]:
    """The shops where a reward is being made for longer than anybody should wait."""
    late = or_(and_(*_overdue(now)), and_(*_unknown(now)))
    return list(session.exec(select(RewardIssue.shop_id).distinct().where(late)).all())


def return_overdue(session: Session, shop: Shop, *, now: datetime) -> frozenset[str]:
    """Give the points of overdue rewards back, and ask a person where nobody knows. Returns the outbox channels that have something to
    send."""
    unknown = select(RewardIssue.id).where(RewardIssue.shop_id == shop.id, *_unknown(now)).limit(_AT_ONCE)
    for issue_id in session.exec(unknown).all():
        leave_to_a_person(session, shop.id or 0, issue_id, NOT_FOUND_OUT)
    late = select(RewardIssue.id).where(RewardIssue.shop_id == shop.id, *_overdue(now)).limit(_AT_ONCE)
    book = Book(session, shop, now=now)
    for issue_id in session.exec(late).all():
        reward_failed(book, RewardFailed(issue_id, NOT_IN_TIME, now))
    return book.write()


def _unknown(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        col(RewardIssue.state) == "issuing",
        col(RewardIssue.kind) == "store_credit",
        col(RewardIssue.asked_at) < now - LONGEST_UNKNOWN,
        col(RewardIssue.failure).is_(None),
    )


def _overdue(now: datetime) -> tuple[ColumnElement[bool], ...]:
    may_be_paid = (RewardIssue.kind != "store_credit", col(RewardIssue.asked_at).is_(None))
    return (
        col(RewardIssue.state) == "issuing",
        col(RewardIssue.created_at) < now - LONGEST_ISSUING,
        col(RewardIssue.given_for).is_(None),
        or_(*may_be_paid),
    )
