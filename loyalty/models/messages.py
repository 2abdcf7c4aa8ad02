"""Messages in and messages out. These tables, not Redis, decide what is still to be done."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Json, UtcDateTime


class InboxMessage(SQLModel, table=True):
    """One delivery from outside, kept by the shop's domain because it may arrive before the shop's first visit.

    ``state``: ``due``, ``done``, ``ignored`` (a topic nobody subscribed to) or ``parked`` (gave up; shown to the merchant).
    The body holds personal data and is therefore emptied as soon as the message is done.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("shop_domain", "source", "delivery_id"),
        Index(
            "ix_inbox_due",
            "shop_domain",
            "due_at",
            "id",
            postgresql_where=text("state = 'due'"),
            sqlite_where=text("state = 'due'"),
        ),
        Index("ix_inbox_shop_domain_id", "shop_domain", "id"),
        # What needs a person is rare and looked for on every home page: it costs the drain nothing.
        Index(
            "ix_inbox_parked",
            "shop_domain",
            "id",
            postgresql_where=text("state = 'parked'"),
            sqlite_where=text("state = 'parked'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_domain: str
    source: str
    delivery_id: str
    topic: str
    body: bytes = Field(sa_type=LargeBinary)
    state: str = "due"
    attempts: int = 0
    error: str | None = None
    received_at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class OutboxMessage(SQLModel, table=True):
    """One message to Klaviyo or Shopify, written in the transaction that made it true, and the log that merchants read.

    ``state``: ``due``, ``sending`` (leased until ``lease_until``), ``delivered``, ``refused`` (the remote said no; see ``error``),
    ``parked`` (gave up) or ``dropped`` (nobody is connected, so there was nobody to tell). ``unique_id`` is what makes a repeat
    harmless at the other end. ``payload`` holds no e-mail and no name: those are read from the member at the moment of sending.
    ``told`` are the names under which the remote was told of it, one a line; None before, and where there are no names.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("shop_id", "channel", "unique_id"),
        Index(
            "ix_outbox_due",
            "shop_id",
            "channel",
            "due_at",
            "id",
            postgresql_where=text("state IN ('due', 'sending')"),
            sqlite_where=text("state IN ('due', 'sending')"),
        ),
        Index(
            "ix_outbox_live",
            "shop_id",
            "channel",
            "due_at",
            "id",
            postgresql_where=text("state IN ('due', 'sending') AND backfill IS false"),
            sqlite_where=text("state IN ('due', 'sending') AND backfill IS 0"),
        ),
        Index("ix_outbox_log", "shop_id", "channel", "id"),
        Index(
            "ix_outbox_trouble",
            "shop_id",
            "channel",
            "id",
            postgresql_where=text("state IN ('refused', 'parked')"),
            sqlite_where=text("state IN ('refused', 'parked')"),
        ),
        Index("ix_outbox_member_id_id", "member_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    channel: str
    kind: str
    unique_id: str
    member_id: int | None = Field(default=None, foreign_key="member.id", sa_type=BigId)
    payload: dict[str, Any] = Field(sa_type=Json)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    backfill: bool = False
    state: str = "due"
    attempts: int = 0
    due_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    status_code: int | None = None
    error: str | None = None
    told: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
