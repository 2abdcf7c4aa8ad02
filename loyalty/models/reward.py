"""One row per reward that a member asked for."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Json, Money, Points, UtcDateTime


class RewardIssue(SQLModel, table=True):
    """What a member got, or is getting, for points or as a gift.

    ``state``: ``issuing`` (points taken, code on its way), ``issued``, ``used``, ``expired``, ``cancelling`` (the code is being made unusable),
    ``cancelled`` (its points came back) or ``failed`` (it could not be made and the points went back). ``kind`` and ``terms`` are the
    reward as the program had it then (``loyalty.core.document.render_reward``). ``given_for`` says what a gift was for (``birthday``, ``tier``,
    ``referral``), None when it was paid with points. ``bound``: whether only this customer may use the code. ``request_key`` is the caller's idempotency key. ``code`` is deterministic
    (``shopify_app.discounts``), so a second attempt finds the first one's discount.
    """

    __tablename__ = "reward_issue"
    __table_args__ = (
        UniqueConstraint("member_id", "request_key"),
        UniqueConstraint("shop_id", "code"),
        Index("ix_reward_issue_member_id_created_at", "member_id", "created_at"),
    )

    id: str = Field(primary_key=True)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    member_id: int = Field(foreign_key="member.id", sa_type=BigId)
    request_key: str
    reward: str
    title: str
    points: int = Field(sa_type=Points)
    kind: str = "amount_off"
    terms: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    given_for: str | None = None
    bound: bool = True
    amount: Decimal = Field(sa_type=Money)
    currency: str
    minimum_subtotal: Decimal | None = Field(default=None, sa_type=Money)
    program_version: int
    state: str = "issuing"
    code: str | None = None
    discount_id: str | None = None
    failure: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    issued_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cancelled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    used_order_id: int | None = Field(default=None, sa_type=BigId)
