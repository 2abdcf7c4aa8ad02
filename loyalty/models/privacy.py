"""One row per compliance request of Shopify, so that a merchant (and an auditor) can see that it was answered."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, UtcDateTime


class PrivacyRequest(SQLModel, table=True):
    """A data request or an erasure. ``kind``: ``data_request`` or ``customer_redact``. It names no person beyond the customer id."""

    __tablename__ = "privacy_request"
    __table_args__ = (
        UniqueConstraint("shop_id", "kind", "request_ref"),
        Index("ix_privacy_request_member_id", "member_id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    kind: str
    request_ref: str
    member_id: int | None = Field(default=None, foreign_key="member.id", sa_type=BigId)
    shopify_customer_id: int | None = Field(default=None, sa_type=BigId)
    received_at: datetime = Field(sa_type=UtcDateTime)
    completed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
