"""The browsers that members were seen on, as salted hashes, and whether a friend's is one of them."""

from datetime import datetime

from sqlmodel import Session, col, select

from loyalty import outbox
from loyalty.core.decide.referrals import OF_ADVOCATE, OF_FRIEND
from loyalty.models import MemberDevice, Referral


def note_device(session: Session, shop_id: int, member_id: int, device: str, *, now: datetime) -> None:
    """Remember that a member was seen on a device. Saying it again changes nothing."""
    values = {"shop_id": shop_id, "member_id": member_id, "device": device, "seen_at": now}
    session.execute(outbox.insert_or_ignore(session, MemberDevice).values(values))


def device_matches(
    session: Session, referral: Referral, *, advocate_id: int, friend_id: int
) -> tuple[bool | None, str]:
    """Whether the friend's device is the advocate's own, or that of another friend whom the advocate brought. None where it cannot be told,
    and of whom no device is known."""
    if referral.device is None:
        return None, OF_FRIEND
    circle = select(Referral.friend_id).where(Referral.advocate_id == advocate_id)
    found = session.exec(
        select(MemberDevice.id)
        .where(
            MemberDevice.shop_id == referral.shop_id,
            MemberDevice.device == referral.device,
            MemberDevice.member_id != friend_id,
            (col(MemberDevice.member_id) == advocate_id) | col(MemberDevice.member_id).in_(circle),
        )
        .limit(1)
    ).first()
    if found is not None:
        return True, ""
    own = session.exec(select(MemberDevice.id).where(MemberDevice.member_id == advocate_id).limit(1)).first()
    return (False, "") if own is not None else (None, OF_ADVOCATE)
