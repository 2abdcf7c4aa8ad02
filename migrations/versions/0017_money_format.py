"""How a shop writes money, as Shopify tells it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Not known yet: amounts are written by their currency until the shop's details are read again."""
    op.add_column("shop", sa.Column("money_format", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("shop", "money_format")
