"""Who gave a member a tier by hand."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Of the tiers that were given before only the log knows it."""
    op.add_column("member", sa.Column("hand_tier_by", sa.String(), nullable=True))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("member", "hand_tier_by")
