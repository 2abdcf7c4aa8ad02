"""One row per merge of two members: what it moved, so that it can be taken back."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Json, Points, UtcDateTime


class MemberMerge(SQLModel, table=True):
    """``source_id`` became a part of ``target_id``.

    ``points`` were carried over, and ``email`` was the address of ``source_id``. ``moved`` lists what changed hands: orders, awards, reviews,
    rewards, referrals, what was taken back as given twice, and which of the two gave what they are known by as one person; by numbers, no
    name. ``undone_by`` is the staff who took it back.
    """

    __tablename__ = "member_merge"
    __table_args__ = (
        Index("ix_member_merge_shop_id_source_id", "shop_id", "source_id"),
        Index("ix_member_merge_target_id", "target_id"),
        Index("ix_member_merge_source_id", "source_id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    source_id: int = Field(foreign_key="member.id", sa_type=BigId)
    target_id: int = Field(foreign_key="member.id", sa_type=BigId)
    points: int = Field(sa_type=Points)
    email: str | None = None
    moved: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    merged_at: datetime = Field(sa_type=UtcDateTime)
    undone_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    undone_by: str = ""
