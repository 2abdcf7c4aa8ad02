"""Imports of members from files, and what merges moved."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TEXT = sa.String()
INSTANT = sa.DateTime(timezone=True)
POINTS = sa.BigInteger()
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TROUBLE = sa.text("state IN ('bad', 'skipped')")
KNOWN = sa.text("member_id IS NOT NULL")


def upgrade() -> None:
    """Add the tables. Merges from before are not in the new one: nobody noted what they moved."""
    _import_batch()
    _import_chunk()
    _import_row()
    _member_merge()


def downgrade() -> None:
    """Remove them."""
    for table in ("member_merge", "import_row", "import_chunk", "import_batch"):
        op.drop_table(table)


def _import_batch() -> None:
    op.create_table(
        "import_batch",
        sa.Column("id", TEXT, primary_key=True),
        _pointer("import_batch", "shop_id", "shop"),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("mode", TEXT, nullable=False),
        sa.Column("day_first", sa.Boolean(), nullable=False),
        sa.Column("file_name", TEXT, nullable=False),
        sa.Column("format", TEXT, nullable=False),
        sa.Column("layout", JSON, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("size", POINTS, nullable=False),
        sa.Column("report", JSON, nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        *(sa.Column(name, INSTANT) for name in ("checked_at", "imported_at", "undone_at")),
    )
    op.create_index("ix_import_batch_shop_id_created_at", "import_batch", ["shop_id", "created_at"])


def _import_chunk() -> None:
    op.create_table(
        "import_chunk",
        sa.Column("id", BIG_ID, primary_key=True),
        _pointer("import_chunk", "shop_id", "shop"),
        _pointer("import_chunk", "batch_id", "import_batch", TEXT),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("lines_before", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("shop_id", "batch_id", "number", name="uq_import_chunk_shop_id_batch_id_number"),
    )


def _import_row() -> None:
    op.create_table(
        "import_row",
        sa.Column("id", BIG_ID, primary_key=True),
        _pointer("import_row", "shop_id", "shop"),
        _pointer("import_row", "batch_id", "import_batch", TEXT),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("email", TEXT),
        sa.Column("customer_id", BIG_ID),
        sa.Column("told", JSON, nullable=False),
        sa.Column("told_points", POINTS),
        sa.Column("adds", sa.Boolean(), nullable=False),
        sa.Column("mistakes", JSON, nullable=False),
        sa.Column("twin_line", sa.Integer()),
        sa.Column("reason", TEXT, nullable=False),
        _pointer("import_row", "member_id", "member", nullable=True),
        sa.Column("points", POINTS),
        sa.Column("before", JSON, nullable=False),
        sa.UniqueConstraint("shop_id", "batch_id", "number", name="uq_import_row_shop_id_batch_id_number"),
    )
    op.create_index("ix_import_row_batch_id_email", "import_row", ["batch_id", "email"])
    op.create_index(
        "ix_import_row_trouble",
        "import_row",
        ["batch_id", "number"],
        postgresql_where=TROUBLE,
        sqlite_where=TROUBLE,
    )
    op.create_index(
        "ix_import_row_member_id", "import_row", ["member_id"], postgresql_where=KNOWN, sqlite_where=KNOWN
    )


def _member_merge() -> None:
    op.create_table(
        "member_merge",
        sa.Column("id", BIG_ID, primary_key=True),
        _pointer("member_merge", "shop_id", "shop"),
        _pointer("member_merge", "source_id", "member"),
        _pointer("member_merge", "target_id", "member"),
        sa.Column("points", POINTS, nullable=False),
        sa.Column("email", TEXT),
        sa.Column("moved", JSON, nullable=False),
        sa.Column("merged_at", INSTANT, nullable=False),
        sa.Column("undone_at", INSTANT),
        sa.Column("undone_by", TEXT, nullable=False),
    )
    op.create_index("ix_member_merge_shop_id_source_id", "member_merge", ["shop_id", "source_id"])
    op.create_index("ix_member_merge_target_id", "member_merge", ["target_id"])
    op.create_index("ix_member_merge_source_id", "member_merge", ["source_id"])


def _pointer(
    table: str, name: str, to: str, kind: sa.types.TypeEngine | None = None, *, nullable: bool = False
) -> sa.Column:
    """A column that names a row of another table."""
    key = sa.ForeignKey(f"{to}.id", name=f"fk_{table}_{name}_{to}")
    return sa.Column(name, kind or BIG_ID, key, nullable=nullable)
