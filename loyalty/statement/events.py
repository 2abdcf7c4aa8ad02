"""The log of messages out: its whole history, by metric, state, person and date, with the answer that each one got.

The outbox is the log. No filter may walk all of it: a page looks at a bounded stretch of rows and says how far back it looked.
Messages that need somebody (refused, parked) have an index of their own and are found at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, literal, or_, select, text
from sqlmodel import Session, col

from loyalty.models import OutboxMessage
from loyalty.statement.keyset import Cursor, Page, fetch_page
from loyalty.statement.members import MemberRow, names_of

STATES = ("due", "sending", "delivered", "refused", "parked", "dropped")
TROUBLE = ("refused", "parked")
STRETCH = 50_000
_ID: Any = col(OutboxMessage.id)
_WRITTEN = col(OutboxMessage.created_at)
# Ids follow the order of writing but for transactions that overlap.
_OVERLAP = timedelta(minutes=10)
# Written out, not bound: a database uses a partial index only when it can see that the condition implies the index's own.
_IN_TROUBLE = text("state IN ('refused', 'parked')")


@dataclass(frozen=True, slots=True)
class Untold:
    """What will have a name once it is told: messages of a kind whose payload says one of these values under each of these names (``sign``
    is that of the points, ``+`` or ``-``)."""

    kind: str
    only: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What to show of a channel's log. ``since`` (inclusive) and ``until`` (exclusive) are about when a message was written; ``told`` is a name
    under which the remote was told, and ``untold`` what it will be told of under that name."""

    kind: str = ""
    told: str = ""
    untold: tuple[Untold, ...] = ()
    state: str = ""
    member_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def by_index(self) -> bool:
        """Whether an index leads straight to the rows."""
        return self.member_id is not None or self.state in TROUBLE


@dataclass(frozen=True, slots=True)
class EventRow:
    """One message out and whom it is about."""

    message: OutboxMessage
    member: MemberRow | None


@dataclass(frozen=True, slots=True)
class EventsPage:
    """A page of the log. ``looked_back_to`` is set when the page ends before the log does and may still be short of rows."""

    page: Page[EventRow]
    looked_back_to: datetime | None = None


def events_page(
    session: Session,
    shop_id: int,
    channel: str,
    wanted: EventFilter,
    *,
    cursor: Cursor | None = None,
    limit: int = 50,
    stretch: int = STRETCH,
) -> EventsPage:
    """One page of the log, the latest message first."""
    log = _log(session, shop_id, channel, wanted)
    conditions = [*log, *_conditions(wanted)]
    bound = None
    if not wanted.by_index and (wanted.kind or wanted.told or wanted.state):
        bound = _stretch_end(session, log, cursor, stretch)
    if bound is not None:
        conditions.append(_ID <= bound if cursor and not cursor.older else _ID >= bound)
    found = fetch_page(
        session,
        select(OutboxMessage).where(*conditions),
        [_ID],
        cursor=cursor,
        limit=limit,
        key_of=lambda row: (row[0].id,),
    )
    return _with_members(session, found, bound, cursor)


def event(session: Session, shop_id: int, channel: str, message_id: int) -> EventRow | None:
    """One message of a channel with everything that is known of it, or None."""
    message = session.scalar(select(OutboxMessage).where(*_of_channel(shop_id, channel), _ID == message_id))
    if message is None:
        return None
    return EventRow(message, _member_of(message, names_of(session, {message.member_id or 0})))


def troubled(session: Session, shop_id: int, channel: str, *, limit: int) -> tuple[int, ...]:
    """The ids of the messages that were refused or parked, at most ``limit``, the latest first."""
    statement = select(_ID).where(*_of_channel(shop_id, channel), _IN_TROUBLE)
    found = session.scalars(statement.order_by(_ID.desc()).limit(limit))
    return tuple(found)


def oldest_waiting(session: Session, shop_id: int, channel: str) -> datetime | None:
    """When the message was written that is next to be sent: how far the channel is behind. None when nothing waits."""
    waiting = text("state IN ('due', 'sending')")
    statement = select(_WRITTEN).where(*_of_channel(shop_id, channel), waiting)
    found: datetime | None = session.scalar(statement.order_by(col(OutboxMessage.due_at), _ID).limit(1))
    return found


def _of_channel(shop_id: int, channel: str) -> list[Any]:
    return [col(OutboxMessage.shop_id) == shop_id, col(OutboxMessage.channel) == channel]


def _log(session: Session, shop_id: int, channel: str, wanted: EventFilter) -> list[Any]:
    """The part of the log that lies within the dates, as a range of ids with the exact dates on top."""
    conditions = _of_channel(shop_id, channel)
    if wanted.since is not None:
        first = _first_id_after(session, wanted.since - _OVERLAP)
        conditions += [_WRITTEN >= wanted.since, _ID >= first]
    if wanted.until is not None:
        last = _first_id_after(session, wanted.until + _OVERLAP)
        conditions += [_WRITTEN < wanted.until, _ID <= last]
    return conditions


def _conditions(wanted: EventFilter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.kind:
        conditions.append(col(OutboxMessage.kind) == wanted.kind)
    if wanted.told:
        # One name a line: with a line's end on both sides a name is not taken for the end of a longer one.
        lines = literal("\n").concat(col(OutboxMessage.told)).concat("\n")
        was_told = lines.contains(f"\n{wanted.told}\n", autoescape=True)
        waits = and_(col(OutboxMessage.told).is_(None), col(OutboxMessage.state) != "delivered")
        conditions.append(or_(was_told, and_(waits, or_(false(), *map(_is_of, wanted.untold)))))
    if wanted.state in STATES:
        conditions.append(col(OutboxMessage.state) == wanted.state)
    if wanted.state in TROUBLE:
        conditions.append(_IN_TROUBLE)
    if wanted.member_id is not None:
        conditions.append(col(OutboxMessage.member_id) == wanted.member_id)
    return conditions


def _is_of(untold: Untold) -> ColumnElement[bool]:
    payload: Any = col(OutboxMessage.payload)
    traits = [col(OutboxMessage.kind) == untold.kind]
    for name, values in untold.only.items():
        if name == "sign":
            is_less = payload["points"].as_string().startswith("-")
            traits.append(or_(*(is_less if sign == "-" else ~is_less for sign in values)))
        else:
            traits.append(payload[name].as_string().in_(sorted(values)))
    return and_(*traits)


def _first_id_after(session: Session, moment: datetime) -> int:
    """The first id written at or after ``moment``, found by halving: two dozen look-ups by key among ten million rows."""
    low, high = 0, (session.scalar(select(func.max(_ID))) or 0) + 1
    while low < high:
        middle = (low + high) // 2
        probe = select(_ID, _WRITTEN).where(col(OutboxMessage.id) >= middle)
        row = session.execute(probe.order_by(col(OutboxMessage.id)).limit(1)).first()
        if row is None or row.created_at >= moment:
            high = middle
        else:
            low = row.id + 1
    return low


def _stretch_end(session: Session, log: list[Any], cursor: Cursor | None, stretch: int) -> int | None:
    """The id at which this page stops looking, or None when the log ends before."""
    upwards = cursor is not None and not cursor.older
    statement = select(_ID).where(*log)
    if cursor is not None:
        statement = statement.where(_ID > cursor.key[0] if upwards else _ID < cursor.key[0])
    ordered = statement.order_by(_ID.asc() if upwards else _ID.desc())
    end: int | None = session.scalar(ordered.offset(stretch).limit(1))
    return end


def _with_members(session: Session, found: Page[Any], bound: int | None, cursor: Cursor | None) -> EventsPage:
    messages = [row[0] for row in found.rows]
    people = names_of(session, {message.member_id for message in messages if message.member_id is not None})
    rows = tuple(EventRow(message, _member_of(message, people)) for message in messages)
    newer, older, looked_back_to = found.newer, found.older, None
    upwards = cursor is not None and not cursor.older
    if bound is not None and upwards and newer is None:
        newer = Cursor((bound,), older=False)
    if bound is not None and not upwards and older is None:
        older = Cursor((bound,))
        looked_back_to = session.scalar(select(_WRITTEN).where(_ID == bound))
    return EventsPage(Page(rows, newer, older), looked_back_to)


def _member_of(message: OutboxMessage, people: dict[int, MemberRow]) -> MemberRow | None:
    return people.get(message.member_id) if message.member_id is not None else None
