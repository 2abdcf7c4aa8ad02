"""Gathers what is known of a referral for its judgement: the orders, the people and what the checks look at."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from sqlmodel import col, select

from loyalty.book import Account, Book, OrderRecord
from loyalty.core.decide import order_credit
from loyalty.core.decide.referrals import (
    BLOCKED,
    COMPLETED,
    OF_ADVOCATE,
    OF_FRIEND,
    ORDERED,
    Case,
    FriendOrder,
)
from loyalty.core.referrals import comparable
from loyalty.models import Referral
from loyalty.referrals.devices import device_matches

# Whoever follows a friend's link often makes an account first and asks for the gift then.
_NEW_ACCOUNT = timedelta(days=1)
# Shopify's instants are whole seconds, and no two clocks are alike.
_SKEW = timedelta(seconds=5)
_LOST = frozenset({"refunded", "voided"})


def load(book: Book, rows: Iterable[Referral]) -> None:
    """Lock and read the people of these referrals, and the orders that carried their codes."""
    rows = list(rows)
    book.load_members({row.advocate_id for row in rows} | {row.friend_id for row in rows})
    coupon_orders = {order_id for row in rows for order_id in row.coupon_orders}
    if coupon_orders:
        book.load_orders(coupon_orders)


def case_of(book: Book, row: Referral) -> Case:
    """All that a claimed referral is judged by. Its people are loaded."""
    advocate, friend = book.account(row.advocate_id), book.account(row.friend_id)
    records = orders_of(book, row)
    buyers = {id(friend): friend} | {id(r.account): r.account for r in records if r.account is not None}
    assert advocate.id is not None
    assert friend.id is not None
    same_person, email_missing = _same_person(advocate, friend)
    matches, device_missing = device_matches(book.session, row, advocate_id=advocate.id, friend_id=friend.id)
    return Case(
        orders=tuple(_orders(book, row, records, advocate)),
        same_person=same_person,
        email_missing=email_missing,
        was_customer=any(
            _was_customer(book, row, buyer) for buyer in buyers.values() if buyer is not advocate
        ),
        is_taken=_is_taken(book, row, friend.id),
        is_erased="redacted" in (advocate.state, friend.state),
        device_matches=matches,
        device_missing=device_missing,
        completed_with=row.order_id if row.completed_at is not None else None,
        counts=row.state in (ORDERED, COMPLETED),
        others=_others(book, row, advocate.id),
        ruling=row.ruling,
        findings={each["check"]: each["result"] for each in row.checks},
        missing={each["check"]: each.get("missing", "") for each in row.checks},
    )


def orders_of(book: Book, row: Referral) -> list[OrderRecord]:
    """The friend's orders, and those of anybody with the friend's code."""
    friend = book.account(row.friend_id)
    own = {record.order_id: record for record in book.load_orders_of(friend)}
    with_code = {order_id: book.orders[order_id] for order_id in row.coupon_orders if order_id in book.orders}
    return [record for _, record in sorted((own | with_code).items())]


def _orders(
    book: Book, row: Referral, records: list[OrderRecord], advocate: Account
) -> Iterator[FriendOrder]:
    program, began = book.program_at(row.program_version), _began(row)
    since = [r for r in records if r.snapshot.created_at >= began and not r.snapshot.test]
    doors = _doors(book, advocate) if any(record.snapshot.address_mark for record in since) else set()
    for record in since:
        order = record.snapshot
        matches, missing = _same_door(order.address_mark, doors)
        yield FriendOrder(
            order_id=record.order_id,
            placed_at=order.created_at,
            amount=order_credit(order, program).amount,
            is_lost=order.cancelled or order.financial_status in _LOST or order.refunded > 0,
            by_advocate=record.account is advocate,
            address_matches=matches,
            address_missing=missing,
        )


def _same_door(mark: str | None, doors: set[str]) -> tuple[bool | None, str]:
    if mark is None:
        return None, OF_FRIEND
    return (mark in doors, "") if doors else (None, OF_ADVOCATE)


def _began(row: Referral) -> datetime:
    """From when on orders are a friend's."""
    assert row.claimed_at is not None
    return row.claimed_at.replace(microsecond=0) - _SKEW


def _doors(book: Book, advocate: Account) -> set[str]:
    """Marks of the addresses that the advocate's orders went to."""
    marks = (record.snapshot.address_mark for record in book.load_orders_of(advocate))
    return {mark for mark in marks if mark is not None}


def _same_person(advocate: Account, friend: Account) -> tuple[bool | None, str]:
    """Whether the two are one account or have one e-mail address; None where one of them has none, and who that is."""
    if advocate is friend:
        return True, ""
    friends, own = comparable(friend.email), comparable(advocate.email)
    if friends is None or own is None:
        return None, OF_FRIEND if friends is None else OF_ADVOCATE
    return friends == own, ""


def _was_customer(book: Book, row: Referral, person: Account) -> bool:
    """Whether somebody had bought here before the claim (as a guest, too), or had an account for longer than a day."""
    began = _began(row)
    if person.joined_at is not None and person.joined_at < began - _NEW_ACCOUNT:
        return True
    return any(
        record.snapshot.created_at < began and not record.snapshot.test and not record.snapshot.cancelled
        for record in book.load_orders_of(person)
    )


def _is_taken(book: Book, row: Referral, friend_id: int) -> bool:
    """Whether another claim of this friend came first. One that was blocked takes nobody's place."""
    others = book.session.exec(
        select(Referral).where(
            Referral.friend_id == friend_id,
            Referral.id != row.id,
            Referral.state != BLOCKED,
            col(Referral.claimed_at).is_not(None),
        )
    ).all()
    assert row.claimed_at is not None
    mine = (row.claimed_at, row.key)
    return any(other.claimed_at is not None and (other.claimed_at, other.key) < mine for other in others)


def _others(book: Book, row: Referral, advocate_id: int) -> tuple[datetime, ...]:
    found = book.session.exec(
        select(Referral.ordered_at).where(
            Referral.advocate_id == advocate_id,
            Referral.id != row.id,
            col(Referral.state).in_((ORDERED, COMPLETED)),
        )
    ).all()
    return tuple(at for at in found if at is not None)
