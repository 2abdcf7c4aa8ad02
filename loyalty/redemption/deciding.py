"""Store credit of which nobody can tell whether it was paid: a person looks, and decides.

Shopify pays store credit as often as it is asked and keeps no mark of who asked. So a credit that cannot be told from another one is
neither paid again nor given back by us.
"""

from datetime import datetime

from sqlmodel import Session

from loyalty.book import Book
from loyalty.core.facts import RewardFailed, RewardIssued
from loyalty.models import RewardIssue, Shop
from loyalty.redemption.issuing import reward_failed, reward_issued
from loyalty.redemption.records import locked, tell_to_make


class NotWaiting(Exception):
    """The reward does not, or no longer, wait for a person."""


def waits_for_a_person(issue: RewardIssue) -> bool:
    """Whether only a person can say what became of this reward."""
    return issue.state == "issuing" and issue.failure is not None


def say_paid(session: Session, shop: Shop, issue: RewardIssue, *, now: datetime) -> frozenset[str]:
    """The customer has the credit."""
    book = _waiting(session, shop, issue, now=now)
    reward_issued(book, RewardIssued(issue.id, "", now))
    return book.write()


def pay_again(session: Session, shop: Shop, issue: RewardIssue, *, now: datetime) -> frozenset[str]:
    """The customer does not have the credit, and shall."""
    book = _waiting(session, shop, issue, now=now)
    row = locked(book, issue.id)
    assert row is not None
    row.failure, row.asked_at, row.asked_after = None, None, None
    tell_to_make(book, row, again=now.isoformat())
    return book.write()


def give_back(session: Session, shop: Shop, issue: RewardIssue, *, now: datetime) -> frozenset[str]:
    """The customer does not have the credit, and gets the points instead."""
    book = _waiting(session, shop, issue, now=now)
    reward_failed(book, RewardFailed(issue.id, "given_back_by_staff", now))
    return book.write()


def _waiting(session: Session, shop: Shop, issue: RewardIssue, *, now: datetime) -> Book:
    book = Book(session, shop, now=now)
    row = locked(book, issue.id)
    if row is None or not waits_for_a_person(row):
        raise NotWaiting
    return book
