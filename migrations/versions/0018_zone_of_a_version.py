"""A version of a program keeps the shop's time zone under which it was begun."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Versions that are there go on to mean the shop's present one, until that changes."""
    op.add_column("program_version", sa.Column("timezone", sa.String(), nullable=True))


def downgrade() -> None:
    """All of them mean the shop's present one again."""
    op.drop_column("program_version", "timezone")
