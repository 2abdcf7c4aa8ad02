"""Indexes that lead straight to the messages that need a person: parked ones in, refused and parked ones out."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PARKED = sa.text("state = 'parked'")
TROUBLE = sa.text("state IN ('refused', 'parked')")


def upgrade() -> None:
    """Add the indexes; rows in these states are few, so this is quick on tables of any size."""
    op.create_index(
        "ix_inbox_parked", "inbox", ["shop_domain", "id"], postgresql_where=PARKED, sqlite_where=PARKED
    )
    op.create_index(
        "ix_outbox_trouble",
        "outbox",
        ["shop_id", "channel", "id"],
        postgresql_where=TROUBLE,
        sqlite_where=TROUBLE,
    )


def downgrade() -> None:
    """Remove the indexes."""
    op.drop_index("ix_outbox_trouble", "outbox")
    op.drop_index("ix_inbox_parked", "inbox")
