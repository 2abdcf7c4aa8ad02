"""What of referrals goes when a person is erased: devices, networks, and the marks of where orders went. The referrals stay: they name
nobody, and the advocate's points rest on them."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from loyalty.models import MemberDevice, OrderStanding, Referral

_UNSEEN = {"synchronize_session": False}


def forget(session: Session, member_ids: Collection[int]) -> None:
    """Drop what could still be compared with these members."""
    devices = delete(MemberDevice).where(col(MemberDevice.member_id).in_(member_ids))
    session.execute(devices, execution_options=_UNSEEN)
    of_friend = update(Referral).where(col(Referral.friend_id).in_(member_ids))
    session.execute(of_friend.values(device=None, network=None), execution_options=_UNSEEN)
    orders = select(OrderStanding.id, OrderStanding.snapshot).where(
        col(OrderStanding.member_id).in_(member_ids)
    )
    marked: list[dict[str, Any]] = [
        {"id": row_id, "snapshot": {name: said for name, said in snapshot.items() if name != "address_mark"}}
        for row_id, snapshot in session.exec(orders).all()
        if "address_mark" in snapshot
    ]
    if marked:
        session.execute(update(OrderStanding), marked, execution_options=_UNSEEN)
