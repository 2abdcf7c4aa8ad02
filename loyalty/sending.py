"""Drains one channel of one shop's outbox: claim, send with no transaction open, record what came of it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import func
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import col, select

from loyalty import leases, outbox
from loyalty.core.facts import Fact
from loyalty.database import retry_on_conflict
from loyalty.delivery import Delivered, Dropped, Later, Message, Outcome, Refused, Sender
from loyalty.models import OutboxMessage, Shop
from loyalty.points import absorb
from loyalty.runtime import TURN, Runtime

_FIRST_WAIT = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What one drain did. ``again_in`` is when to ring again, in seconds (0: now), or None when nothing is left."""

    messages: int
    channels: frozenset[str]
    again_in: float | None


def drain_outbox(runtime: Runtime, sender: Sender, shop_id: int) -> Sent:
    """Send what is due on the sender's channel, for a turn. One process at a time does it: the remote's limits are per account."""
    holder = uuid.uuid4().hex
    name = f"outbox:{sender.channel}:{shop_id}"
    sent, channels = 0, frozenset[str]()
    until = runtime.clock() + TURN
    try:
        while sent == 0 or runtime.clock() < until:
            with runtime.transaction() as session:
                if not leases.acquire(
                    session, name, holder=holder, seconds=runtime.lease_seconds, now=runtime.clock()
                ):
                    # Whoever holds it may have been killed: come back when the lease runs out.
                    return Sent(sent, channels, leases.remaining(session, name, now=runtime.clock()) + 0.1)
                shop = session.get(Shop, shop_id)
                if shop is None or shop.uninstalled_at is not None:
                    return Sent(sent, channels, None)
                messages = outbox.claim(
                    session,
                    shop_id,
                    sender.channel,
                    limit=sender.batch_size,
                    lease=timedelta(seconds=runtime.lease_seconds),
                    now=runtime.clock(),
                )
            if not messages:
                break
            outcomes = _send(runtime, sender, shop_id, messages)
            channels |= _record(runtime, shop_id, messages, outcomes)
            sent += len(messages)
            if any(isinstance(outcome, Later) and not outcome.counts for outcome in outcomes.values()):
                break
        return Sent(sent, channels, _again_in(runtime, sender.channel, shop_id))
    finally:
        with runtime.transaction() as session:
            leases.release(session, name, holder=holder)


def _send(
    runtime: Runtime, sender: Sender, shop_id: int, messages: Sequence[Message]
) -> Mapping[int, Outcome]:
    """What came of the messages. When one of them makes the sender fail, each is tried alone, so that it holds up nobody else; those for
    which there is no time are tried when their lease has run out."""
    try:
        return sender.send(shop_id, messages)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # whatever it was: it becomes an outcome of the message that it belongs to
        log.exception("sending failed", channel=sender.channel, messages=len(messages))
        if len(messages) == 1:
            wait = min(_FIRST_WAIT * 2 ** min(messages[0].attempts, 20), outbox.LONGEST_WAIT.total_seconds())
            return {messages[0].id: Later(wait, type(error).__name__)}
    until = runtime.clock() + timedelta(seconds=runtime.lease_seconds / 2)
    outcomes: dict[int, Outcome] = {}
    for message in messages:
        if runtime.clock() < until:
            outcomes |= _send(runtime, sender, shop_id, [message])
    return outcomes


@retry_on_conflict
def _record(
    runtime: Runtime, shop_id: int, messages: Sequence[Message], outcomes: Mapping[int, Outcome]
) -> frozenset[str]:
    facts: list[Fact] = []
    for outcome in outcomes.values():
        if isinstance(outcome, Delivered | Refused | Dropped):
            facts.extend(outcome.facts)
    with runtime.transaction() as session:
        now = runtime.clock()
        outbox.record(session, messages, outcomes, now=now)
        shop = session.get(Shop, shop_id)
        return absorb(session, shop, facts, now=now) if shop is not None else frozenset()


def _again_in(runtime: Runtime, channel: str, shop_id: int) -> float | None:
    """How long until the next message of the channel is due, or the lease of one in flight runs out."""
    mine = (col(OutboxMessage.shop_id) == shop_id, col(OutboxMessage.channel) == channel)
    with runtime.reading() as session:
        instants = session.execute(
            select(
                select(func.min(OutboxMessage.due_at))
                .where(*mine, col(OutboxMessage.state) == "due")
                .scalar_subquery(),
                select(func.min(OutboxMessage.lease_until))
                .where(*mine, col(OutboxMessage.state) == "sending")
                .scalar_subquery(),
            )
        ).one()
    waits = [
        (instant - runtime.clock()) / timedelta(seconds=1) for instant in instants if instant is not None
    ]
    return max(min(waits), 0.0) if waits else None
