"""Program documents as they were written, with their keys in order.

PostgreSQL's jsonb sorts the keys of a table, and the order of a document is the order in which shoppers read the ways to earn.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0006"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_CHANGE = "ALTER TABLE program_version ALTER COLUMN document TYPE {type} USING document::{type}"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_CHANGE.format(type="json"))


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_CHANGE.format(type="jsonb"))
