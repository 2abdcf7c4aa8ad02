"""Rewards that are being made for longer than anybody should wait, or that nobody is going to make any more.

Whoever paid gets the points back: after a day, or as soon as nobody tries any longer. Not so where store credit was asked for: it may have
been paid, so whether it was is found out first, and where that is not found out a person is asked. A gift cost nothing that could be given
back: it is tried for days, and then a person is asked as well.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists
from sqlmodel import Session, and_, col, or_, select

from loyalty import outbox
from loyalty.book import Book
from loyalty.core.facts import RewardFailed
from loyalty.models import OutboxMessage, RewardIssue, Shop
from loyalty.redemption.issuing import GIVEN_UP, NOT_IN_TIME, reward_failed
from loyalty.redemption.records import ISSUE_REWARD, locked

# A shopper waits for a code for seconds; whoever still waits after a day gets the points back instead.
LONGEST_ISSUING = timedelta(days=1)
# By then Shopify was asked often enough whether it paid a credit.
LONGEST_UNKNOWN = timedelta(days=3)
NOT_FOUND_OUT = "not_found_out"
_AT_ONCE = 500


def shops_with_overdue(session: Session, *, now: datetime) -> list[int]:
    """The shops where a reward is being made for longer than anybody should wait, or is not being made any more."""
    late = or_(_late(now), _unknown(now), _abandoned())
    waiting = select(RewardIssue.shop_id).distinct().where(*_ISSUING, late)
    return list(session.exec(waiting).all())


def return_overdue(session: Session, shop: Shop, *, now: datetime) -> frozenset[str]:
    """Give the points of such rewards back, and ask a person where that would be wrong. Returns the outbox channels that have something
    to send."""
    mine = col(RewardIssue.shop_id) == shop.id
    found = select(RewardIssue).where(mine, *_ISSUING, or_(_late(now), _unknown(now), _abandoned()))
    issues = session.exec(found.order_by(col(RewardIssue.created_at)).limit(_AT_ONCE)).all()
    book = Book(session, shop, now=now)
    book.load_members([issue.member_id for issue in issues])
    for issue in issues:
        may_be_paid = issue.kind == "store_credit" and issue.asked_at is not None
        if may_be_paid:
            _ask_a_person(book, issue.id, NOT_FOUND_OUT)
        elif issue.given_for is not None:
            _ask_a_person(book, issue.id, GIVEN_UP)
        else:
            was_late = issue.created_at < now - LONGEST_ISSUING
            reward_failed(book, RewardFailed(issue.id, NOT_IN_TIME if was_late else GIVEN_UP, now))
    return book.write()


def _ask_a_person(book: Book, issue_id: str, reason: str) -> None:
    issue = locked(book, issue_id)
    if issue is not None and issue.state == "issuing" and issue.failure is None:
        issue.failure = reason


# What waits for a person already has a failure.
_ISSUING: tuple[ColumnElement[bool], ...] = (
    col(RewardIssue.state) == "issuing",
    col(RewardIssue.failure).is_(None),
)


def _unknown(now: datetime) -> ColumnElement[bool]:
    return and_(col(RewardIssue.kind) == "store_credit", col(RewardIssue.asked_at) < now - LONGEST_UNKNOWN)


def _late(now: datetime) -> ColumnElement[bool]:
    may_be_paid = (RewardIssue.kind != "store_credit", col(RewardIssue.asked_at).is_(None))
    return and_(
        col(RewardIssue.created_at) < now - LONGEST_ISSUING,
        col(RewardIssue.given_for).is_(None),
        or_(*may_be_paid),
    )


def _abandoned() -> ColumnElement[bool]:
    """No message waits to have it made: it was tried too often, or Shopify would not even listen."""
    return ~exists().where(
        col(OutboxMessage.shop_id) == col(RewardIssue.shop_id),
        # Messages from before rewards had a line of their own wait in the other.
        col(OutboxMessage.channel).in_((outbox.REWARDS, outbox.SHOPIFY)),
        col(OutboxMessage.kind) == ISSUE_REWARD,
        col(OutboxMessage.state).in_(("due", "sending")),  # as the partial index says it
        col(OutboxMessage.unique_id).like("issue:" + col(RewardIssue.id) + "%"),
    )
