"""One row per person in a shop, with the standing that caches the ledger."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Points, UtcDateTime


class Member(SQLModel, table=True):
    """A person, known by Shopify customer id, by normalised e-mail, or by both.

    ``state``: ``member`` (has a customer record), ``guest`` (known by e-mail only), ``merged`` (moved into ``merged_into``),
    ``deleted`` (the customer record is gone) or ``redacted`` (the person was erased; the arithmetic stays).
    ``balance``, ``lifetime_earned``, ``lifetime_spent``, ``entry_count`` and ``chain_head`` are the fold of the member's ledger
    entries and are only ever written together with them.
    """

    __table_args__ = (
        UniqueConstraint("shop_id", "shopify_customer_id"),
        UniqueConstraint("shop_id", "email"),
        Index("ix_member_shop_id_balance", "shop_id", "balance", "id"),
        Index("ix_member_shop_id_id", "shop_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    shopify_customer_id: int | None = Field(default=None, sa_type=BigId)
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    state: str = "guest"
    joined_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    customer_updated_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    merged_into: int | None = Field(default=None, foreign_key="member.id", sa_type=BigId)
    balance: int = Field(default=0, sa_type=Points)
    lifetime_earned: int = Field(default=0, sa_type=Points)
    lifetime_spent: int = Field(default=0, sa_type=Points)
    entry_count: int = 0
    chain_head: str = ""
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
