"""One row per Klaviyo review that we met."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, UtcDateTime


class Review(SQLModel, table=True):
    """A review and what became of it.

    ``state``: ``pending`` (``reason`` says what it waits for), ``awarded``, ``reversed`` or ``ineligible`` (``reason`` says why). ``email`` is
    kept only while the review waits for its person. ``kind`` is Klaviyo's: review, rating, question or store.
    """

    __table_args__ = (
        UniqueConstraint("shop_id", "review_id"),
        Index("ix_review_shop_id_email", "shop_id", "email"),
        Index("ix_review_shop_id_id", "shop_id", "id"),
        Index(
            "ix_review_member_id",
            "member_id",
            postgresql_where=text("member_id IS NOT NULL"),
            sqlite_where=text("member_id IS NOT NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId)
    review_id: str
    member_id: int | None = Field(default=None, foreign_key="member.id", sa_type=BigId)
    email: str | None = None
    kind: str
    rating: int | None = None
    verified: bool = False
    has_media: bool = False
    has_video: bool = False
    status: str = ""
    state: str = "pending"
    reason: str = ""
    submitted_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
