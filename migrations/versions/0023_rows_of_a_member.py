"""Rows that name a member, to be looked for when the member is removed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """The database looks for rows that still name a member who is removed: without these it read the whole tables for each one."""
    op.create_index("ix_privacy_request_member_id", "privacy_request", ["member_id"])
    op.create_index(
        "ix_run_item_member_id",
        "run_item",
        ["member_id"],
        postgresql_where=sa.text("member_id IS NOT NULL"),
        sqlite_where=sa.text("member_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_run_item_member_id", "run_item")
    op.drop_index("ix_privacy_request_member_id", "privacy_request")
