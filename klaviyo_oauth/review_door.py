"""The door for Klaviyo's webhooks: verify the raw bytes, keep each event once, answer. What the events mean is decided later."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import structlog
from flask import Blueprint, Response, request
from sqlmodel import Session, select
from werkzeug.exceptions import RequestEntityTooLarge

from klaviyo_oauth import connections, review_facts
from loyalty import inbox
from loyalty.encryption import SealBroken
from loyalty.models import KlaviyoConnection, Shop
from loyalty.runtime import Runtime

# A delivery holds up to a thousand events; a review with its text is a few kilobytes.
LARGEST = 8 * 1024 * 1024
# The shape of the keys that we make; the database is not asked for any other.
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Door:
    key: str
    shop_id: int
    shop_domain: str
    webhook_id: str | None
    secret: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified delivery: which webhook it came by, and the events in it."""

    webhook_id: str
    events: tuple[Mapping[str, Any], ...]


def create_blueprint(runtime: Runtime) -> Blueprint:
    """The route of the webhook door."""
    blueprint = Blueprint("klaviyo_webhooks", __name__)

    @blueprint.post("/webhooks/klaviyo/<key>")
    def receive(key: str) -> Response:
        return _receive(runtime, key)

    return blueprint


def signature_holds(secret: str, body: bytes, timestamp: str, signature: str) -> bool:
    """Whether Klaviyo signed these bytes: the hex HMAC-SHA256 of the body followed by the timestamp header.

    There is no freshness check: whether a retry is signed anew is not documented, and a repeat is recognised by its event's id.
    """
    if not secret or not timestamp or not signature.isascii():
        return False
    expected = hmac.new(secret.encode(), body + timestamp.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature.lower())


def parse(body: bytes) -> Delivery | None:
    """The delivery in verified bytes, or None when they are none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    meta, data = document.get("meta"), document.get("data")
    webhook_id = meta.get("klaviyo_webhook_id") if isinstance(meta, dict) else None
    if not isinstance(webhook_id, str) or not isinstance(data, list):
        return None
    return Delivery(webhook_id, tuple(entry for entry in data if isinstance(entry, dict)))


def _receive(runtime: Runtime, key: str) -> Response:
    # A body without a length is cut off while it is read; it never fills the memory.
    request.max_content_length = LARGEST
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        return _answer(413)
    door = None
    if _KEY.fullmatch(key):
        with runtime.reading() as session:
            door = _door(runtime, session, key)
    if door is None:
        return _answer(404)
    timestamp = request.headers.get("Klaviyo-Timestamp", "")
    if not signature_holds(door.secret, body, timestamp, request.headers.get("Klaviyo-Signature", "")):
        return _answer(401)
    delivery = parse(body)
    if delivery is None:
        return _answer(400)
    if door.webhook_id is not None and delivery.webhook_id != door.webhook_id:
        return _answer(401)
    _keep(runtime, door, delivery)
    return _answer(202)


def _door(runtime: Runtime, session: Session, key: str) -> _Door | None:
    found = session.exec(
        select(KlaviyoConnection, Shop.domain)
        .where(KlaviyoConnection.webhook_key == key)
        .where(Shop.id == KlaviyoConnection.shop_id)
    ).first()
    if found is None:
        return None
    row, domain = found
    sealed = row.webhook_secret
    if sealed is None:
        return None
    try:
        secret = runtime.cipher.open(sealed, row=connections.seal_row(row.shop_id))
    except SealBroken:
        log.warning("webhook secret cannot be opened", shop=row.shop_id)
        return None
    return _Door(key, row.shop_id, domain, row.webhook_id, secret)


def _keep(runtime: Runtime, door: _Door, delivery: Delivery) -> None:
    now, needs_poll, kept = runtime.clock(), False, 0
    with runtime.transaction() as session:
        connection = session.connection()
        for event_id, topic, entry in _events(delivery):
            kept += inbox.receive(
                connection,
                shop_domain=door.shop_domain,
                source=inbox.KLAVIYO,
                delivery_id=event_id,
                topic=topic,
                body=json.dumps(review_facts.trimmed_event(entry), separators=(",", ":")).encode(),
                now=now,
            )
            needs_poll |= review_facts.needs_poll(entry)
        row = connections.load(session, door.shop_id, lock=True)
        # One that was ended while the delivery was read has no webhook any more, and shall not be given one.
        if row is not None and row.webhook_key == door.key:
            # A webhook whose creation was answered by silence is known by its first delivery.
            row.webhook_id = row.webhook_id or delivery.webhook_id
            connections.change_details(row, webhook_heard_at=now.isoformat())
    if kept:
        runtime.nudge("drain_inbox", door.shop_domain)
    if needs_poll:
        runtime.nudge("poll_reviews", door.shop_id)


def _events(delivery: Delivery) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for entry in delivery.events:
        event_id, topic = entry.get("external_id"), entry.get("topic")
        if _is_name(event_id) and _is_name(topic):
            yield event_id[:255], topic[:255], entry
        else:
            log.warning("a webhook event without id or topic was left out")


def _is_name(value: object) -> TypeGuard[str]:
    # Control characters and halves of characters: no database keeps them, and one would spoil the whole delivery for ever.
    return isinstance(value, str) and bool(value) and value.isprintable()


def _answer(status: int) -> Response:
    return Response(status=status, headers={"Cache-Control": "no-store"})
