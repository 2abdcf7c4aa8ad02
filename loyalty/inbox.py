"""The inbox: what outside systems told us, kept before anything else happens to it."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from loyalty.models import InboxMessage

SHOPIFY = "shopify"
KLAVIYO = "klaviyo"
API = "api"

MOST_ATTEMPTS = 8
_FIRST_WAIT = timedelta(seconds=10)


class Malformed(ValueError):
    """A delivery cannot be understood. The reason is shown to the merchant, so it names fields and never values."""


def receive(
    connection: Connection,
    *,
    shop_domain: str,
    source: str,
    delivery_id: str,
    topic: str,
    body: bytes,
    now: datetime,
) -> bool:
    """Keep one delivery. False when it was there already (a repeat)."""
    values = {
        "shop_domain": shop_domain,
        "source": source,
        "delivery_id": delivery_id,
        "topic": topic,
        "body": body,
        "received_at": now,
        "due_at": now,
    }
    return connection.execute(_RECEIVE[connection.dialect.name], values).first() is not None


def claim(session: Session, shop_domain: str, *, limit: int, now: datetime) -> list[InboxMessage]:
    """Lock up to ``limit`` due messages in the order of their arrival, passing over those that another worker holds."""
    statement = (
        select(InboxMessage)
        .where(
            InboxMessage.shop_domain == shop_domain,
            InboxMessage.state == "due",
            col(InboxMessage.due_at) <= now,
        )
        .order_by(col(InboxMessage.due_at), col(InboxMessage.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.exec(statement).all())


def finish(session: Session, ids: list[int], *, state: str, now: datetime) -> None:
    """Mark messages ``done`` or ``ignored``. What was absorbed needs no second home, so the bodies are emptied."""
    session.execute(
        update(InboxMessage)
        .where(col(InboxMessage.id).in_(ids))
        .values(state=state, body=b"", finished_at=now, error=None),
        execution_options={"synchronize_session": False},
    )


def park(session: Session, message_id: int, *, error: str, now: datetime) -> None:
    """Put a message aside with its reason. The body stays, for a person to look at and to try again."""
    session.execute(
        update(InboxMessage)
        .where(col(InboxMessage.id) == message_id)
        .values(state="parked", error=error, finished_at=now, attempts=InboxMessage.attempts + 1)
    )


def postpone(session: Session, message: InboxMessage, *, error: str, now: datetime) -> None:
    """Try again later, doubling the wait; after ``MOST_ATTEMPTS`` the message is parked."""
    assert message.id is not None
    if message.attempts + 1 >= MOST_ATTEMPTS:
        park(session, message.id, error=error, now=now)
        return
    session.execute(
        update(InboxMessage)
        .where(col(InboxMessage.id) == message.id)
        .values(
            due_at=now + _FIRST_WAIT * 2**message.attempts, attempts=InboxMessage.attempts + 1, error=error
        )
    )


def retry(session: Session, shop_domain: str, message_id: int, *, now: datetime) -> bool:
    """Make a parked message due again. False when the shop has no such parked message."""
    result = session.execute(
        update(InboxMessage)
        .where(
            col(InboxMessage.id) == message_id,
            col(InboxMessage.shop_domain) == shop_domain,
            col(InboxMessage.state) == "parked",
        )
        .values(state="due", due_at=now, attempts=0, error=None, finished_at=None)
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]


def _receive_statement(make: Any) -> Any:
    fixed = {"state": "due", "attempts": 0}
    return (
        make(InboxMessage.__table__)  # type: ignore[attr-defined]
        .values(fixed)
        .on_conflict_do_nothing(index_elements=["shop_domain", "source", "delivery_id"])
        .returning(col(InboxMessage.id))
    )


# Built once: the webhook door runs this statement thousands of times a second.
_RECEIVE = {"sqlite": _receive_statement(sqlite.insert), "postgresql": _receive_statement(postgresql.insert)}
