"""One row per award: what a source is worth to a member by a rule, and what was posted for it."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Json, Points, UtcDateTime


class AwardRow(SQLModel, table=True):
    """``loyalty.core.standing.Award`` as a row. ``posted`` and ``postings`` are the sum and the number of the ledger entries of
    this source and rule; ``member_id`` is who has it now (it moves when two people turn out to be one)."""

    __tablename__ = "award"
    __table_args__ = (
        UniqueConstraint("shop_id", "source_kind", "source_ref", "rule"),
        CheckConstraint("worth >= 0", name="worth_is_never_negative"),
        CheckConstraint("posted >= 0", name="takes_back_no_more_than_it_gave"),
        Index("ix_award_member_id", "member_id"),
        Index(
            "ix_award_shop_id_release_at",
            "shop_id",
            "release_at",
            postgresql_where=text("release_at IS NOT NULL"),
            sqlite_where=text("release_at IS NOT NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    member_id: int = Field(foreign_key="member.id", sa_type=BigId)
    source_kind: str
    source_ref: str
    rule: str
    way: str
    title: str
    worth: int = Field(sa_type=Points)
    posted: int = Field(default=0, sa_type=Points)
    postings: int = 0
    slot: str = ""
    program_version: int
    why: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    release_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
