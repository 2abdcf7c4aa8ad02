"""What of referrals goes when a person is erased. The rows stay: they name nobody, and the advocate's points rest on them."""

from collections.abc import Collection

from sqlalchemy import delete, update
from sqlmodel import Session, col

from loyalty.models import MemberDevice, Referral


def forget(session: Session, member_ids: Collection[int]) -> None:
    """Drop the devices and networks of these members."""
    session.execute(delete(MemberDevice).where(col(MemberDevice.member_id).in_(member_ids)))
    session.execute(
        update(Referral)
        .where(col(Referral.friend_id).in_(member_ids))
        .values(device=None, network=None)
        .execution_options(synchronize_session=False)
    )
