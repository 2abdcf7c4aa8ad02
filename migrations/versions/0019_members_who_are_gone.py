"""Since when there is nobody any more who could ask for a member's points."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Of those who are gone already nobody wrote down when: their row was last changed about then."""
    op.add_column("member", sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE member SET gone_at = updated_at WHERE state IN ('deleted', 'redacted')")
    op.create_index(
        "ix_member_gone",
        "member",
        ["shop_id", "id"],
        postgresql_where=sa.text("gone_at IS NOT NULL"),
        sqlite_where=sa.text("gone_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_index("ix_member_gone", "member")
    op.drop_column("member", "gone_at")
