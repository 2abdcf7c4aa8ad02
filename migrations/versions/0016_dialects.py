"""A connection says in which dialects it tells Klaviyo of things, and a message under which names it was told."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Whoever is connected goes on under our own names."""
    op.add_column(
        "klaviyo_connection", sa.Column("dialects", sa.String(), nullable=False, server_default="laurel")
    )
    op.add_column("outbox", sa.Column("told", sa.String(), nullable=True))


def downgrade() -> None:
    """Forget it: everything is told under our own names again."""
    op.drop_column("outbox", "told")
    op.drop_column("klaviyo_connection", "dialects")
