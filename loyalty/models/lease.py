"""Who may do a thing that only one process at a time should do."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from loyalty.models.columns import UtcDateTime


class Lease(SQLModel, table=True):
    """A right that runs out by itself, so that a killed holder blocks nobody for long. ``done_at`` is for work with a period."""

    name: str = Field(primary_key=True)
    holder: str
    until: datetime = Field(sa_type=UtcDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
