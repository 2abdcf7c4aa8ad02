"""Points given or taken by the merchant's staff."""

from datetime import datetime

from sqlmodel import Session

from loyalty.book import Book
from loyalty.book.reading import source_posted
from loyalty.core.decide import decide_adjustment, staff_source
from loyalty.core.facts import PointsAdjusted
from loyalty.models import Member, Shop


def adjust(
    session: Session, shop: Shop, member: Member, fact: PointsAdjusted, *, now: datetime
) -> frozenset[str]:
    """Post an adjustment once per ``fact.key``. Raises ``AdjustmentRefused``. Returns the channels that have something to send."""
    assert member.id is not None
    book = Book(session, shop, now=now)
    book.load_members([member.id])
    if not source_posted(session, book.shop_id, staff_source(fact.key)):
        account = book.account(member.id)
        book.apply(account, decide_adjustment(account, fact, book.program))
    return book.write()
