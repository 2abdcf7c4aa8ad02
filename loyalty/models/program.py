"""One row per immutable version of a shop's whole program."""

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, OrderedJson, UtcDateTime


class ProgramVersion(SQLModel, table=True):
    """A validated program document as it was in force from ``created_at`` until the next version.

    ``timezone`` is the shop's at that time, for a document that names none; None where it was not known (or not kept) then, and the
    shop's present one holds.
    """

    __tablename__ = "program_version"
    __table_args__ = (UniqueConstraint("shop_id", "version"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    version: int
    document: dict[str, Any] = Field(sa_type=OrderedJson)
    timezone: str | None = None
    author: str
    created_at: datetime = Field(sa_type=UtcDateTime)
