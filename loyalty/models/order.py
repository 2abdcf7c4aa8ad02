"""One row per order: the latest state seen and what has been posted for it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Json, Money, UtcDateTime


class OrderStanding(SQLModel, table=True):
    """What is known of one order.

    ``snapshot`` is the normal form of ``loyalty.core.facts.OrderSnapshot`` (no personal data). ``member_id`` is empty while the
    order waits for its person. ``program_version`` and ``tier`` (the member's, then) are those of the first award and decide every
    later correction. ``counted`` is the money of it that counts for tiers and goals; ``placed_at`` is when it was placed. ``unreadable``: Shopify does not show
    the order (any more), so that what was told of it last is believed.
    """

    __tablename__ = "order_standing"
    __table_args__ = (
        UniqueConstraint("shop_id", "order_id"),
        # They are rare, and looked for on every home page.
        Index(
            "ix_order_standing_unreadable",
            "shop_id",
            "order_id",
            postgresql_where=text("unreadable"),
            sqlite_where=text("unreadable"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    order_id: int = Field(sa_type=BigId)
    member_id: int | None = Field(default=None, foreign_key="member.id", sa_type=BigId, index=True)
    name: str
    snapshot: dict[str, Any] = Field(sa_type=Json)
    snapshot_at: datetime = Field(sa_type=UtcDateTime)
    authoritative: bool = False
    unreadable: bool = False
    program_version: int | None = None
    tier: str | None = None
    placed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    counted: Decimal = Field(default=Decimal(0), sa_type=Money)
    updated_at: datetime = Field(sa_type=UtcDateTime)
