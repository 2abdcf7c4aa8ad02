"""Who is next, and one batch of members, settled in its caller's transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from loyalty import referrals
from loyalty.book import Book
from loyalty.book.records import ALIVE
from loyalty.core.decide import decide_tier
from loyalty.models import Member, RewardIssue, Shop
from loyalty.points.following import follow
from loyalty.points.settling import settle_accounts

BATCH = 500
_LATE = timedelta(hours=1)


def due_members(
    session: Session, shop_id: int, *, at: datetime, limit: int = BATCH, without: Collection[int] = ()
) -> list[int]:
    """The members for whom something is due, whoever has waited longest first."""
    due = (
        select(Member.id)
        .where(Member.shop_id == shop_id, col(Member.calendar_due) <= at)
        .order_by(col(Member.calendar_due), col(Member.id))
        .limit(limit)
    )
    if without:
        due = due.where(col(Member.id).not_in(without))
    return [member_id for member_id in session.exec(due).all() if member_id is not None]


def shops_with_due(session: Session, *, now: datetime) -> list[int]:
    """The shops that have the app and in which something is due for somebody."""
    due = select(Member.id).where(Member.shop_id == Shop.id, col(Member.calendar_due) <= now).exists()
    found = session.exec(select(Shop.id).where(col(Shop.uninstalled_at).is_(None), due))
    with_referrals = referrals.shops_with_due(session, at=now)
    return sorted({shop_id for shop_id in (*found, *with_referrals) if shop_id is not None})


def count_behind(session: Session, *, now: datetime) -> int:
    """For how many members, in shops that have the app, something is due for more than an hour: by then a job should have been there."""
    installed = select(Shop.id).where(col(Shop.uninstalled_at).is_(None))
    waiting = (col(Member.calendar_due) <= now - _LATE, col(Member.shop_id).in_(installed))
    return session.exec(select(func.count()).select_from(Member).where(*waiting)).one()


def settle_members(
    session: Session,
    shop: Shop,
    member_ids: Sequence[int],
    *,
    at: datetime,
    now: datetime,
    climbs: bool = False,
) -> frozenset[str]:
    """Settle members up to ``at``; ``climbs``: reckon their tiers anew too. Returns the outbox channels that have something to send."""
    book = Book(session, shop, now=now)
    _lock_rewards(session, member_ids)
    book.load_members(member_ids)
    asked = set(member_ids)
    accounts = [account for account in book.accounts() if account.id in asked]
    settle_accounts(book, accounts, at)
    for account in accounts:
        if account.state not in ALIVE:
            account.calendar_due, account.changed = None, True
        elif climbs:
            # Whoever was settled under the new version already still has the tier that the old one gave.
            follow(book, account, decide_tier(account, book.program, at, history=True))
    return book.write()


def _lock_rewards(session: Session, member_ids: Sequence[int]) -> None:
    """Rewards are locked before members, as everywhere where both are."""
    session.exec(
        select(RewardIssue.id)
        .where(
            col(RewardIssue.member_id).in_(member_ids),
            RewardIssue.state == "issued",
            col(RewardIssue.expires_at).is_not(None),
        )
        .order_by(col(RewardIssue.id))
        .with_for_update()
    ).all()
