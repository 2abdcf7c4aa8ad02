"""Request bodies for Klaviyo, made by pure functions. People are named by e-mail only, taken from the recipient: a phone number or
an external id can make Klaviyo merge two profiles, and null would clear what the merchant's other tools wrote."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from klaviyo_oauth.dialects import Choice, Event, Person, Telling
from klaviyo_oauth.event_properties import event_properties, sides
from klaviyo_oauth.standing import NO_REWARDS, Rewards, ShopView, Standing, standing_of
from loyalty.delivery import Message, Recipient

MOST_EVENTS = 1_000
MOST_PROFILES = 10_000
# Klaviyo's limit is 5 MB for either kind of batch; the rest is room for the envelope.
MOST_BYTES = 4_900_000

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)
_EVENTS_OPEN = b'{"data":{"type":"event-bulk-create-job","attributes":{"events-bulk-create":{"data":['
_EVENTS_CLOSE = b"]}}}}"
_PROFILES_OPEN = b'{"data":{"type":"profile-bulk-import-job","attributes":{"profiles":{"data":['
_PROFILES_CLOSE = b"]}}}}"


@dataclass(frozen=True, slots=True)
class Teller:
    """Words messages of one shop, by what is true of it now. ``rewards`` is what its members have of these, by member."""

    choice: Choice
    shop: ShopView = field(default_factory=ShopView)
    rewards: Mapping[int, Rewards] = field(default_factory=dict)

    def profile(self, recipient: Recipient) -> dict[str, Any]:
        """The profile resource of a recipient who has an e-mail address."""
        assert recipient.email is not None
        standing = self._standing(recipient)
        return profile_of(self.choice, recipient.email, recipient.first_name, recipient.last_name, standing)

    def words(self, message: Message) -> list[Event]:
        """The events that a message becomes, one for each name that the chosen dialects have for it."""
        advocate, friend = sides(message)
        return self.choice.tell(
            Telling(
                message,
                event_properties(message, self.shop),
                self.shop,
                self._person(message.recipient),
                self._person(advocate),
                self._person(friend),
            )
        )

    def events(self, message: Message) -> list[dict[str, Any]]:
        """The bodies of its events. The first one refreshes the profile's properties in the same call."""
        recipient = message.recipient
        assert recipient is not None
        profile, bodies = self.profile(recipient), []
        for event in self.words(message):
            attributes = event_attributes(message, event) | {"profile": {"data": profile}}
            bodies.append({"data": {"type": "event", "attributes": attributes}})
            profile = {"type": "profile", "attributes": {"email": recipient.email}}
        return bodies

    def bulk_entry(self, message: Message) -> bytes:
        """One entry of a bulk request: the profile and its events. ``backfill`` is said twice because it is not told which of the two
        wins."""
        assert message.recipient is not None
        told = [
            {"type": "event", "attributes": event_attributes(message, event)} for event in self.words(message)
        ]
        entry = {
            "type": "event-bulk-create",
            "attributes": {
                "backfill": message.backfill,
                "profile": {"data": self.profile(message.recipient)},
                "events": {"data": told},
            },
        }
        return encode(entry)

    def _person(self, who: Recipient | None) -> Person | None:
        return None if who is None else Person(who, self._standing(who))

    def _standing(self, who: Recipient) -> Standing:
        return standing_of(who, self.shop, self.rewards.get(who.member_id, NO_REWARDS))


def event_attributes(message: Message, event: Event) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "metric": {"data": {"type": "metric", "attributes": {"name": event.metric}}},
        "properties": event.properties,
        "time": instant(message.occurred_at),
        "unique_id": event.unique_id,
        "backfill": message.backfill,
    }
    return attributes if event.value is None else attributes | {"value": event.value}


def profile_of(
    choice: Choice, email: str, first_name: str | None, last_name: str | None, standing: Standing
) -> dict[str, Any]:
    """A profile resource. A name that is not known is left out; a property that has no value (any more) is taken off."""
    attributes: dict[str, Any] = {"email": email}
    if first_name:
        attributes["first_name"] = first_name
    if last_name:
        attributes["last_name"] = last_name
    shown = choice.show(standing)
    attributes["properties"] = shown.properties
    resource: dict[str, Any] = {"type": "profile", "attributes": attributes}
    if shown.unset:
        # Leaving a property out would leave it as it was: a tier that was lost would stay on the profile for ever.
        resource["meta"] = {"patch_properties": {"unset": shown.unset}}
    return resource


def bulk_events(entries: Sequence[bytes]) -> bytes:
    """The body of a bulk request out of ready entries."""
    return b"".join((_EVENTS_OPEN, b",".join(entries), _EVENTS_CLOSE))


def bulk_profiles(entries: Sequence[bytes]) -> bytes:
    """The body of a bulk profile import out of ready profile resources."""
    return b"".join((_PROFILES_OPEN, b",".join(entries), _PROFILES_CLOSE))


def forget(choice: Choice, profile_id: str) -> dict[str, Any]:
    """Take our properties, and nothing else, off a profile that exists."""
    unset = {"patch_properties": {"unset": list(choice.properties)}}
    return {"data": {"type": "profile", "id": profile_id, "attributes": {}, "meta": unset}}


def webhook_name(key: str) -> str:
    """What our webhook is called at Klaviyo. Answers never show its whole address, so the name is what it is found by."""
    return f"Laurel reviews {hashlib.sha256(key.encode()).hexdigest()[:8]}"


def webhook(name: str, url: str, secret: str, topics: Iterable[str]) -> dict[str, Any]:
    """Subscribe an address to topics."""
    attributes = {
        "name": name,
        "description": "Tells the loyalty program of submitted reviews",
        "endpoint_url": url,
        "secret_key": secret,
    }
    return {"data": {"type": "webhook", "attributes": attributes, "relationships": _topics(topics)}}


def webhook_change(webhook_id: str, url: str, topics: Iterable[str]) -> dict[str, Any]:
    """Switch a webhook on, at this address and with these topics."""
    return {
        "data": {
            "type": "webhook",
            "id": webhook_id,
            "attributes": {"enabled": True, "endpoint_url": url},
            "relationships": _topics(topics),
        }
    }


def encode(value: Mapping[str, Any]) -> bytes:
    """Compact JSON."""
    return _ENCODER.encode(value).encode()


def quoted(text: str) -> str:
    """A text as Klaviyo's filters take it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC."""
    return moment.astimezone(UTC).isoformat()


def _topics(topics: Iterable[str]) -> dict[str, Any]:
    return {"webhook-topics": {"data": [{"type": "webhook-topic", "id": topic} for topic in topics]}}
