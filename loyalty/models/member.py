"""One row per person in a shop, with the standing that caches the ledger."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, UniqueConstraint, func, text
from sqlmodel import Field, SQLModel, col

from loyalty.models.columns import BigId, Money, Points, UtcDateTime


class Member(SQLModel, table=True):
    """A person, known by Shopify customer id, by normalised e-mail, or by both.

    ``state``: ``member`` (has a customer record), ``guest`` (known by e-mail only), ``merged`` (moved into ``merged_into``),
    ``deleted`` (the customer record is gone) or ``redacted`` (the person was erased; the arithmetic stays).
    ``balance``, ``lifetime_earned``, ``lifetime_spent``, ``entry_count`` and ``chain_head`` are the fold of the member's ledger
    entries and are only ever written together with them. ``pending`` are the points that wait for their release.

    ``tier`` and its dates, ``expires_at`` with ``expiring_points`` (what ends next, and when), and ``next_tier`` with ``next_tier_distance``
    are an outlook: recomputed from what is known whenever something changes. ``expiry_not_before``: an end of points that nobody could foresee
    waits until then. ``calendar_at`` is up to when the calendar was settled
    for the member; at ``calendar_due`` it has something to do again. The birthday has no year. ``hand_tier`` was given by staff, ``hand_tier_by``
    says by whom. Since
    ``gone_at`` there is nobody any more who could ask for the points.
    """

    __table_args__ = (
        UniqueConstraint("shop_id", "shopify_customer_id"),
        UniqueConstraint("shop_id", "email"),
        Index("ix_member_shop_id_balance", "shop_id", "balance", "id"),
        Index("ix_member_shop_id_id", "shop_id", "id"),
        Index("uq_member_shop_id_referral_code", "shop_id", "referral_code", unique=True),
        Index(
            "ix_member_calendar_due",
            "shop_id",
            "calendar_due",
            "id",
            postgresql_where=text("calendar_due IS NOT NULL"),
            sqlite_where=text("calendar_due IS NOT NULL"),
        ),
        # Few are: who became a part of somebody is found without a look at everybody.
        Index(
            "ix_member_merged_into",
            "merged_into",
            postgresql_where=text("merged_into IS NOT NULL"),
            sqlite_where=text("merged_into IS NOT NULL"),
        ),
        Index(
            "ix_member_gone",
            "shop_id",
            "id",
            postgresql_where=text("gone_at IS NOT NULL"),
            sqlite_where=text("gone_at IS NOT NULL"),
        ),
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
    pending: int = Field(default=0, sa_type=Points)
    tier: str | None = None
    tier_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tier_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    next_tier: str | None = None
    next_tier_distance: Decimal | None = Field(default=None, sa_type=Money)
    hand_tier: str | None = None
    hand_tier_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    hand_tier_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    hand_tier_by: str | None = None
    birthday_month: int | None = None
    birthday_day: int | None = None
    birthday_told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    subscribed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    referral_code: str | None = None
    last_activity_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_order_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expiring_points: int = Field(default=0, sa_type=Points)
    expiry_not_before: datetime | None = Field(default=None, sa_type=UtcDateTime)
    calendar_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    calendar_due: datetime | None = Field(default=None, sa_type=UtcDateTime)
    gone_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


# For the merchant's search by the beginning of a name or an e-mail. PostgreSQL orders text as a language does, which is of no use
# for a beginning, unless told to compare letter by letter. SQLite has the index of the e-mails alone (migration 0005).
for _name, _column in (
    ("first_name", func.lower(Member.first_name)),
    ("last_name", func.lower(Member.last_name)),
    ("email", col(Member.email)),
):
    Index(
        f"ix_member_shop_id_{_name}",
        col(Member.shop_id),
        _column.label(_name),
        postgresql_ops={_name: "text_pattern_ops"},
    )
