"""Who a member was merged into, and whose a review is, to be looked for."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Few members were ever merged, and many reviews wait for somebody: only the others are in the indexes."""
    for table, name in (("member", "merged_into"), ("review", "member_id")):
        known = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_{table}_{name}", table, [name], postgresql_where=known, sqlite_where=known)


def downgrade() -> None:
    """Look through everybody again."""
    op.drop_index("ix_review_member_id", "review")
    op.drop_index("ix_member_merged_into", "member")
