"""What lies ahead of one member, for pages: tier, what is pending, what ends when."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, select

from loyalty.models import Member


@dataclass(frozen=True, slots=True)
class Ahead:
    """See ``loyalty.models.Member`` for the meaning of each."""

    pending: int
    tier: str | None
    tier_since: datetime | None
    tier_until: datetime | None
    hand_tier: str | None
    hand_tier_until: datetime | None
    hand_tier_by: str | None
    next_tier: str | None
    next_tier_distance: Decimal | None
    expires_at: datetime | None
    expiring_points: int


_NAMES = tuple(Ahead.__dataclass_fields__)


def ahead(session: Session, shop_id: int, member_id: int) -> Ahead:
    """What lies ahead of a member who is there."""
    columns = (getattr(Member, name) for name in _NAMES)
    row = session.execute(
        select(*columns).where(col(Member.id) == member_id, col(Member.shop_id) == shop_id)
    ).one()
    return Ahead(*row)
