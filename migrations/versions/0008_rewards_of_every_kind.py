"""What is known of a reward before Shopify is asked for it, of gifts, and of who took a reward back."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TEXT = sa.String()
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns."""
    op.add_column("reward_issue", sa.Column("slot", TEXT, nullable=False, server_default=""))
    op.add_column("reward_issue", sa.Column("asked_after", TEXT))
    op.add_column("reward_issue", sa.Column("cancelled_by", TEXT))
    op.add_column("reward_issue", sa.Column("asked_at", INSTANT))


def downgrade() -> None:
    """Remove the columns."""
    for name in ("asked_at", "cancelled_by", "asked_after", "slot"):
        op.drop_column("reward_issue", name)
