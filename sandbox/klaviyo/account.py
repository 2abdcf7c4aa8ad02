"""One Klaviyo account: its profiles, events, lists, reviews, imports and webhooks, and how they touch.

Not thread-safe by itself; the state's lock is held around every call. Refuses to know HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.klaviyo.documents import webhook_event
from sandbox.klaviyo.event_checks import SentEvent, SentEvents
from sandbox.klaviyo.events import Event, Events, Metric
from sandbox.klaviyo.idents import event_id, short_id
from sandbox.klaviyo.imports import ImportJobs
from sandbox.klaviyo.profiles import Profiles
from sandbox.klaviyo.reviews import Review, event_properties, read_submission, review_id
from sandbox.klaviyo.settings import Settings
from sandbox.klaviyo.webhooks import Webhook

# Klaviyo answers 202 for these and then drops the event.
TEST_DOMAINS = ("@example.com", "@test.com")
OWN_METRICS = ("Ready to review", "Submitted review", "Submitted rating", "Received Email", "Opened Email")


@dataclass(frozen=True)
class AccountSpec:
    """What an account is called and how it is set up."""

    ident: str
    organization: str
    currency: str = "USD"
    timezone: str = "America/New_York"
    test_account: bool = False


@dataclass
class ProfileList:
    """A list; its members are profile rows with the time they joined."""

    ident: str
    name: str
    opt_in: str
    created: float
    members: dict[int, float] = field(default_factory=dict)


class Account:
    """Everything that belongs to one account."""

    def __init__(self, spec: AccountSpec, settings: Settings, now: float, wake: Callable[[], None]) -> None:
        self.spec = spec
        self._settings = settings
        self._wake = wake
        self.profiles = Profiles()
        self.events = Events()
        self.lists: dict[str, ProfileList] = {}
        self.imports = ImportJobs(spec.ident)
        self.reviews: dict[str, Review] = {}
        self.webhooks: dict[str, Webhook] = {}
        self.deletions: list[dict[str, str]] = []
        self._webhooks_made = 0
        for name in OWN_METRICS:
            self.events.metric(name, "Klaviyo", now)

    def advance(self, now: float) -> None:
        """Let the asynchronous work happen that is due by now."""
        members = {ident: found.members for ident, found in self.lists.items()}
        self.imports.advance(self.profiles, members, now)

    def receive(self, sent: SentEvents, integration: str, now: float) -> None:
        """Take events for one profile: upsert it, then record each event once."""
        email = str(sent.profile["attributes"].get("email") or "").lower()
        if email.endswith(TEST_DOMAINS):
            self.events.counts["test_addresses"] += len(sent.events)
            return
        row, _ = self.profiles.upsert(sent.profile, now)
        for event in sent.events:
            self._record(self.events.metric(event.metric, integration, now), row, event, now)

    def submit_review(self, given: dict[str, Any], now: float) -> Review:
        """A shopper submits a review: it exists, the event is recorded, webhooks hear of it."""
        review = read_submission(given, review_id(self.spec.ident, len(self.reviews) + 1), now)
        self.reviews[review.ident] = review
        if review.kind == "question":
            return review
        name = "Submitted rating" if review.kind == "rating" else "Submitted review"
        metric = self.events.metric(name, "Klaviyo", now)
        row, _ = self.profiles.upsert({"attributes": {"email": review.email}}, now)
        properties = event_properties(review, with_id=self._settings.review_id_in_events)
        sent = SentEvent(name, int(now), f"{review.ident}-submitted", properties, value=None, backfill=False)
        recorded = self._record(metric, row, sent, now)
        if recorded is not None:
            review.events.append(event_id(recorded))
        return review

    def topics(self) -> list[str]:
        """The webhook topics of this account: one for each metric that has been seen."""
        return sorted({metric.topic for metric in self.events.metrics})

    def add_webhook(self, fields: dict[str, Any], now: float) -> Webhook:
        """Remember a checked webhook."""
        self._webhooks_made += 1
        webhook = Webhook(
            ident=short_id("webhook", self.spec.ident, str(self._webhooks_made)).lower()
            + f"{self._webhooks_made:04x}",
            name=fields["name"],
            description=fields.get("description"),
            endpoint_url=fields["endpoint_url"],
            secret=fields["secret_key"],
            topics=fields["topics"],
            created=now,
            updated=now,
        )
        self.webhooks[webhook.ident] = webhook
        return webhook

    def delete_profiles(self, named: dict[str, str]) -> int:
        """Erase every profile that matches, as a data privacy job does; says how many."""
        name, value = next(iter(named.items()))
        row = self.profiles.alive(value) if name == "id" else self.profiles.with_identifier(name, value)
        self.deletions.append(named)
        if row is None:
            return 0
        self.profiles.delete(row)
        for found in self.lists.values():
            found.members.pop(row, None)
        return 1

    def visible(self, event: Event) -> bool:
        """Whether an event may be read: those of erased profiles may not."""
        return self.profiles.is_alive(event.profile)

    def _record(self, metric: Metric, row: int, sent: SentEvent, now: float) -> int | None:
        recorded = self.events.record(metric, row, sent)
        if recorded is None:
            return None
        self.profiles.touch(row, float(sent.time))
        listening = [hook for hook in self.webhooks.values() if hook.enabled and metric.topic in hook.topics]
        if listening:
            item = webhook_event(self.events.get(recorded))
            for hook in listening:
                hook.enqueue(item, now, self._settings)
            self._wake()
        return recorded


def moment(now: float) -> datetime:
    """An aware datetime for a number of seconds."""
    return datetime.fromtimestamp(now, UTC)
