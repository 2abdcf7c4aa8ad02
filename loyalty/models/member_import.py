"""Imports of members from a file: the file as it came, what each line said, and what became of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Json, Points, UtcDateTime

# A file of a million lines has few of these, and they are what people look at.
_TROUBLE = text("state IN ('bad', 'skipped')")
_KNOWN = text("member_id IS NOT NULL")


class ImportBatch(SQLModel, table=True):
    """One file and what was done with it.

    ``id`` is random, because the ledger names it for ever. ``state``: ``uploaded``, ``checked`` (the dry run is done), ``importing``,
    ``imported``, ``undoing`` or ``undone``. ``mode`` says whether points are added or balances set. ``digest`` is the SHA-256 of the file.
    ``report`` holds the counts of the dry run and the lines of the largest changes; no person.
    """

    __tablename__ = "import_batch"
    __table_args__ = (Index("ix_import_batch_shop_id_created_at", "shop_id", "created_at"),)

    id: str = Field(primary_key=True)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    state: str = "uploaded"
    mode: str
    day_first: bool = False
    file_name: str
    format: str = ""
    layout: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    digest: str
    size: int = Field(sa_type=Points)
    report: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    author: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    imported_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    undone_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ImportChunk(SQLModel, table=True):
    """A piece of a file, as UTF-8, that ends where a line ends; ``lines_before`` are in the pieces before it. The pieces go as soon as the
    lines have been read."""

    __tablename__ = "import_chunk"
    __table_args__ = (UniqueConstraint("shop_id", "batch_id", "number"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    batch_id: str = Field(foreign_key="import_batch.id")
    number: int
    lines_before: int
    data: bytes = Field(sa_type=LargeBinary)


class ImportRow(SQLModel, table=True):
    """One line of a file. ``number`` counts them from 1; ``line`` is where it begins in the file.

    ``state``: ``good``, ``bad`` (see ``mistakes``), ``done``, ``skipped`` (the member could not be given it; ``reason`` says why) or
    ``undone``. ``told`` is what the line says; it goes with the address as soon as the line is done, because the member has it then. ``told_points``
    are added to the balance, or (unless it ``adds``) are what the balance shall be.
    ``points`` is what was posted and ``before`` what the member had in its place, for undoing.
    """

    __tablename__ = "import_row"
    __table_args__ = (
        UniqueConstraint("shop_id", "batch_id", "number"),
        Index("ix_import_row_batch_id_email", "batch_id", "email"),
        Index(
            "ix_import_row_trouble", "batch_id", "number", postgresql_where=_TROUBLE, sqlite_where=_TROUBLE
        ),
        Index("ix_import_row_member_id", "member_id", postgresql_where=_KNOWN, sqlite_where=_KNOWN),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    batch_id: str = Field(foreign_key="import_batch.id")
    number: int
    line: int
    state: str
    email: str | None = None
    customer_id: int | None = Field(default=None, sa_type=BigId)
    told: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    told_points: int | None = Field(default=None, sa_type=Points)
    adds: bool = True
    mistakes: list[list[str]] = Field(default_factory=list, sa_type=Json)
    twin_line: int | None = None
    reason: str = ""
    member_id: int | None = Field(default=None, foreign_key="member.id", sa_type=BigId)
    points: int | None = Field(default=None, sa_type=Points)
    before: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
