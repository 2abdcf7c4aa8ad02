"""The shop's own programs that tell us of actions: their keys, and the actions that they told of."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, UtcDateTime


class ApiKey(SQLModel, table=True):
    """A key of the shop. Of the key itself only a ``digest`` (SHA-256) is kept; ``prefix`` is the part of it that may be shown."""

    __tablename__ = "api_key"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId, index=True)
    label: str
    prefix: str = Field(unique=True)
    digest: str
    made_by: str = ""
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ApiAction(SQLModel, table=True):
    """One action that a program told of, by the caller's id of it. ``refusal`` is why it earned nothing. It holds no personal data."""

    __tablename__ = "api_action"
    __table_args__ = (
        UniqueConstraint("shop_id", "key"),
        Index("ix_api_action_shop_id_received_at", "shop_id", "received_at"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    key: str
    rule: str
    refusal: str | None = None
    received_at: datetime = Field(sa_type=UtcDateTime)
