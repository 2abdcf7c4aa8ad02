"""A member asks for a reward: first time is let do its work on the member's points, so that only what is there at this moment is spent."""

from datetime import datetime

from sqlmodel import Session

from loyalty import redemption
from loyalty.book import Book
from loyalty.core.facts import RewardRequested
from loyalty.models import Member, RewardIssue, Shop
from loyalty.points.settling import catch_up


def redeem(
    session: Session, shop: Shop, member: Member, request: RewardRequested, *, now: datetime
) -> RewardIssue:
    """Take the points and begin the reward (see ``loyalty.redemption.request_reward``, also for what it raises). Points that have ended by
    ``now`` are gone and points whose hold is over are there, whether or not the calendar's own run has come by."""
    assert member.id is not None
    book = Book(session, shop, now=now)
    book.load_members([member.id])
    catch_up(book, book.accounts())
    book.write()
    return redemption.request_reward(session, shop, member, request, now=now)
