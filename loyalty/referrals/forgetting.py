"""What of referrals goes. When a person is erased: devices, networks, and the marks of where orders went; the referrals stay, for they
name nobody, and the advocate's points rest on them. With time: invitations that nobody took up, and whom they were sent to."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, update
from sqlmodel import Session, col, select

from loyalty.core.decide.referrals import SHARED
from loyalty.models import (
    AwardRow,
    ImportRow,
    Member,
    MemberDevice,
    OrderStanding,
    Referral,
    Review,
    RewardIssue,
)

# Whoever was invited has agreed to nothing: an address is not kept for ever because somebody typed it.
KEEP_INVITATIONS = timedelta(days=90)
_UNSEEN = {"synchronize_session": False}
_AT_ONCE = 500


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


def forget_invitations(session: Session, *, now: datetime) -> int:
    """Drop invitations that nobody took up for long, and the addresses of those who are nothing but invited. Returns how many there
    were; fewer than 500 means that none is left."""
    old = (
        select(Referral.id, Referral.friend_id)
        .where(Referral.state == SHARED, col(Referral.shared_at) < now - KEEP_INVITATIONS)
        .order_by(col(Referral.id))
        .limit(_AT_ONCE)
    )
    found = session.exec(old).all()
    if not found:
        return 0
    # Somebody may take an offer up at this very moment.
    dropped = delete(Referral).where(
        col(Referral.id).in_([row_id for row_id, _ in found]), col(Referral.state) == SHARED
    )
    session.execute(dropped, execution_options=_UNSEEN)
    forgotten = (
        update(Member)
        .where(
            col(Member.id).in_([friend_id for _, friend_id in found]),
            col(Member.state) == "guest",
            col(Member.joined_at).is_(None),
            col(Member.entry_count) == 0,
            *(~exists().where(col(table.member_id) == col(Member.id)) for table in _KNOWN_BY),
            ~exists().where(col(Referral.friend_id) == col(Member.id)),
            ~exists().where(col(Member.id) == col(Referral.advocate_id)),
        )
        .values(email=None, first_name=None, last_name=None, state="redacted", updated_at=now)
    )
    session.execute(forgotten, execution_options=_UNSEEN)
    return len(found)


_KNOWN_BY: tuple[Any, ...] = (OrderStanding, AwardRow, Review, RewardIssue, ImportRow)
