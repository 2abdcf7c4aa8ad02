"""Indexes for the merchant's search by the beginning of an e-mail or a name: nobody found must not mean everybody looked at."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NAMES = ("first_name", "last_name")
# The order of a language is of no use for a beginning; this one compares letter by letter.
BY_LETTER = " text_pattern_ops"


def upgrade() -> None:
    """Add the indexes. SQLite, which is for small shops and can neither fold letters nor rebuild such an index, looks at every name."""
    if op.get_bind().dialect.name != "postgresql":
        op.create_index("ix_member_shop_id_email", "member", ["shop_id", "email"])
        return
    for name in NAMES:
        op.create_index(
            f"ix_member_shop_id_{name}", "member", ["shop_id", sa.text(f"lower({name}){BY_LETTER}")]
        )
    op.create_index("ix_member_shop_id_email", "member", ["shop_id", sa.text(f"email{BY_LETTER}")])


def downgrade() -> None:
    """Remove the indexes."""
    op.drop_index("ix_member_shop_id_email", "member")
    if op.get_bind().dialect.name == "postgresql":
        for name in reversed(NAMES):
            op.drop_index(f"ix_member_shop_id_{name}", "member")
