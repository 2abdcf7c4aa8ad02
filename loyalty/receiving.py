"""Drains the inbox of one shop: deliveries become facts, facts become entries, in batches of one transaction each.

A delivery that cannot be understood is parked; one whose batch fails is tried alone, so poison never blocks its neighbours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlmodel import Session, select

from loyalty import inbox, outbox
from loyalty.core.facts import Fact, ShopMessage
from loyalty.database import retry_on_conflict
from loyalty.inbox import Malformed
from loyalty.models import InboxMessage, Shop
from loyalty.points import absorb
from loyalty.runtime import TURN, Runtime

BATCH = 200
_CHANNELS = frozenset((outbox.SHOPIFY, outbox.KLAVIYO))

Translator = Callable[[InboxMessage], Sequence[Fact]]
ShopHandler = Callable[[Session, Shop, ShopMessage, datetime], None]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reception:
    """How the roots join the edges to the inbox: a translator per source, and a handler per topic about the shop itself."""

    translators: Mapping[str, Translator]
    shop_handlers: Mapping[str, ShopHandler]


@dataclass(frozen=True, slots=True)
class Drained:
    """What one drain did. ``channels`` have something to send now; ``more`` says that due deliveries are left."""

    shop_id: int | None
    messages: int
    channels: frozenset[str]
    more: bool


def drain_inbox(runtime: Runtime, reception: Reception, shop_domain: str) -> Drained:
    """Work through a shop's due deliveries, for a turn. Deliveries of a shop that we do not know yet stay where they are."""
    channels: frozenset[str] = frozenset()
    handled = 0
    until = runtime.clock() + TURN
    while True:
        shop_id, claimed, told = _drain_batch(runtime, reception, shop_domain)
        channels |= told
        handled += claimed
        if claimed < BATCH:
            return Drained(shop_id, handled, channels, more=False)
        if runtime.clock() >= until:
            return Drained(shop_id, handled, channels, more=True)


def _drain_batch(
    runtime: Runtime, reception: Reception, shop_domain: str
) -> tuple[int | None, int, frozenset[str]]:
    ids: list[int] = []
    try:
        return _drain_together(runtime, reception, shop_domain, ids)
    except Exception as error:  # any cause: each delivery is tried alone, and the one at fault is recorded
        if not ids:
            raise
        log.warning("inbox batch failed, trying one by one", error=type(error).__name__, size=len(ids))
    told: frozenset[str] = frozenset()
    for message_id in ids:
        told |= _drain_one(runtime, reception, shop_domain, message_id)
    with runtime.reading() as session:
        shop = _shop(session, shop_domain)
        return (shop.id if shop else None), len(ids), told


@retry_on_conflict
def _drain_together(
    runtime: Runtime, reception: Reception, shop_domain: str, ids: list[int]
) -> tuple[int | None, int, frozenset[str]]:
    """Handle a batch in one transaction; ``ids`` says which deliveries it is made of, also when it fails."""
    with runtime.transaction() as session:
        shop = _shop(session, shop_domain)
        if shop is None:
            return None, 0, frozenset()
        messages = inbox.claim(session, shop_domain, limit=BATCH, now=runtime.clock())
        ids[:] = [message.id for message in messages if message.id is not None]
        return shop.id, len(ids), _handle(runtime, session, shop, messages, reception)


def _drain_one(runtime: Runtime, reception: Reception, shop_domain: str, message_id: int) -> frozenset[str]:
    now = runtime.clock()
    try:
        with runtime.transaction() as session:
            shop = _shop(session, shop_domain)
            message = _due(session, message_id)
            if shop is None or message is None:
                return frozenset()
            return _handle(runtime, session, shop, [message], reception)
    except Exception as error:  # recorded on the row, which backs off and is parked in the end
        log.exception("inbox message failed", message=message_id)
        with runtime.transaction() as session:
            message = _due(session, message_id)
            if message is not None:
                inbox.postpone(session, message, error=type(error).__name__, now=now)
        return frozenset()


def _handle(
    runtime: Runtime, session: Session, shop: Shop, messages: Sequence[InboxMessage], reception: Reception
) -> frozenset[str]:
    now, cipher = runtime.clock(), runtime.cipher
    done: list[int] = []
    ignored: list[int] = []
    facts: list[Fact] = []
    channels: frozenset[str] = frozenset()
    for message in messages:
        assert message.id is not None
        try:
            found = reception.translators[message.source](message)
        except Malformed as error:
            inbox.park(session, message.id, error=str(error), now=now)
            continue
        (done if found else ignored).append(message.id)
        for fact in found:
            if isinstance(fact, ShopMessage):
                channels |= absorb(session, shop, facts, now=now, cipher=cipher)
                facts = []
                _as_it_is_now(session, shop)
                reception.shop_handlers[fact.topic](session, shop, fact, now)
                # It may have queued something, and says not what: ringing for nothing costs nothing.
                channels |= _CHANNELS
            else:
                facts.append(fact)
    channels |= absorb(session, shop, facts, now=now, cipher=cipher)
    inbox.finish(session, done, state="done", now=now)
    inbox.finish(session, ignored, state="ignored", now=now)
    return channels


def _as_it_is_now(session: Session, shop: Shop) -> None:
    """The merchant may have come back since the batch began: an old removal or erasure must not be carried out on what was just
    installed. The lock is one that whoever only adds rows to the shop need not wait for."""
    session.flush()
    session.refresh(shop, with_for_update={"key_share": True})


def _shop(session: Session, domain: str) -> Shop | None:
    return session.exec(select(Shop).where(Shop.domain == domain)).first()


def _due(session: Session, message_id: int) -> InboxMessage | None:
    return session.exec(
        select(InboxMessage)
        .where(InboxMessage.id == message_id, InboxMessage.state == "due")
        .with_for_update(skip_locked=True)
    ).first()
