"""The word of staff: a referral that a check blocked is approved, or one that every check let through is blocked."""

from datetime import datetime

from sqlmodel import Session, select

from loyalty.book import Book
from loyalty.core.decide.referrals import APPROVED, BLOCKED, SHARED
from loyalty.models import Referral, Shop
from loyalty.referrals.problem import ReferralRefused
from loyalty.referrals.settling import settle

RULINGS = (APPROVED, BLOCKED)


def rule(
    session: Session, shop: Shop, referral_id: int, ruling: str, *, staff: str, now: datetime
) -> frozenset[str]:
    """Write down who said what, and judge the referral by it. Returns the outbox channels that have something to send.

    Raises ``ReferralRefused`` (not_found; not_available for an invitation that nobody took up).
    """
    assert ruling in RULINGS
    book = Book(session, shop, now=now)
    row = session.exec(
        select(Referral).where(Referral.id == referral_id, Referral.shop_id == shop.id).with_for_update()
    ).first()
    if row is None:
        raise ReferralRefused("not_found")
    if row.state == SHARED:
        raise ReferralRefused("not_available")
    row.ruling, row.ruled_by, row.ruled_at = ruling, staff, now
    settle(book, [row])
    return book.write()
