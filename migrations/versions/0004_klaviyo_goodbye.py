"""What is still to be said to Klaviyo about links that have ended here."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TEXT = sa.String()
INSTANT = sa.DateTime(timezone=True)
# SQLite counts up by itself only in a column that is exactly INTEGER.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "klaviyo_farewell",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("shop_id", BIG_ID, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("road", TEXT, nullable=False),
        sa.Column("access_token", TEXT),
        sa.Column("refresh_token", TEXT),
        sa.Column("webhook_id", TEXT),
        sa.Column("webhook_name", TEXT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_klaviyo_farewell_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_klaviyo_farewell")),
    )
    op.create_index(op.f("ix_klaviyo_farewell_shop_id"), "klaviyo_farewell", ["shop_id"])
    op.create_index(op.f("ix_klaviyo_farewell_account_id"), "klaviyo_farewell", ["account_id"])


def downgrade() -> None:
    """Remove the table; what was not said yet stays unsaid."""
    op.drop_table("klaviyo_farewell")
