"""Long jobs that survive a kill: one row is one job, its cursor and its counts."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Json, UtcDateTime


class Run(SQLModel, table=True):
    """A sync, an import or a check that takes longer than one job should.

    ``state``: ``queued``, ``running``, ``cancelling``, ``done``, ``cancelled`` or ``failed``. At most one run of a kind is open per
    shop. ``cursor`` is written in the same transaction as the work it stands for, so a killed run goes on where it was.
    ``lease_until`` keeps two workers from advancing the same run. Counts: ``total`` (when known), ``done``, ``failed``, ``skipped``.
    """

    __table_args__ = (
        Index(
            "uq_run_open",
            "shop_id",
            "kind",
            unique=True,
            postgresql_where=text("state IN ('queued', 'running', 'cancelling')"),
            sqlite_where=text("state IN ('queued', 'running', 'cancelling')"),
        ),
        Index("ix_run_shop_id_id", "shop_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    kind: str
    state: str = "queued"
    params: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    cursor: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    total: int | None = None
    done: int = 0
    failed: int = 0
    skipped: int = 0
    error: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RunItem(SQLModel, table=True):
    """One member (or line) that a run skipped or could not do, and why. ``outcome`` is ``skipped`` or ``failed``."""

    __tablename__ = "run_item"
    __table_args__ = (
        Index("uq_run_item_subject", "run_id", "subject", unique=True),
        Index(
            "ix_run_item_member_id",
            "member_id",
            postgresql_where=text("member_id IS NOT NULL"),
            sqlite_where=text("member_id IS NOT NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    run_id: int = Field(foreign_key="run.id", sa_type=BigId)
    member_id: int | None = Field(default=None, foreign_key="member.id", sa_type=BigId)
    subject: str
    outcome: str
    reason: str
