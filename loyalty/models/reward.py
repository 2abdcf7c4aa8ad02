"""One row per reward that a member asked for."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Json, Money, Points, UtcDateTime


class RewardIssue(SQLModel, table=True):
    """What a member got, or is getting, for points or as a gift.

    ``state``: ``issuing`` (points taken, Shopify is being asked), ``issued``, ``used``, ``expired``, ``cancelling`` (the code is being made
    unusable), ``cancelled`` (its points came back) or ``failed`` (it could not be made and the points went back). What is ``issuing`` with
    a ``failure`` waits for a person.

    ``kind`` and ``terms`` are the reward as the program had it then (``loyalty.redemption.terms``); ``amount`` is the money that it is
    worth. ``given_for`` says what a gift was for (``birthday``, ``tier``, ``referral``) and ``slot`` which one of these it was; both are
    None and empty when it was paid with points. ``bound``: whether only this customer may use the code. ``request_key`` is the caller's
    idempotency key. ``code`` follows from the id (``shopify_app.reward_codes``), so a second attempt finds the first one's discount; it
    is None until Shopify is about to be asked. ``discount_id`` is Shopify's id of whatever was made. ``asked_at`` and ``asked_after``:
    when store credit was last asked for, and the newest credit that the customer had before.
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
    slot: str = ""
    bound: bool = True
    amount: Decimal = Field(sa_type=Money)
    currency: str
    minimum_subtotal: Decimal | None = Field(default=None, sa_type=Money)
    program_version: int
    state: str = "issuing"
    code: str | None = None
    discount_id: str | None = None
    failure: str | None = None
    asked_after: str | None = None
    cancelled_by: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    asked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    issued_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cancelled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    used_order_id: int | None = Field(default=None, sa_type=BigId)
