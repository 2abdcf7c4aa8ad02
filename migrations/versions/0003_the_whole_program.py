"""Awards of their own, the outlook of members, rewards of every kind.

What orders, accounts and reviews had earned so far becomes an award each, from the ledger itself.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TEXT = sa.String()
INSTANT = sa.DateTime(timezone=True)
POINTS = sa.BigInteger()
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ZERO = sa.text("0")

MEMBER_COLUMNS = (
    ("pending", POINTS),
    ("tier", TEXT),
    ("tier_since", INSTANT),
    ("tier_until", INSTANT),
    ("next_tier", TEXT),
    ("next_tier_distance", TEXT),
    ("hand_tier", TEXT),
    ("hand_tier_since", INSTANT),
    ("hand_tier_until", INSTANT),
    ("birthday_month", sa.Integer()),
    ("birthday_day", sa.Integer()),
    ("birthday_told_at", INSTANT),
    ("subscribed_at", INSTANT),
    ("referral_code", TEXT),
    ("last_activity_at", INSTANT),
    ("last_order_at", INSTANT),
    ("expires_at", INSTANT),
    ("expiring_points", POINTS),
    ("calendar_at", INSTANT),
    ("calendar_due", INSTANT),
)
COUNTED = {"pending", "expiring_points"}
DUE = sa.text("calendar_due IS NOT NULL")

MOVE_AWARDS = """
INSERT INTO award (shop_id, member_id, source_kind, source_ref, rule, way, title, worth, posted, postings, slot,
                   program_version, why, occurred_at, release_at, updated_at)
SELECT e.shop_id, COALESCE(m.merged_into, m.id), e.source_kind, e.source_ref, e.rule, e.source_kind, e.reason,
       s.posted, s.posted, s.postings, CASE WHEN e.source_kind = 'signup' THEN 'signup' ELSE '' END,
       e.program_version, e.why, e.occurred_at, NULL, e.recorded_at
FROM ledger_entry e
JOIN member m ON m.id = e.member_id
JOIN (SELECT shop_id, source_kind, source_ref, rule, SUM(points) AS posted, COUNT(*) AS postings
      FROM ledger_entry WHERE source_kind IN ('order', 'signup', 'review')
      GROUP BY shop_id, source_kind, source_ref, rule) s
  ON s.shop_id = e.shop_id AND s.source_kind = e.source_kind AND s.source_ref = e.source_ref AND s.rule = e.rule
WHERE e.sequence = 0
"""
LAST_ACTIVITY = """
UPDATE member SET last_activity_at = (
    SELECT MAX(occurred_at) FROM ledger_entry WHERE member_id = member.id AND kind IN ('earn', 'redeem'))
"""


def upgrade() -> None:
    """Add tables and columns; then let the ledger fill the awards."""
    op.create_table(
        "award",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("shop_id", BIG_ID, sa.ForeignKey("shop.id", name="fk_award_shop_id_shop"), nullable=False),
        sa.Column(
            "member_id",
            BIG_ID,
            sa.ForeignKey("member.id", name="fk_award_member_id_member"),
            nullable=False,
        ),
        *(
            sa.Column(name, TEXT, nullable=False)
            for name in ("source_kind", "source_ref", "rule", "way", "title")
        ),
        sa.Column("worth", POINTS, nullable=False),
        sa.Column("posted", POINTS, nullable=False),
        sa.Column("postings", sa.Integer(), nullable=False),
        sa.Column("slot", TEXT, nullable=False),
        sa.Column("program_version", sa.Integer(), nullable=False),
        sa.Column("why", JSON, nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("release_at", INSTANT),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.UniqueConstraint(
            "shop_id",
            "source_kind",
            "source_ref",
            "rule",
            name="uq_award_shop_id_source_kind_source_ref_rule",
        ),
        sa.CheckConstraint("worth >= 0", name="ck_award_worth_is_never_negative"),
        sa.CheckConstraint("posted >= 0", name="ck_award_takes_back_no_more_than_it_gave"),
    )
    op.create_index("ix_award_member_id", "award", ["member_id"])
    op.execute(MOVE_AWARDS)
    for name, kind in MEMBER_COLUMNS:
        op.add_column(
            "member",
            sa.Column(
                name, kind, nullable=name not in COUNTED, server_default=ZERO if name in COUNTED else None
            ),
        )
    op.execute(LAST_ACTIVITY)
    op.create_index(
        "ix_member_calendar_due",
        "member",
        ["shop_id", "calendar_due", "id"],
        postgresql_where=DUE,
        sqlite_where=DUE,
    )
    op.create_index("uq_member_shop_id_referral_code", "member", ["shop_id", "referral_code"], unique=True)
    op.add_column("order_standing", sa.Column("tier", TEXT))
    op.add_column("order_standing", sa.Column("placed_at", INSTANT))
    op.add_column("order_standing", sa.Column("counted", TEXT, nullable=False, server_default="0"))
    op.drop_column("order_standing", "posted")
    op.drop_column("order_standing", "postings")
    op.add_column("reward_issue", sa.Column("kind", TEXT, nullable=False, server_default="amount_off"))
    op.add_column("reward_issue", sa.Column("terms", JSON, nullable=False, server_default="{}"))
    op.add_column("reward_issue", sa.Column("given_for", TEXT))
    op.add_column("reward_issue", sa.Column("bound", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("reward_issue", sa.Column("cancelled_at", INSTANT))


def downgrade() -> None:
    """Take it all away again; what orders stood at comes back from the ledger."""
    for name in ("cancelled_at", "bound", "given_for", "terms", "kind"):
        op.drop_column("reward_issue", name)
    op.add_column("order_standing", sa.Column("posted", POINTS, nullable=False, server_default=ZERO))
    op.add_column("order_standing", sa.Column("postings", sa.Integer(), nullable=False, server_default=ZERO))
    op.execute(
        """
        UPDATE order_standing SET
            posted = COALESCE((SELECT SUM(points) FROM ledger_entry e WHERE e.shop_id = order_standing.shop_id
                               AND e.source_kind = 'order' AND e.source_ref = CAST(order_standing.order_id AS VARCHAR)), 0),
            postings = (SELECT COUNT(*) FROM ledger_entry e WHERE e.shop_id = order_standing.shop_id
                        AND e.source_kind = 'order' AND e.source_ref = CAST(order_standing.order_id AS VARCHAR))
        """
    )
    for name in ("counted", "placed_at", "tier"):
        op.drop_column("order_standing", name)
    op.drop_index("uq_member_shop_id_referral_code", "member")
    op.drop_index("ix_member_calendar_due", "member")
    for name, _ in reversed(MEMBER_COLUMNS):
        op.drop_column("member", name)
    op.drop_table("award")
