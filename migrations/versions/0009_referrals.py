"""Referrals, and the devices that members were seen on."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TEXT = sa.String()
INSTANT = sa.DateTime(timezone=True)
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
INDEXES = (
    ("ix_referral_shop_id_id", ["shop_id", "id"]),
    ("ix_referral_advocate_id", ["advocate_id", "id"]),
    ("ix_referral_friend_id", ["friend_id"]),
    ("ix_referral_shop_id_network", ["shop_id", "network", "claimed_at"]),
    ("ix_referral_due_at", ["shop_id", "state", "due_at"]),
    ("ix_referral_friend_issue_id", ["friend_issue_id"]),
    ("ix_referral_advocate_issue_id", ["advocate_issue_id"]),
)


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "referral",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("key", TEXT, nullable=False),
        _pointer("shop_id", "shop", "fk_referral_shop_id_shop"),
        _pointer("advocate_id", "member", "fk_referral_advocate_id_member"),
        _pointer("friend_id", "member", "fk_referral_friend_id_member"),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("checks", JSON, nullable=False),
        sa.Column("program_version", sa.Integer(), nullable=False),
        sa.Column("shared_at", INSTANT),
        sa.Column("claimed_at", INSTANT),
        sa.Column("order_id", BIG_ID),
        sa.Column("ordered_at", INSTANT),
        sa.Column("due_at", INSTANT),
        sa.Column("completed_at", INSTANT),
        sa.Column("coupon_orders", JSON, nullable=False),
        sa.Column("friend_issue_id", TEXT),
        sa.Column("advocate_issue_id", TEXT),
        sa.Column("ruling", TEXT, nullable=False),
        sa.Column("ruled_by", TEXT, nullable=False),
        sa.Column("ruled_at", INSTANT),
        sa.Column("device", TEXT),
        sa.Column("network", TEXT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.UniqueConstraint("shop_id", "key", name="uq_referral_shop_id_key"),
    )
    for name, columns in INDEXES:
        op.create_index(name, "referral", columns)
    op.create_table(
        "member_device",
        sa.Column("id", BIG_ID, primary_key=True),
        _pointer("shop_id", "shop", "fk_member_device_shop_id_shop"),
        _pointer("member_id", "member", "fk_member_device_member_id_member"),
        sa.Column("device", TEXT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.UniqueConstraint("member_id", "device", name="uq_member_device_member_id_device"),
    )
    op.create_index("ix_member_device_shop_id", "member_device", ["shop_id"])


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("member_device")
    op.drop_table("referral")


def _pointer(name: str, table: str, constraint: str) -> sa.Column[int]:
    return sa.Column(name, BIG_ID, sa.ForeignKey(f"{table}.id", name=constraint), nullable=False)
