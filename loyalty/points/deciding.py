"""Rewards that wait for a person, who looks and decides.

Store credit of which nobody can tell whether it was paid: Shopify pays it as often as it is asked and keeps no mark of who asked, so a credit
that cannot be told from another one is neither paid again nor given back by us. And gifts that could not be made for days: nobody paid for
them, so there is nothing to give back, and nobody but the merchant knows whether they are still wanted. What a person says is a fact like
what Shopify says: whatever waits for the reward hears of it.
"""

from datetime import datetime

from sqlmodel import Session

from loyalty.book import Book
from loyalty.core.facts import RewardFailed, RewardIssued
from loyalty.models import RewardIssue, Shop
from loyalty.points.absorbing import absorb
from loyalty.redemption import BY_STAFF, locked, tell_to_make


class NotWaiting(Exception):
    """The reward does not, or no longer, wait for a person."""


def waits_for_a_person(issue: RewardIssue) -> bool:
    """Whether only a person can say what became of this reward."""
    return issue.state == "issuing" and issue.failure is not None


def say_paid(session: Session, shop: Shop, issue: RewardIssue, *, now: datetime) -> frozenset[str]:
    """The customer has the credit. Of a code or a card only Shopify can say so: ``NotWaiting``."""
    if issue.kind != "store_credit":
        raise NotWaiting
    _waiting(session, shop, issue, now=now)
    return absorb(session, shop, [RewardIssued(issue.id, "", now)], now=now)


def make_again(session: Session, shop: Shop, issue: RewardIssue, *, now: datetime) -> frozenset[str]:
    """The customer does not have it, and shall: it is made, or paid, from the beginning."""
    book, row = _waiting(session, shop, issue, now=now)
    row.failure, row.asked_at, row.asked_after = None, None, None
    tell_to_make(book, row, again=now.isoformat())
    return book.write()


def give_back(session: Session, shop: Shop, issue: RewardIssue, *, now: datetime) -> frozenset[str]:
    """The customer does not have it and shall not; what was paid for it goes back. A code that exists after all is switched off."""
    _waiting(session, shop, issue, now=now)
    return absorb(session, shop, [RewardFailed(issue.id, BY_STAFF, now)], now=now)


def _waiting(session: Session, shop: Shop, issue: RewardIssue, *, now: datetime) -> tuple[Book, RewardIssue]:
    book = Book(session, shop, now=now)
    row = locked(book, issue.id)
    if row is None or not waits_for_a_person(row):
        raise NotWaiting
    return book, row
