"""A friend takes up a member's offer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from loyalty.book import Account, Book
from loyalty.core.decide.referrals import CLAIMED, SHARED
from loyalty.core.moments import day_of
from loyalty.models import Referral, Shop
from loyalty.referrals.codes import advocate_of
from loyalty.referrals.devices import note_device
from loyalty.referrals.problem import ReferralRefused
from loyalty.referrals.settling import settle

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
# A household, an office or a school is one network; a machine that tries addresses is one too.
MOST_PER_NETWORK = 20
MOST_PER_ADVOCATE = 200


@dataclass(frozen=True, slots=True)
class ReferralClaimed:
    """Somebody with this e-mail took up the offer behind a code. ``key`` names the referral that this may become; ``device`` and
    ``network`` are salted hashes of where the claim came from."""

    key: str
    code: str
    email: str = field(repr=False)
    claimed_at: datetime
    device: str | None = None
    network: str | None = None


def claim(
    session: Session, shop: Shop, fact: ReferralClaimed, *, now: datetime
) -> tuple[Referral, frozenset[str]]:
    """Record a claim and judge it: the friend's reward follows unless a check blocks it. The same friend's claim of the same member's
    offer is the same referral, however often it is made. Returns it with the outbox channels that have something to send.

    Raises ``ReferralRefused`` (no_referrals, also on days and for members that the program leaves out; unknown_code, too_many).
    """
    assert shop.id is not None
    book = Book(session, shop, now=now)
    terms, today = book.program.referrals, day_of(now, book.program.timezone)
    if terms is None:
        raise ReferralRefused("no_referrals")
    found = advocate_of(session, shop.id, fact.code)
    if found is None or found.id is None:
        raise ReferralRefused("unknown_code")
    # The advocate first: two claims of one offer take turns, and the second one meets the friend whom the first one made.
    book.load_members((found.id,))
    book.load_people((), (fact.email,))
    advocate = book.account(found.id)
    friend = book.by_email(fact.email) or book.open_account(None, fact.email)
    book.ensure_ids()
    row = _known(session, advocate, friend)
    if row is None or row.state == SHARED:
        if terms.closed(today, advocate.tier) is not None:
            raise ReferralRefused("no_referrals")
        _refuse_too_many(session, shop.id, advocate, fact, now)
        row = row or _new(book, advocate, friend, fact.key, now=now)
        row.state, row.claimed_at = CLAIMED, _in_turn(session, friend, fact.claimed_at)
        row.program_version, row.device, row.network = book.program.version, fact.device, fact.network
        session.add(row)
        session.flush()
        if fact.device is not None and friend is not advocate:
            note_device(session, shop.id, friend.id or 0, fact.device, now=now)
        settle(book, [row], _nobody)
    return row, book.write()


def _in_turn(session: Session, friend: Account, claimed_at: datetime) -> datetime:
    """When a claim counts as made: never before one that was recorded before it, whatever two clocks say."""
    latest = select(func.max(Referral.claimed_at)).where(Referral.friend_id == friend.id)
    before = session.exec(latest).one()
    return claimed_at if before is None or before < claimed_at else before + timedelta(microseconds=1)


def _nobody(_book: Book, _accounts: Sequence[Account], _at: datetime) -> None:
    """A claim moves nobody's points."""


def _known(session: Session, advocate: Account, friend: Account) -> Referral | None:
    """The referral of this friend by this member; the earliest claim, should a merge have made two of it."""
    rows = session.exec(
        select(Referral)
        .where(Referral.advocate_id == advocate.id, Referral.friend_id == friend.id)
        .order_by(col(Referral.id))
        .with_for_update()
    ).all()
    return min(rows, key=lambda row: (row.claimed_at is None, row.claimed_at or row.created_at), default=None)


def _new(book: Book, advocate: Account, friend: Account, key: str, *, now: datetime) -> Referral:
    assert advocate.id is not None
    assert friend.id is not None
    return Referral(
        key=key,
        shop_id=book.shop_id,
        advocate_id=advocate.id,
        friend_id=friend.id,
        state=CLAIMED,
        program_version=book.program.version,
        created_at=now,
        updated_at=now,
    )


def _refuse_too_many(
    session: Session, shop_id: int, advocate: Account, fact: ReferralClaimed, now: datetime
) -> None:
    count = select(func.count()).select_from(Referral).where(Referral.shop_id == shop_id)
    of_member = count.where(Referral.advocate_id == advocate.id, col(Referral.claimed_at) > now - _DAY)
    if session.exec(of_member).one() >= MOST_PER_ADVOCATE:
        raise ReferralRefused("too_many")
    if fact.network is not None:
        near = count.where(Referral.network == fact.network, col(Referral.claimed_at) > now - _HOUR)
        if session.exec(near).one() >= MOST_PER_NETWORK:
            raise ReferralRefused("too_many")
