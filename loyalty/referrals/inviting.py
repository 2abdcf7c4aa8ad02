"""A member sends invitations. What is sent, and whether anything is, is up to the flows that the merchant has at Klaviyo."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from loyalty.book import Account, Book
from loyalty.core.decide.referrals import SHARED
from loyalty.core.moments import day_of
from loyalty.core.referrals import comparable
from loyalty.models import Member, Referral, Shop
from loyalty.referrals.problem import ReferralRefused
from loyalty.referrals.telling import tell_shared

MOST_AT_ONCE = 10
_MOST_PER_DAY = 50


def share(
    session: Session,
    shop: Shop,
    member: Member,
    emails: Sequence[str],
    *,
    new_key: Callable[[], str],
    now: datetime,
) -> frozenset[str]:
    """Invite these people, each once per member. Who is the member's own self, is known to the shop as a customer, or was invited or
    brought before hears nothing. Returns the outbox channels that have something to send. Raises ``ReferralRefused``."""
    assert shop.id is not None
    assert member.id is not None
    book = Book(session, shop, now=now)
    program = book.program
    if program.referrals is None:
        raise ReferralRefused("no_referrals")
    book.load_members((member.id,))
    book.load_people((), emails)
    advocate = book.account(member.id)
    if advocate.state != "member":
        raise ReferralRefused("not_available")
    closed = program.referrals.closed(day_of(now, program.timezone), advocate.tier)
    if closed is not None:
        raise ReferralRefused(closed)
    if len(emails) > MOST_AT_ONCE or _sent_today(session, advocate, now) + len(emails) > _MOST_PER_DAY:
        raise ReferralRefused("too_many")
    friends = [friend for email in dict.fromkeys(emails) if (friend := _friend(book, advocate, email))]
    book.ensure_ids()
    for friend in friends:
        if _is_new(session, advocate, friend):
            row = _invitation(book, advocate, friend, new_key())
            session.add(row)
            tell_shared(book, row, program, program.referrals, at=now)
    session.flush()
    return book.write()


def _friend(book: Book, advocate: Account, email: str) -> Account | None:
    """Whom to invite; opened as a guest when nobody is known by the address. None: nobody."""
    if comparable(email) == comparable(advocate.email):
        return None
    known = book.by_email(email)
    if known is None:
        return book.open_account(None, email)
    is_customer = known.joined_at is not None or known.last_order_at is not None
    return None if known is advocate or is_customer or known.state != "guest" else known


def _invitation(book: Book, advocate: Account, friend: Account, key: str) -> Referral:
    assert advocate.id is not None
    assert friend.id is not None
    return Referral(
        key=key,
        shop_id=book.shop_id,
        advocate_id=advocate.id,
        friend_id=friend.id,
        state=SHARED,
        program_version=book.program.version,
        shared_at=book.now,
        created_at=book.now,
        updated_at=book.now,
    )


def _is_new(session: Session, advocate: Account, friend: Account) -> bool:
    known = select(Referral.id).where(
        Referral.friend_id == friend.id,
        (col(Referral.advocate_id) == advocate.id) | col(Referral.claimed_at).is_not(None),
    )
    return session.exec(known.limit(1)).first() is None


def _sent_today(session: Session, advocate: Account, now: datetime) -> int:
    return session.exec(
        select(func.count())
        .select_from(Referral)
        .where(Referral.advocate_id == advocate.id, col(Referral.shared_at) > now - timedelta(days=1))
    ).one()
