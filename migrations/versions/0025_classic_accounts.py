"""Whether a shop has classic customer accounts."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Nobody has asked yet: until Shopify is asked the next time, whoever has a record has an account."""
    op.add_column(
        "shop", sa.Column("classic_accounts", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_column("shop", "classic_accounts")
