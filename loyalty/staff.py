"""What the merchant's staff give and take by hand: points, and tiers."""

from datetime import datetime

import structlog
from sqlmodel import Session

from loyalty.book import Account, Book
from loyalty.book.reading import posted_by
from loyalty.book.records import ALIVE
from loyalty.core.decide import decide_adjustment, staff_source
from loyalty.core.facts import PointsAdjusted
from loyalty.core.standing import HandTier
from loyalty.models import Member, Shop
from loyalty.points.climbing import climb
from loyalty.points.settling import catch_up

log = structlog.get_logger(__name__)


class AdjustmentRepeated(Exception):
    """The key has been used, for other points or with another text. ``points``: how many it gave (or took) then."""

    def __init__(self, points: int) -> None:
        super().__init__(points)
        self.points = points


class TierRefused(Exception):
    """A tier cannot be given. ``code``: unknown_tier, ends_in_the_past, or gone (there is nobody to give it to)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def adjust(
    session: Session, shop: Shop, member: Member, fact: PointsAdjusted, *, now: datetime
) -> frozenset[str]:
    """Post an adjustment once per ``fact.key``. Raises ``AdjustmentRefused``, and ``AdjustmentRepeated`` when the key comes again with
    something else: whoever lost the first answer has to learn what became of it. Returns the channels that have something to send."""
    book, account = _open(session, shop, member, now)
    posted = posted_by(session, book.shop_id, staff_source(fact.key))
    if posted is None:
        book.apply(account, decide_adjustment(account, fact, book.program))
    elif posted != (fact.points, fact.note):
        raise AdjustmentRepeated(posted[0])
    return book.write()


def set_tier(
    session: Session,
    shop: Shop,
    member: Member,
    tier: str | None,
    *,
    ends_at: datetime | None = None,
    staff: str,
    now: datetime,
) -> frozenset[str]:
    """Give a member a tier by hand until ``ends_at`` (for ever, when that is None), whatever was reached; None lets what was reached hold
    again. ``staff`` is kept with the tier. Raises ``TierRefused``. Returns the channels that have something to send."""
    book, account = _open(session, shop, member, now)
    if account.state not in ALIVE:
        raise TierRefused("gone")
    if tier is not None and (book.program.tiers is None or book.program.tiers.tier(tier) is None):
        raise TierRefused("unknown_tier")
    if tier is not None and ends_at is not None and ends_at <= now:
        raise TierRefused("ends_in_the_past")
    account.hand_tier = HandTier(tier, now, ends_at) if tier is not None else None
    account.hand_tier_by = staff if tier is not None else None
    account.changed = True
    climb(book, account)
    log.info("tier_set_by_hand", shop_id=book.shop_id, member_id=account.id, tier=tier, staff=staff)
    return book.write()


def _open(session: Session, shop: Shop, member: Member, now: datetime) -> tuple[Book, Account]:
    """The member's account, settled up to now."""
    assert member.id is not None
    book = Book(session, shop, now=now)
    book.load_members([member.id])
    catch_up(book, book.accounts())
    return book, book.account(member.id)
