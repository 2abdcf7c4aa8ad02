"""The word of staff: a referral that a check blocked is approved, or one that every check let through is blocked."""

from datetime import datetime

from sqlmodel import Session, col

from loyalty.book import Book
from loyalty.core.decide.referrals import APPROVED, BLOCKED, SHARED
from loyalty.models import Referral, Shop
from loyalty.referrals.finding import locked_rows
from loyalty.referrals.problem import ReferralRefused
from loyalty.referrals.settling import Ready, settle

RULINGS = (APPROVED, BLOCKED)


def rule(
    session: Session, shop: Shop, ready: Ready, referral_id: int, ruling: str, *, staff: str, now: datetime
) -> frozenset[str]:
    """Write down who said what, and judge the referral by it. Returns the outbox channels that have something to send.

    Raises ``ReferralRefused`` (not_found; not_available for an invitation that nobody took up).
    """
    assert ruling in RULINGS
    book = Book(session, shop, now=now)
    found = locked_rows(book, col(Referral.id) == referral_id)
    if not found:
        raise ReferralRefused("not_found")
    row = found[0]
    if row.state == SHARED:
        raise ReferralRefused("not_available")
    row.ruling, row.ruled_by, row.ruled_at = ruling, staff, now
    settle(book, [row], ready)
    return book.write()
