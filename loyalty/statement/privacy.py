"""Compliance requests for the merchant's page: what was asked, and whether it was answered. Names no person."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from loyalty.models import PrivacyRequest


@dataclass(frozen=True, slots=True)
class PrivacyRow:
    """One request."""

    id: int
    kind: str
    member_id: int | None
    shopify_customer_id: int | None
    received_at: datetime
    completed_at: datetime | None


def requests(session: Session, shop_id: int, *, limit: int = 100) -> tuple[PrivacyRow, ...]:
    """The latest requests, the newest first."""
    columns = (getattr(PrivacyRequest, name) for name in PrivacyRow.__dataclass_fields__)
    statement = select(*columns).where(col(PrivacyRequest.shop_id) == shop_id)
    rows = session.execute(statement.order_by(col(PrivacyRequest.id).desc()).limit(limit))
    return tuple(PrivacyRow(*row) for row in rows)
