"""Klaviyo's two ways to speak of a review, read into our one fact: the event of a webhook, and the review itself as the API shows it.

Pure. The event carries the state at submission and perhaps no review id; then the review is polled for instead.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from loyalty.core.facts import Fact, ReviewSeen
from loyalty.inbox import Malformed

REVIEW_TOPIC = "review"
SUBMITTED_REVIEW = "event:klaviyo.submitted_review"
SUBMITTED_RATING = "event:klaviyo.submitted_rating"
WEBHOOK_TOPICS = (SUBMITTED_REVIEW, SUBMITTED_RATING)

# Klaviyo says that a review shows media, and lists its pictures; that one of them moves, it says nowhere in so many words.
_VIDEO = re.compile(r"\.(mp4|m4v|mov|webm)(\?|$)", re.IGNORECASE)
# The shape of the API's review ids. An id of another shape might name the same review otherwise, and then it would earn twice.
_API_ID = re.compile(r"[0-9a-f]{32}")
# What is read of an event below.
_EVENT_KEPT = (
    "review_id",
    "review_email",
    "review_rating",
    "review_verified",
    "review_status",
    "review_has_media",
    "review_images",
    "review_videos",
    "is_store_review",
)


class Received(Protocol):
    """The part of an inbox row that is read here."""

    topic: str
    body: bytes
    received_at: datetime


def translate(message: Received) -> Sequence[Fact]:
    """The facts of one message of the source ``klaviyo``. Raises ``loyalty.inbox.Malformed``."""
    if message.topic != REVIEW_TOPIC and message.topic not in WEBHOOK_TOPICS:
        return ()
    try:
        document = json.loads(message.body)
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    if not isinstance(document, Mapping):
        raise Malformed("not an object")
    if message.topic == REVIEW_TOPIC:
        return (_from_review(document, message.received_at),)
    fact = _from_event(document, message)
    return () if fact is None else (fact,)


def needs_poll(entry: Mapping[str, Any]) -> bool:
    """Whether a webhook event only signals a review that has to be fetched."""
    return entry.get("topic") in WEBHOOK_TOPICS and _event_review_id(_properties(entry)) is None


def trimmed(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a review resource that is kept until it is settled: no texts, no names."""
    attributes = _mapping(resource.get("attributes"))
    kept = ("email", "rating", "review_type", "verified", "status", "created", "updated")
    has_video = _shows_video(attributes, "")
    media = {"has_media": bool(attributes.get("images")) or has_video, "has_video": has_video}
    return {"id": resource.get("id"), "attributes": {key: attributes.get(key) for key in kept} | media}


def trimmed_event(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a webhook event that is kept until it is settled: no texts, no names, and of events that are not about reviews nothing."""
    if entry.get("topic") not in WEBHOOK_TOPICS:
        return {}
    attributes, properties = _event_attributes(entry), _properties(entry)
    kept = {name: properties[name] for name in _EVENT_KEPT if name in properties}
    times = {name: attributes[name] for name in ("timestamp", "datetime") if name in attributes}
    return {"payload": {"data": {"attributes": times | {"event_properties": kept}}}}


def status_of(attributes: Mapping[str, Any]) -> str:
    """pending, published, unpublished, featured or rejected."""
    status = attributes.get("status")
    value = status.get("value") if isinstance(status, Mapping) else status
    return value if isinstance(value, str) else ""


def moment(value: object) -> datetime | None:
    """An instant as Klaviyo writes it, with a T or a space, with or without its zone; None when it is none."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _from_review(document: Mapping[str, Any], seen_at: datetime) -> ReviewSeen:
    attributes = _mapping(document.get("attributes"))
    review_id, created = document.get("id"), moment(attributes.get("created"))
    if not isinstance(review_id, str) or not review_id:
        raise Malformed("a review without an id")
    if created is None:
        raise Malformed("a review without a created date")
    return ReviewSeen(
        review_id=review_id,
        email=_email(attributes.get("email")),
        kind=_text(attributes.get("review_type")),
        rating=_rating(attributes.get("rating")),
        verified=attributes.get("verified") is True,
        has_media=attributes.get("has_media") is True,
        status=status_of(attributes),
        submitted_at=created,
        seen_at=moment(attributes.get("updated")) or seen_at,
        has_video=attributes.get("has_video") is True,
    )


def _from_event(document: Mapping[str, Any], message: Received) -> ReviewSeen | None:
    properties = _properties(document)
    review_id = _event_review_id(properties)
    if review_id is None:
        return None
    submitted_at = _event_time(document) or message.received_at
    kind = "rating" if message.topic == SUBMITTED_RATING else "review"
    has_media = properties.get("review_has_media") is True
    # Media without a single picture can only be a video.
    without_pictures = has_media and properties.get("review_images") == []
    return ReviewSeen(
        review_id=review_id,
        email=_email(properties.get("review_email")),
        kind="store" if properties.get("is_store_review") is True else kind,
        rating=_rating(properties.get("review_rating")),
        verified=properties.get("review_verified") is True,
        has_media=has_media,
        status=_text(properties.get("review_status")) or "pending",
        submitted_at=submitted_at,
        seen_at=submitted_at,
        has_video=without_pictures or _shows_video(properties, "review_"),
    )


def _shows_video(values: Mapping[str, Any], prefix: str) -> bool:
    """Whether there is a video: among those that are listed as such, or among the pictures."""
    listed = values.get(f"{prefix}images")
    addresses = listed if isinstance(listed, Sequence) and not isinstance(listed, str) else ()
    return bool(values.get(f"{prefix}videos")) or any(
        isinstance(address, str) and _VIDEO.search(address) for address in addresses
    )


def _event_attributes(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    data = _mapping(_mapping(entry.get("payload")).get("data"))
    return _mapping(data.get("attributes"))


def _properties(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(_event_attributes(entry).get("event_properties"))


def _event_review_id(properties: Mapping[str, Any]) -> str | None:
    found = properties.get("review_id")
    return found if isinstance(found, str) and _API_ID.fullmatch(found) else None


def _event_time(entry: Mapping[str, Any]) -> datetime | None:
    attributes = _event_attributes(entry)
    stamp = attributes.get("timestamp")
    if isinstance(stamp, int) and not isinstance(stamp, bool) and 0 < stamp < 2**33:
        return datetime.fromtimestamp(stamp, UTC)
    return moment(attributes.get("datetime"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _email(value: object) -> str | None:
    return value.strip().lower() or None if isinstance(value, str) else None


def _rating(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 1 <= value <= 5 else None
