"""Leads the report of what a shop owes to the points that were, or are, on hold."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

HELD = sa.text("release_at IS NOT NULL")


def upgrade() -> None:
    """Add the index."""
    op.create_index(
        "ix_award_shop_id_release_at",
        "award",
        ["shop_id", "release_at"],
        postgresql_where=HELD,
        sqlite_where=HELD,
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_award_shop_id_release_at", "award")
