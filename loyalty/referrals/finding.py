"""Finds referrals: those whose hold is over, those of a friend, those by a code; and locks them in the one order that all share."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, select

from loyalty.book import Book, OrderRecord
from loyalty.core.decide.referrals import ADDRESS, OF_ADVOCATE, ORDERED, UNKNOWN
from loyalty.models import Referral, RewardIssue, Shop

BATCH = 200


def shops_with_due(session: Session, *, at: datetime) -> list[int]:
    """The shops that have the app and in which the hold of a referral is over."""
    installed = select(Shop.id).where(col(Shop.uninstalled_at).is_(None))
    due = select(Referral.shop_id).distinct().where(*is_due(at), col(Referral.shop_id).in_(installed))
    return list(session.exec(due).all())


def due_referrals(
    session: Session, shop_id: int, *, at: datetime, most: int = BATCH, without: Collection[int] = ()
) -> list[int]:
    """The referrals of a shop whose hold is over at an instant, whichever ended first."""
    found = select(Referral.id).where(Referral.shop_id == shop_id, *is_due(at))
    if without:
        found = found.where(col(Referral.id).not_in(without))
    found = found.order_by(col(Referral.due_at), col(Referral.id)).limit(most)
    return [row_id for row_id in session.exec(found).all() if row_id is not None]


def locked_rows(book: Book, *either: ColumnElement[bool]) -> list[Referral]:
    """Referrals of the shop that meet one of the conditions, and nobody else's to change until the transaction ends: first their people,
    then they themselves. Each condition is asked for itself: together they would keep SQLite from using the index of either."""
    who = select(Referral.id, Referral.shop_id, Referral.advocate_id, Referral.friend_id)
    named = [row for condition in either for row in book.session.exec(who.where(condition)).all()]
    mine = {row[0]: row for row in named if row[1] == book.shop_id}
    if not mine:
        return []
    book.load_members({row[2] for row in mine.values()} | {row[3] for row in mine.values()})
    # What was true a moment ago may have ended while we waited for the people.
    still = (col(Referral.id).in_(mine), or_(*either))
    statement = select(Referral).where(*still).order_by(col(Referral.id)).with_for_update()
    return list(book.session.exec(statement.execution_options(populate_existing=True)).all())


def keyed(book: Book, keys: Collection[str]) -> ColumnElement[bool]:
    """Those of the shop with these keys."""
    return and_(col(Referral.shop_id) == book.shop_id, col(Referral.key).in_(keys))


def orders_by_code(book: Book, records: Sequence[OrderRecord]) -> dict[str, list[int]]:
    """The orders by the referral whose friend's code they carry."""
    codes = {code.upper(): r.order_id for r in records for code in r.snapshot.discount_codes}
    if not codes:
        return {}
    found = book.session.exec(
        select(Referral.key, RewardIssue.code)
        .join(RewardIssue, col(RewardIssue.id) == col(Referral.friend_issue_id))
        .where(Referral.shop_id == book.shop_id, col(RewardIssue.code).in_(codes))
    ).all()
    by_code: dict[str, list[int]] = {}
    for key, code in found:
        by_code.setdefault(key, []).append(codes[code or ""])
    return by_code


def used_codes(book: Book, advocate_ids: Collection[int]) -> list[int]:
    """The referrals by these members whose friend's code was used."""
    theirs = select(Referral.id, Referral.coupon_orders).where(col(Referral.advocate_id).in_(advocate_ids))
    return [row_id for row_id, orders in book.session.exec(theirs).all() if row_id is not None and orders]


def without_door(book: Book, advocate_ids: Collection[int]) -> list[int]:
    """The referrals on hold by these members of whom no address was known when they were judged."""
    theirs = select(Referral.id, Referral.checks).where(
        col(Referral.advocate_id).in_(advocate_ids), Referral.state == ORDERED
    )
    found = book.session.exec(theirs).all()
    return [row_id for row_id, checks in found if row_id is not None and any(map(_lacks_door, checks))]


def _lacks_door(told: dict[str, Any]) -> bool:
    # What was judged long ago does not say of whom none was known.
    is_blind = (told["check"], told["result"]) == (ADDRESS, UNKNOWN)
    return is_blind and bool(told.get("missing", OF_ADVOCATE) == OF_ADVOCATE)


def is_due(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """Those whose hold is over at an instant."""
    return (col(Referral.state) == ORDERED, col(Referral.due_at) <= at)
