"""Rewards that are being made, or taken back, for longer than anybody should wait, or that nobody works on any more.

Whoever paid gets the points back: after a day, or as soon as nobody tries any longer. Not so where store credit was asked for: it may have
been paid, so whether it was is found out first, and where that is not found out a person is asked. A gift cost nothing that could be given
back: it is tried for days, and then a person is asked as well. What is being taken back is tried again every day until Shopify says that
the code is dead: its points return then and not before.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists
from sqlmodel import Session, and_, col, or_, select

from loyalty import outbox
from loyalty.book import Book
from loyalty.core.facts import RewardFailed
from loyalty.models import OutboxMessage, RewardIssue, Shop
from loyalty.redemption.issuing import GIVEN_UP, NOT_IN_TIME, reward_failed
from loyalty.redemption.records import DEACTIVATE_CODE, ISSUE_REWARD, NAMES, tell_to_end

# A shopper waits for a code for seconds; whoever still waits after a day gets the points back instead.
LONGEST_ISSUING = timedelta(days=1)
# By then Shopify was asked often enough whether it paid a credit.
LONGEST_UNKNOWN = timedelta(days=3)
# What Shopify would not switch off yesterday it may today.
ASKS_AGAIN_AFTER = timedelta(days=1)
NOT_FOUND_OUT = "not_found_out"
_AT_ONCE = 500


def shops_with_overdue(session: Session, *, now: datetime) -> list[int]:
    """The shops where a reward is being made or taken back for longer than anybody should wait, or where nobody does it any more."""
    return list(session.exec(select(RewardIssue.shop_id).distinct().where(_overdue(now))).all())


def return_overdue(session: Session, shop: Shop, *, now: datetime) -> frozenset[str]:
    """Give the points of such rewards back, or have Shopify asked again; and ask a person where either would be wrong. Returns the outbox
    channels that have something to send."""
    mine = (RewardIssue.shop_id == shop.id, _overdue(now))
    found = session.exec(
        select(RewardIssue.id, RewardIssue.member_id)
        .where(*mine)
        .order_by(col(RewardIssue.created_at))
        .limit(_AT_ONCE)
    ).all()
    book = Book(session, shop, now=now)
    book.load_members([member_id for _, member_id in found])
    # What was true a moment ago may have ended while we waited for the people: a credit may have been asked for.
    still = select(RewardIssue).where(*mine, col(RewardIssue.id).in_([issue_id for issue_id, _ in found]))
    fresh = still.order_by(col(RewardIssue.id)).with_for_update().execution_options(populate_existing=True)
    for issue in session.exec(fresh).all():
        _look_after(book, issue, now)
    return book.write()


def _look_after(book: Book, issue: RewardIssue, now: datetime) -> None:
    if issue.state == "cancelling":
        tell_to_end(book, issue, again=now.isoformat())
    elif issue.kind == "store_credit" and issue.asked_at is not None:
        issue.failure = NOT_FOUND_OUT  # a person is asked
    elif issue.given_for is not None:
        issue.failure = GIVEN_UP
    else:
        was_late = issue.created_at < now - LONGEST_ISSUING
        reward_failed(book, RewardFailed(issue.id, NOT_IN_TIME if was_late else GIVEN_UP, now))


def _overdue(now: datetime) -> ColumnElement[bool]:
    # What waits for a person has a failure already.
    is_made = and_(col(RewardIssue.state) == "issuing", col(RewardIssue.failure).is_(None))
    is_ended = col(RewardIssue.state) == "cancelling"
    return or_(
        # No message waits to have it made: it was tried too often, or Shopify would not even listen.
        and_(is_made, or_(_late(now), _unknown(now), ~_waits(ISSUE_REWARD))),
        and_(is_ended, ~_waits(DEACTIVATE_CODE), ~_told_since(DEACTIVATE_CODE, now - ASKS_AGAIN_AFTER)),
    )


def _unknown(now: datetime) -> ColumnElement[bool]:
    return and_(col(RewardIssue.kind) == "store_credit", col(RewardIssue.asked_at) < now - LONGEST_UNKNOWN)


def _late(now: datetime) -> ColumnElement[bool]:
    may_be_paid = (RewardIssue.kind != "store_credit", col(RewardIssue.asked_at).is_(None))
    return and_(
        col(RewardIssue.created_at) < now - LONGEST_ISSUING,
        col(RewardIssue.given_for).is_(None),
        or_(*may_be_paid),
        # What a person has had made from the beginning is not late because it is old.
        ~_waits(ISSUE_REWARD, col(OutboxMessage.created_at) >= now - LONGEST_ISSUING),
    )


def _waits(kind: str, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a message about a reward waits to be sent."""
    # The states as the partial index says them.
    return exists().where(*_about(kind), col(OutboxMessage.state).in_(("due", "sending")), *more)


def _told_since(kind: str, at: datetime) -> ColumnElement[bool]:
    """Whether a message about a reward was written since, whatever became of it."""
    of_owner = col(OutboxMessage.member_id) == col(RewardIssue.member_id)
    return exists().where(of_owner, *_about(kind), col(OutboxMessage.created_at) >= at)


def _about(kind: str) -> tuple[ColumnElement[bool], ...]:
    return (
        col(OutboxMessage.shop_id) == col(RewardIssue.shop_id),
        # Messages from before rewards had a line of their own wait in the other.
        col(OutboxMessage.channel).in_((outbox.REWARDS, outbox.SHOPIFY)),
        col(OutboxMessage.kind) == kind,
        col(OutboxMessage.unique_id).like(NAMES[kind] + col(RewardIssue.id) + "%"),
    )
