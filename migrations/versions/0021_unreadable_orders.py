"""Orders that Shopify does not show."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Nothing is known of those that could not be read before: the next message about one has it read again."""
    op.add_column(
        "order_standing", sa.Column("unreadable", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_index(
        "ix_order_standing_unreadable",
        "order_standing",
        ["shop_id", "order_id"],
        postgresql_where=sa.text("unreadable"),
        sqlite_where=sa.text("unreadable"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_order_standing_unreadable", "order_standing")
    op.drop_column("order_standing", "unreadable")
