"""One row per movement of points. Rows are added, never changed and never removed: a trigger in the database refuses both."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Json, Points, UtcDateTime


class LedgerEntry(SQLModel, table=True):
    """A movement of points of one member.

    The business key (shop, source kind, source ref, rule, sequence) makes a second posting of the same thing impossible. It does
    not name the member, so the same order cannot be awarded to two people. ``position`` counts the member's entries from 1;
    ``hash`` chains the entry to the member's previous one (``loyalty.core.ledger``). ``why`` explains the points: program version,
    basis, rate, rounding. No personal data: the entry must stay true when the person is erased.
    """

    __tablename__ = "ledger_entry"
    __table_args__ = (
        UniqueConstraint(
            "shop_id", "source_kind", "source_ref", "rule", "sequence", name="uq_ledger_entry_business_key"
        ),
        UniqueConstraint("member_id", "position"),
        CheckConstraint("points <> 0", name="moves_points"),
        Index("ix_ledger_entry_shop_id_occurred_at", "shop_id", "occurred_at"),
    )

    id: str = Field(primary_key=True)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    member_id: int = Field(foreign_key="member.id", sa_type=BigId)
    position: int
    points: int = Field(sa_type=Points)
    kind: str
    source_kind: str
    source_ref: str
    rule: str
    sequence: int
    program_version: int
    reason: str
    why: dict[str, Any] = Field(sa_type=Json)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    previous_hash: str
    hash: str
