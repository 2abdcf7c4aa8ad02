"""What happens now goes to Klaviyo before what an import has brought of the past."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_WAITS = "state IN ('due', 'sending') AND backfill IS "


def upgrade() -> None:
    """A million messages of history may wait beside the few that are looked for."""
    op.create_index(
        "ix_outbox_live",
        "outbox",
        ["shop_id", "channel", "due_at", "id"],
        postgresql_where=sa.text(f"{_WAITS}false"),
        sqlite_where=sa.text(f"{_WAITS}0"),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_outbox_live", "outbox")
