"""Referrals: one row per friend that a member brings, and the devices that members were seen on."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Json, UtcDateTime


class Referral(SQLModel, table=True):
    """A friend that a member (the advocate) brings. It names both by their rows only, so it holds nothing personal of its own.

    ``key`` names it outside and in the ledger. ``state`` and ``reason`` are what ``loyalty.core.decide.referrals`` judged last, ``checks`` what each check said. The claim's program
    version decides for ever. ``order_id`` is the order that the advocate is rewarded for, ``due_at`` when its hold is over,
    ``coupon_orders`` are all orders that carried the friend's code. ``ruling`` (``approved`` or ``blocked``) is what staff said, by whom and
    when. ``device`` and ``network`` are salted hashes.
    """

    __table_args__ = (
        UniqueConstraint("shop_id", "key"),
        Index("ix_referral_shop_id_id", "shop_id", "id"),
        Index("ix_referral_advocate_id", "advocate_id", "id"),
        Index("ix_referral_friend_id", "friend_id"),
        Index("ix_referral_shop_id_network", "shop_id", "network", "claimed_at"),
        Index("ix_referral_due_at", "shop_id", "state", "due_at"),
        Index("ix_referral_friend_issue_id", "friend_issue_id"),
        Index("ix_referral_advocate_issue_id", "advocate_issue_id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    key: str
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    advocate_id: int = Field(foreign_key="member.id", sa_type=BigId)
    friend_id: int = Field(foreign_key="member.id", sa_type=BigId)
    state: str
    reason: str = ""
    checks: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    program_version: int
    shared_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claimed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    order_id: int | None = Field(default=None, sa_type=BigId)
    ordered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    completed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    coupon_orders: list[int] = Field(default_factory=list, sa_type=Json)
    friend_issue_id: str | None = None
    advocate_issue_id: str | None = None
    ruling: str = ""
    ruled_by: str = ""
    ruled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    device: str | None = None
    network: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class MemberDevice(SQLModel, table=True):
    """A browser that a member was seen on, as a salted hash. It is compared with those of the friends that the member brought."""

    __tablename__ = "member_device"
    __table_args__ = (UniqueConstraint("member_id", "device"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId, index=True)
    member_id: int = Field(foreign_key="member.id", sa_type=BigId)
    device: str
    seen_at: datetime = Field(sa_type=UtcDateTime)
