"""Messages without news: they have a member's profile written anew, from what is true when they are sent, and nothing is told by them.

A change that is worth an event needs none: the event writes the profile as well. At most one of a member waits, and it waits a moment, so that
several changes become one message. They have a channel of their own: a change of the program can make one for every member, and
events never wait behind those.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, case, cast
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from loyalty.models import OutboxMessage
from loyalty.models.columns import table_of

CHANNEL = "klaviyo_profile"
KIND = "profile"
# Long enough for a reward to be made at Shopify: its event then takes the profile along.
SETTLES_WITHIN = timedelta(seconds=10)


def want(session: Session, shop_id: int, member_ids: Iterable[int], *, now: datetime) -> None:
    """Have the profiles of these members written anew. Those for whom that is wanted already stay where they are in the queue."""
    rows = [
        {
            "shop_id": shop_id,
            "channel": CHANNEL,
            "kind": KIND,
            "unique_id": _waiting(member_id),
            "payload": {},
            "member_id": member_id,
            "occurred_at": now,
            "backfill": False,
            "state": "due",
            "attempts": 0,
            "due_at": now + SETTLES_WITHIN,
            "created_at": now,
        }
        for member_id in sorted(set(member_ids))
    ]
    if rows:
        make: Any = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        insert = make(table_of(OutboxMessage))
        # Written, not left alone: whoever sends the message waits for this transaction, or leaves it for the next time. A row that is
        # only looked at could be sent meanwhile, with what was true before.
        touched = insert.on_conflict_do_update(
            index_elements=["shop_id", "channel", "unique_id"],
            set_={"occurred_at": insert.excluded.occurred_at},
        )
        session.execute(touched, rows)


def along(session: Session, shop_id: int, member_ids: Iterable[int]) -> Sequence[OutboxMessage]:
    """What waits for these members: it can be settled by an event that is sent to them now."""
    names = sorted({_waiting(member_id) for member_id in member_ids})
    return session.exec(
        select(OutboxMessage)
        .where(
            OutboxMessage.shop_id == shop_id,
            OutboxMessage.channel == CHANNEL,
            col(OutboxMessage.unique_id).in_(names),
            OutboxMessage.state == "due",
        )
        .with_for_update(skip_locked=True)
    ).all()


def taken() -> ColumnElement[str]:
    """The unique id of a message that is being sent: another change of the member needs another message from now on."""
    name = "profile:" + cast(OutboxMessage.member_id, String) + ":" + cast(OutboxMessage.id, String)
    return case((col(OutboxMessage.channel) == CHANNEL, name), else_=col(OutboxMessage.unique_id))


def _waiting(member_id: int) -> str:
    return f"{KIND}:{member_id}"
