"""Remembers what a merge moves, before it moves it, so that it can be taken back. By numbers: what they stand for is in their own rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select

from loyalty.book.book import Book
from loyalty.book.records import Account
from loyalty.core.standing import Award
from loyalty.models import LedgerEntry, MemberDevice, MemberMerge, Referral, Review, RewardIssue


def remember(book: Book, source: Account, target: Account) -> MemberMerge:
    """A row about a merge that is about to be; the caller adds it when it is complete. Both histories are loaded."""
    assert source.id is not None
    assert target.id is not None
    in_hand = {order.order_id for order in book.orders.values() if order.account is source}
    return MemberMerge(
        shop_id=book.shop_id,
        source_id=source.id,
        target_id=target.id,
        points=source.balance,
        email=source.email,
        merged_at=book.now,
        moved={
            "orders": sorted(source.orders.keys() | in_hand),
            "awards": [award_names(award) for award in source.awards.values()],
            "reviews": _ids(book, Review.id, Review.member_id, source.id),
            "issues": _ids(book, RewardIssue.id, RewardIssue.member_id, source.id),
            "advocate_of": _ids(book, Referral.id, Referral.advocate_id, source.id),
            "friend_of": _ids(book, Referral.id, Referral.friend_id, source.id),
            "devices": _ids(book, MemberDevice.id, MemberDevice.member_id, source.id),
            "state": source.state,
            "entries_before": target.entry_count + len(target.unwritten),
            "gives_email": target.email is None and source.email is not None,
            "gives_birthday": target.birthday is None and source.birthday is not None,
            "gives_consent": target.subscribed_at is None and source.subscribed_at is not None,
            "joined_at": target.joined_at.isoformat() if target.joined_at is not None else None,
        },
    )


def times_moved(book: Book, source_id: int, target_id: int) -> int:
    """How many times points of the one were moved to the other before: a merge that was taken back can happen again."""
    statement = select(func.count()).where(
        LedgerEntry.shop_id == book.shop_id,
        LedgerEntry.source_kind == "merge",
        LedgerEntry.source_ref == f"{source_id}-{target_id}",
        LedgerEntry.rule == "merge_out",
    )
    return int(book.session.exec(statement).one())


def was_taken_back(book: Book, source: Account, target: Account, *, merged_at: datetime) -> bool:
    """Whether staff took this merge back after it happened: being told of it once more brings it about no second time."""
    statement = select(MemberMerge.id).where(
        MemberMerge.source_id == source.id,
        MemberMerge.target_id == target.id,
        col(MemberMerge.undone_at) >= merged_at,
    )
    return source.id is not None and book.session.exec(statement).first() is not None


def award_names(award: Award) -> list[str]:
    """An award's business key, as plain values."""
    return [award.source.kind, award.source.ref, award.rule]


def _ids(book: Book, key: Any, column: Any, member_id: int) -> list[Any]:
    return list(book.session.exec(select(key).where(column == member_id).order_by(key)))
