"""The outbox: what shall be told to Klaviyo and Shopify, and the log of what was.

A row is written in the transaction that made it true, so a committed change is always told and an undone one never is. That, and
not a call to a queue, is why nothing is lost between the two.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Boolean, Insert, Integer, String, and_, cast, literal, or_, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from loyalty import silent
from loyalty.delivery import Delivered, Dropped, Later, Message, Outcome, Recipient, Refused
from loyalty.encryption import Cipher
from loyalty.models import Member, OutboxMessage
from loyalty.models.columns import Json, UtcDateTime, table_of

KLAVIYO = "klaviyo"
# Profiles that are written anew without any news.
PROFILES = silent.CHANNEL
SHOPIFY = "shopify"
# What a shopper waits for: in a line of its own it stands behind no balances that are written and no orders that are read again.
REWARDS = "rewards"
REREAD_ORDER = "reread_order"
# Takes our properties off the Klaviyo profile of an address that is nobody's any more.
FORGET = "forget_profile"

LONGEST_WAIT = timedelta(hours=1)
# An hour between the later tries: more than two days of a message being answered with errors before it is parked.
MOST_ATTEMPTS = 60
# Why a message is parked whose every attempt ended with the process that made it.
NEVER_ENDED = "sending_never_ended"


def row(
    shop_id: int,
    channel: str,
    kind: str,
    unique_id: str,
    payload: Mapping[str, Any],
    *,
    member_id: int | None = None,
    occurred_at: datetime,
    now: datetime,
    backfill: bool = False,
    not_before: datetime | None = None,
) -> dict[str, Any]:
    """The values of a new message, for ``put_many``."""
    return {
        "shop_id": shop_id,
        "channel": channel,
        "kind": kind,
        "unique_id": unique_id,
        "payload": dict(payload),
        "member_id": member_id,
        "occurred_at": occurred_at,
        "backfill": backfill,
        "state": "due",
        "attempts": 0,
        "due_at": max(now, not_before or now),
        "created_at": now,
    }


def forgetting(cipher: Cipher, shop_id: int, email: str, unique_id: str, *, now: datetime) -> dict[str, Any]:
    """The values of a message ``FORGET``. The address is sealed, because the outbox is a log that people read, and goes when it was used."""
    payload = {"sealed": cipher.seal(email, row=forgotten(shop_id))}
    return row(shop_id, KLAVIYO, FORGET, unique_id, payload, occurred_at=now, now=now)


def forgotten(shop_id: int) -> str:
    """What the address of a message ``FORGET`` is sealed for."""
    return f"forget:{shop_id}"


def rereading(shop_id: int, order_id: int, occasion: str, *, now: datetime) -> dict[str, Any]:
    """The values of a message that asks Shopify for an order as it is, once per ``occasion``."""
    payload = {"order_id": order_id, "history": False}
    return row(
        shop_id, SHOPIFY, REREAD_ORDER, f"reread:{order_id}:{occasion}", payload, occurred_at=now, now=now
    )


def put_many(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Add messages; one whose (shop, channel, unique id) is already there is left as it is."""
    if rows:
        session.execute(insert_or_ignore(session, OutboxMessage), rows)


def put(
    session: Session,
    shop_id: int,
    channel: str,
    kind: str,
    unique_id: str,
    payload: Mapping[str, Any],
    **rest: Any,
) -> None:
    """Add one message (see ``row`` for the rest). Adding it again changes nothing."""
    put_many(session, [row(shop_id, channel, kind, unique_id, payload, **rest)])


def tell_balances(session: Session, shop_id: int, *, occasion: str, now: datetime) -> None:
    """Queue the writing of every balance to Shopify: what an app kept there is gone when it was removed. Once per ``occasion``."""
    columns = {
        "shop_id": literal(shop_id, BigInteger),
        "channel": literal(SHOPIFY),
        "kind": literal("balance_metafield"),
        "unique_id": "balance:" + cast(Member.id, String) + f":{occasion}",
        "member_id": col(Member.id),
        "payload": literal({}, Json),
        "occurred_at": literal(now, UtcDateTime),
        # Nobody waits for these: what changes meanwhile goes before them.
        "backfill": literal(value=True, type_=Boolean),
        "state": literal("due"),
        "attempts": literal(0, Integer),
        "due_at": literal(now, UtcDateTime),
        "created_at": literal(now, UtcDateTime),
    }
    with_points = (
        select(*columns.values())  # type: ignore[call-overload]  # one column per field of the table
        .where(col(Member.shop_id) == shop_id, col(Member.balance) != 0)
        .where(col(Member.shopify_customer_id).is_not(None))
    )
    session.execute(insert_or_ignore(session, OutboxMessage).from_select(list(columns), with_points))


def insert_or_ignore(session: Session, table: type[SQLModel]) -> Insert:
    """An INSERT that leaves an existing row alone, in the dialect of the session's database."""
    dialect = session.get_bind().dialect.name
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return make(table_of(table)).on_conflict_do_nothing()


def add_once(session: Session, table: type[SQLModel], values: Mapping[str, Any]) -> bool:
    """Insert a row; False when it was there already. It is asked for by what comes back: PostgreSQL's driver does not tell how many rows an
    INSERT made."""
    (key,) = table_of(table).primary_key.columns
    added = insert_or_ignore(session, table).values(**values).returning(key)
    return session.execute(added).first() is not None


def claim(
    session: Session, shop_id: int, channel: str, *, limit: int, lease: timedelta, now: datetime
) -> list[Message]:
    """Lease up to ``limit`` due messages with their recipients as they are now: oldest first, and history behind all that happens now.

    A message whose lease ran out (its process died) is due again; the attempt has been counted, so a message that kills its worker
    ends up parked like any other poison.
    """
    rows = _due(session, shop_id, channel, history=False, limit=limit, now=now)
    if len(rows) < limit:
        rows += _due(session, shop_id, channel, history=True, limit=limit - len(rows), now=now)
    rows = _without_worn(session, rows, now)
    if not rows:
        return []
    if channel == KLAVIYO:
        # An event writes the profile as well: what only waits to do that is settled with it.
        told = [message.member_id for message in rows if message.member_id is not None]
        rows = [*rows, *silent.along(session, shop_id, told)]
    ids = [message.id for message in rows]
    session.execute(
        update(OutboxMessage)
        .where(col(OutboxMessage.id).in_(ids))
        .values(
            state="sending",
            lease_until=now + lease,
            attempts=OutboxMessage.attempts + 1,
            unique_id=silent.taken(),
        ),
        execution_options={"synchronize_session": False},
    )
    named = {message.member_id for message in rows} | {_about(message) for message in rows}
    recipients = _recipients(session, {member_id for member_id in named if member_id is not None})
    return [_message(message, recipients) for message in rows]


def record(
    session: Session, messages: Sequence[Message], outcomes: Mapping[int, Outcome], *, now: datetime
) -> None:
    """Write down what came of each message. A message without an outcome keeps its lease and is tried again when that runs out."""
    alike: dict[tuple[tuple[str, Any], ...], list[int]] = defaultdict(list)
    for message in messages:
        if message.id in outcomes:
            change = _change(message, outcomes[message.id], now)
            alike[tuple(sorted(change.items()))].append(message.id)
    # Nearly all messages of a batch end alike: one statement per kind of end, not one per message.
    for change_items, ids in alike.items():
        session.execute(
            update(OutboxMessage).where(col(OutboxMessage.id).in_(ids)).values(dict(change_items)),
            execution_options={"synchronize_session": False},
        )
    _forget_addresses(session, messages, outcomes)


def hurry(session: Session, shop_id: int, channels: Collection[str], *, now: datetime) -> None:
    """What it waited for has come: what failed for the time being is due at once. What was never tried keeps its time."""
    waiting = update(OutboxMessage).where(
        col(OutboxMessage.shop_id) == shop_id,
        col(OutboxMessage.channel).in_(channels),
        col(OutboxMessage.state) == "due",
        col(OutboxMessage.due_at) > now,
        col(OutboxMessage.error).is_not(None),
    )
    session.execute(waiting.values(due_at=now), execution_options={"synchronize_session": False})


def retry(session: Session, shop_id: int, ids: Sequence[int], *, now: datetime) -> int:
    """Make finished, refused or parked messages due again with their old unique ids; returns how many."""
    result = session.execute(
        update(OutboxMessage)
        .where(
            col(OutboxMessage.shop_id) == shop_id,
            col(OutboxMessage.id).in_(ids),
            col(OutboxMessage.state).in_(("delivered", "refused", "parked", "dropped")),
        )
        .values(state="due", due_at=now, attempts=0, error=None, status_code=None, finished_at=None)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def _due(
    session: Session, shop_id: int, channel: str, *, history: bool, limit: int, now: datetime
) -> list[OutboxMessage]:
    """Lock what is due, passing over what another process holds."""
    state = col(OutboxMessage.state)
    due = or_(
        and_(state == "due", col(OutboxMessage.due_at) <= now),
        and_(state == "sending", col(OutboxMessage.lease_until) <= now),
    )
    mine = (OutboxMessage.shop_id == shop_id, OutboxMessage.channel == channel)
    found = session.exec(
        select(OutboxMessage)
        # Word for word the conditions of the partial indexes, or SQLite does not use them.
        .where(*mine, due, text("state IN ('due', 'sending')"), col(OutboxMessage.backfill).is_(history))
        .order_by(col(OutboxMessage.due_at), col(OutboxMessage.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(found.all())


def _without_worn(session: Session, rows: list[OutboxMessage], now: datetime) -> list[OutboxMessage]:
    """The rows, but those whose every attempt ended with its process: they are parked."""
    worn = {row.id for row in rows if row.state == "sending" and row.attempts >= MOST_ATTEMPTS}
    if not worn:
        return rows
    parked = update(OutboxMessage).where(col(OutboxMessage.id).in_(worn))
    session.execute(
        parked.values(_ended("parked", NEVER_ENDED, None, now)),
        execution_options={"synchronize_session": False},
    )
    return [row for row in rows if row.id not in worn]


def _forget_addresses(session: Session, messages: Sequence[Message], outcomes: Mapping[int, Outcome]) -> None:
    """An address that came with a message is not kept when that has ended. What was refused still needs somebody, and the address."""
    ended = [
        message.id
        for message in messages
        if "sealed" in message.payload and isinstance(outcomes.get(message.id), Delivered | Dropped)
    ]
    if ended:
        session.execute(
            update(OutboxMessage).where(col(OutboxMessage.id).in_(ended)).values(payload={}),
            execution_options={"synchronize_session": False},
        )


def _recipients(session: Session, member_ids: set[int]) -> dict[int, Recipient]:
    if not member_ids:
        return {}
    members = session.exec(select(Member).where(col(Member.id).in_(member_ids))).all()
    kept_ids = {member.merged_into for member in members if member.merged_into is not None}
    kept = {member.id: member for member in session.exec(select(Member).where(col(Member.id).in_(kept_ids)))}
    found = ((member.id, kept.get(member.merged_into, member)) for member in members)
    return {asked: _recipient(member) for asked, member in found if asked is not None}


def _recipient(member: Member) -> Recipient:
    assert member.id is not None
    return Recipient(
        member_id=member.id,
        email=member.email,
        customer_id=member.shopify_customer_id,
        first_name=member.first_name,
        last_name=member.last_name,
        state=member.state,
        balance=member.balance,
        lifetime_earned=member.lifetime_earned,
        lifetime_spent=member.lifetime_spent,
        joined_at=member.joined_at,
        pending=member.pending,
        tier=member.tier,
        tier_since=member.tier_since,
        tier_until=member.tier_until,
        next_tier=member.next_tier,
        next_tier_distance=member.next_tier_distance,
        expires_at=member.expires_at,
        expiring_points=member.expiring_points,
        birthday_month=member.birthday_month,
        birthday_day=member.birthday_day,
        last_activity_at=member.last_activity_at,
        referral_code=member.referral_code,
    )


def _about(message: OutboxMessage) -> int | None:
    """Whom else a message is about: its payload names the row, because names and addresses must not wait in it."""
    member_id = message.payload.get("about_member")
    return member_id if isinstance(member_id, int) else None


def _person(found: Recipient | None) -> Recipient | None:
    return None if found is None or found.state == "redacted" else found


def _message(message: OutboxMessage, recipients: Mapping[int, Recipient]) -> Message:
    assert message.id is not None
    return Message(
        id=message.id,
        shop_id=message.shop_id,
        kind=message.kind,
        unique_id=message.unique_id,
        payload=message.payload,
        occurred_at=message.occurred_at,
        backfill=message.backfill,
        attempts=message.attempts + 1,
        recipient=recipients.get(message.member_id) if message.member_id is not None else None,
        about=_person(recipients.get(_about(message) or 0)),
    )


def _change(message: Message, outcome: Outcome, now: datetime) -> dict[str, Any]:
    match outcome:
        case Delivered(status_code=status, told=told):
            return _ended("delivered", None, status, now) | (
                {} if told is None else {"told": "\n".join(told)}
            )
        case Refused(reason=reason, status_code=status):
            return _ended("refused", reason, status, now)
        case Dropped(reason=reason):
            return _ended("dropped", reason, None, now)
        case Later(seconds=seconds, reason=reason, status_code=status, counts=counts):
            attempts = message.attempts if counts else message.attempts - 1
            if attempts >= MOST_ATTEMPTS:
                return _ended("parked", reason, status, now) | {"attempts": attempts}
            wait = min(timedelta(seconds=max(seconds, 0)), LONGEST_WAIT)
            return _ended("due", reason, status, None) | {"attempts": attempts, "due_at": now + wait}


def _ended(state: str, error: str | None, status: int | None, at: datetime | None) -> dict[str, Any]:
    return {"state": state, "error": error, "status_code": status, "finished_at": at, "lease_until": None}
