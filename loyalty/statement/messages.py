"""Messages in that were put aside: nobody's points are lost, but somebody has to look."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlmodel import Session, col

from loyalty.models import InboxMessage

# Written out, not bound: only so does a database see that its index of parked messages will do.
_PARKED = text("state = 'parked'")


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """One message that was put aside. The body stays where it is: it holds personal data."""

    id: int
    source: str
    topic: str
    error: str | None
    attempts: int
    received_at: datetime


def parked(session: Session, shop_domain: str, *, limit: int = 100) -> tuple[ParkedMessage, ...]:
    """The parked messages of a shop, the oldest first."""
    columns = (getattr(InboxMessage, name) for name in ParkedMessage.__dataclass_fields__)
    statement = select(*columns).where(col(InboxMessage.shop_domain) == shop_domain, _PARKED)
    rows = session.execute(statement.order_by(col(InboxMessage.id)).limit(limit))
    return tuple(ParkedMessage(*row) for row in rows)
