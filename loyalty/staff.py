"""Points given or taken by the merchant's staff."""

from datetime import datetime

from sqlmodel import Session

from loyalty.book import Book
from loyalty.core.decide import Standing, decide_adjustment
from loyalty.core.facts import PointsAdjusted
from loyalty.core.ledger import Source
from loyalty.models import Member, Shop


def adjust(
    session: Session, shop: Shop, member: Member, fact: PointsAdjusted, *, now: datetime
) -> frozenset[str]:
    """Post an adjustment once per ``fact.key``. Raises ``AdjustmentRefused``. Returns the channels that have something to send."""
    assert member.id is not None
    book = Book(session, shop, now=now)
    book.load_members([member.id])
    source = Source("staff", fact.key)
    book.load_posted([source])
    account = book.account(member.id)
    total, count = book.posted(source)
    standing = Standing(account.balance, joined=account.joined_at is not None, posted=total, postings=count)
    decision = decide_adjustment(standing, fact, book.program)
    book.post(account, decision.entries, decision.news)
    return book.write()
