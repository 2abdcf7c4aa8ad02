"""Loads what a batch of facts touches, settles them one by one, and writes the book."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session

from loyalty import referrals, reviews
from loyalty.book import Account, Book
from loyalty.core.decide import order_source, review_source, signup_source
from loyalty.core.facts import (
    ActionDone,
    BirthdayTold,
    CustomerDeleted,
    CustomerSeen,
    CustomersMerged,
    CustomerVisited,
    Fact,
    Identity,
    OrderChanged,
    OrderSeen,
    OrderUnreadable,
    ReviewSeen,
    RewardDeactivated,
    RewardFailed,
    RewardIssued,
)
from loyalty.core.ledger import Source
from loyalty.encryption import Cipher
from loyalty.models import Shop
from loyalty.points.actions import action_done, birthday_told
from loyalty.points.climbing import climb
from loyalty.points.orders import order_seen, order_unreadable, reread_order
from loyalty.points.people import GONE, customer_deleted, customer_seen, customer_visited, customers_merged
from loyalty.points.settling import catch_up, settle_accounts
from loyalty.redemption import mark_used, reward_deactivated, reward_failed, reward_issued


def absorb(
    session: Session, shop: Shop, facts: Sequence[Fact], *, now: datetime, cipher: Cipher | None = None
) -> frozenset[str]:
    """Settle facts in the order given. Returns the outbox channels that have something to send now. ``cipher`` is for facts about customers:
    an address that one of them gives up is sealed until Klaviyo has been told."""
    if not facts:
        return frozenset()
    book = Book(session, shop, now=now, cipher=cipher)
    _load(book, facts)
    met: dict[str, Account] = {}
    for fact in facts:
        _settle(book, fact)
        if isinstance(fact, CustomerSeen | CustomerVisited):
            _meet(book, fact, met)
    for account in reviews.settle_waiting(book, met):
        climb(book, account)
    mark_used(book, facts)
    found = [book.orders[order_id] for order_id in sorted(_orders_of(facts)) if order_id in book.orders]
    referrals.settle_orders(book, found, settle_accounts)
    referrals.settle_issues(book, facts)
    return book.write()


def _load(book: Book, facts: Sequence[Fact]) -> None:
    customer_ids: set[int] = set()
    emails: set[str] = set()
    sources: set[Source] = set()
    for fact in facts:
        match fact:
            case CustomerSeen(identity=identity) | CustomerVisited(identity=identity):
                sources.add(signup_source(identity.customer_id))
                _name(identity, customer_ids, emails)
            case OrderSeen(order=order, identity=identity):
                sources.add(order_source(order.order_id))
                _name(identity, customer_ids, emails)
            case OrderUnreadable(order_id=order_id):
                sources.add(order_source(order_id))
            case CustomerDeleted(customer_id=customer_id):
                customer_ids.add(customer_id)
            case CustomersMerged(kept_customer_id=kept, deleted_customer_id=deleted):
                customer_ids.update((kept, deleted))
            case ReviewSeen(review_id=review_id, email=email):
                sources.add(review_source(review_id))
                _name(Identity(None, email), customer_ids, emails)
            case ActionDone(identity=identity) | BirthdayTold(identity=identity):
                _name(identity, customer_ids, emails)
    book.load_people(customer_ids, emails)
    book.load_members(
        reviews.authors(book, {fact.review_id for fact in facts if isinstance(fact, ReviewSeen)})
    )
    book.load_orders(_orders_of(facts))
    book.load_awards(sources)
    if book.program.looks_back:
        book.load_history(book.accounts())
    else:
        book.load_history(_may_have_had_it(book, facts))
    catch_up(book, book.accounts())


def _orders_of(facts: Sequence[Fact]) -> set[int]:
    seen = {fact.order.order_id for fact in facts if isinstance(fact, OrderSeen)}
    return seen | {fact.order_id for fact in facts if isinstance(fact, OrderUnreadable)}


def _meet(book: Book, fact: CustomerSeen | CustomerVisited, met: dict[str, Account]) -> None:
    """Note whose an address is now: what waited for it is theirs, also when the address changes before the batch ends."""
    account = book.by_customer(fact.identity.customer_id)
    if account is not None and account.email and account.state not in GONE:
        met.setdefault(account.email, account)


def _may_have_had_it(book: Book, facts: Sequence[Fact]) -> list[Account]:
    """The accounts of new customers that were not rewarded for this one: somebody who was merged into them may have been."""
    return [
        account
        for fact in facts
        if isinstance(fact, CustomerSeen | CustomerVisited)
        and (account := book.by_customer(fact.identity.customer_id)) is not None
        and _may_be_new(book, account, fact)
        and not any(account.of_source(signup_source(fact.identity.customer_id)))
    ]


def _may_be_new(book: Book, account: Account, fact: CustomerSeen | CustomerVisited) -> bool:
    """Whether there is an account made since the app came: a guest's is younger than the record."""
    if account.joined_at is None:
        return True
    return isinstance(fact, CustomerSeen) and fact.created_at >= book.shop.first_installed_at


def _name(identity: Identity, customer_ids: set[int], emails: set[str]) -> None:
    if identity.customer_id is not None:
        customer_ids.add(identity.customer_id)
    if identity.email:
        emails.add(identity.email)


def _review_seen(book: Book, fact: ReviewSeen) -> None:
    account = reviews.review_seen(book, fact)
    if account is not None:
        climb(book, account)


def _order_changed(book: Book, fact: OrderChanged) -> None:
    reread_order(book, fact.order_id, fact.signal)


_SETTLERS: Mapping[type, Callable[[Book, Any], None]] = {
    CustomerSeen: customer_seen,
    CustomerVisited: customer_visited,
    CustomerDeleted: customer_deleted,
    CustomersMerged: customers_merged,
    OrderSeen: order_seen,
    OrderUnreadable: order_unreadable,
    OrderChanged: _order_changed,
    ReviewSeen: _review_seen,
    ActionDone: action_done,
    BirthdayTold: birthday_told,
    RewardIssued: reward_issued,
    RewardFailed: reward_failed,
    RewardDeactivated: reward_deactivated,
}


def _settle(book: Book, fact: Fact) -> None:
    if type(fact) not in _SETTLERS:
        raise TypeError(f"{type(fact).__name__} is not a fact about points")
    _SETTLERS[type(fact)](book, fact)
