"""An attempt to connect Klaviyo keeps Klaviyo's answer until the person who began is back in the admin."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add who began, the sealed code and what opens it."""
    op.add_column("oauth_state", sa.Column("user_id", sa.String(), nullable=False, server_default=""))
    op.add_column("oauth_state", sa.Column("code", sa.String()))
    op.add_column("oauth_state", sa.Column("ticket_hash", sa.String()))


def downgrade() -> None:
    """Remove them."""
    for name in ("ticket_hash", "code", "user_id"):
        op.drop_column("oauth_state", name)
