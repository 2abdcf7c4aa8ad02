"""The webhooks of one account and what waits to be delivered to each.

Refuses to open sockets: `deliveries` sends what is due here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from sandbox.klaviyo.checks import known_members, only_data, relationship_ids, resource, wrong
from sandbox.klaviyo.errors import Problem, refuse_when
from sandbox.klaviyo.settings import Settings

MAX_WEBHOOKS = 10
MAX_BATCH = 1000
MIN_SECRET = 16
_CREATE = frozenset(("name", "description", "endpoint_url", "secret_key"))
_PRINTED = re.compile(r"[!-~]+")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass
class Webhook:
    """One endpoint that wants to hear of topics."""

    ident: str
    name: str
    description: str | None
    endpoint_url: str
    secret: str
    topics: tuple[str, ...]
    created: float
    updated: float
    enabled: bool = True
    waiting: list[dict[str, Any]] = field(default_factory=list)
    due: float = 0.0
    failures: int = 0
    failing_since: float | None = None
    delivered: int = 0
    attempts: int = 0
    last_status: int | None = None

    def enqueue(self, item: dict[str, Any], now: float, settings: Settings) -> None:
        """Let one event wait for the next batch."""
        if not self.enabled:
            return
        if not self.waiting:
            self.due = max(self.due, now + settings.webhook_batch_seconds)
        self.waiting.append(item)

    def succeed(self, sent: list[dict[str, Any]], status: int) -> None:
        """The endpoint took these events, the first that waited when they were sent."""
        # Switched off and on meanwhile, the webhook has forgotten them and other events wait.
        if self.waiting and self.waiting[0] is sent[0]:
            del self.waiting[: len(sent)]
        self.delivered += len(sent)
        self.failures, self.failing_since, self.last_status = 0, None, status

    def fail(self, status: int | None, now: float, settings: Settings) -> None:
        """The endpoint did not take them: wait longer each time, and give up after too long in error."""
        self.failures += 1
        self.last_status = status
        self.failing_since = now if self.failing_since is None else self.failing_since
        self.due = now + min(2.0 ** (self.failures - 1), 3600.0) * settings.webhook_backoff_scale
        if now - self.failing_since >= settings.webhook_error_hours * 3600:
            self.enabled = False
            # There is no replay: what waited is lost to this road.
            self.waiting.clear()

    def enable(self, *, enabled: bool) -> None:
        """Switch on or off by hand; switching on forgets the failures."""
        if enabled and not self.enabled:
            self.failures, self.failing_since, self.due = 0, None, 0.0
        if not enabled:
            self.waiting.clear()
        self.enabled = enabled


def signature(secret: str, body: bytes, timestamp: str) -> str:
    """The Klaviyo-Signature of a delivery: body first, then the timestamp header, nothing between."""
    return hmac.new(secret.encode(), body + timestamp.encode(), hashlib.sha256).hexdigest()


def batch_body(webhook: Webhook, account: str, items: list[dict[str, Any]], now: datetime) -> bytes:
    """The body of one delivery."""
    meta = {
        "klaviyo_webhook_id": webhook.ident,
        "klaviyo_account_id": account,
        "timestamp": now.isoformat(),
        "version": "2023-06-03",
    }
    return json.dumps({"data": items, "meta": meta}).encode()


def batch_headers(webhook: Webhook, body: bytes, now: datetime) -> dict[str, str]:
    """The signed headers of one delivery."""
    timestamp = format_datetime(now, usegmt=True)
    return {
        "Content-Type": "application/json",
        "Klaviyo-Signature": signature(webhook.secret, body, timestamp),
        "Klaviyo-Timestamp": timestamp,
        "Klaviyo-Webhook-Id": webhook.ident,
    }


def read_webhook(body: Mapping[str, Any], topics: frozenset[str], settings: Settings) -> dict[str, Any]:
    """The fields of a new webhook, checked."""
    problems: list[Problem] = []
    data = only_data(body, "", problems)
    members = frozenset(("type", "attributes", "relationships"))
    found: dict[str, Any] = {}
    if resource(data, "webhook", "/data", problems, members=members, required=tuple(members)):
        found = dict(data["attributes"])
        required = ("name", "endpoint_url", "secret_key")
        known_members(found, _CREATE, "/data/attributes", problems, "webhook", required)
        found["topics"] = _read_topics(data["relationships"], topics, problems)
        _check_fields(found, settings, problems)
    refuse_when(problems)
    return found


def read_changes(
    body: Mapping[str, Any], ident: str, topics: frozenset[str], settings: Settings
) -> dict[str, Any]:
    """The fields to change on a webhook, checked; null leaves a field alone."""
    problems: list[Problem] = []
    data = only_data(body, "", problems)
    members = frozenset(("type", "id", "attributes", "relationships"))
    found: dict[str, Any] = {}
    if resource(data, "webhook", "/data", problems, members=members, required=("type", "id", "attributes")):
        if data["id"] != ident:
            wrong(problems, "/data/id", "The id differs from the one in the path.")
        known_members(data["attributes"], _CREATE | {"enabled"}, "/data/attributes", problems, "webhook")
        found = {name: value for name, value in data["attributes"].items() if value is not None}
        if not isinstance(found.get("enabled", True), bool):
            wrong(problems, "/data/attributes/enabled", "This must be true or false.")
        if "relationships" in data:
            found["topics"] = _read_topics(data["relationships"], topics, problems)
        _check_fields(found, settings, problems)
    refuse_when(problems)
    return found


def _read_topics(relationships: Any, topics: frozenset[str], problems: list[Problem]) -> tuple[str, ...]:
    at, name = "/data/relationships", "webhook-topics"
    if not known_members(relationships, frozenset((name,)), at, problems, "webhook", (name,)):
        return ()
    wanted = relationship_ids(relationships, name, "webhook-topic", at, problems)
    for index, topic in enumerate(wanted):
        if topic not in topics:
            wrong(problems, f"{at}/{name}/data/{index}/id", f"'{topic}' is not a topic of this account.")
    if not wanted and not problems:
        wrong(problems, f"{at}/{name}/data", "At least one topic is required.")
    return tuple(dict.fromkeys(wanted))


def _check_fields(found: Mapping[str, Any], settings: Settings, problems: list[Problem]) -> None:
    at = "/data/attributes"
    for name in ("name", "endpoint_url", "secret_key"):
        if name in found and (not isinstance(found[name], str) or not found[name]):
            wrong(problems, f"{at}/{name}", "This must be a string that is not empty.")
    if found.get("description") is not None and not isinstance(found["description"], str):
        wrong(problems, f"{at}/description", "This must be a string or null.")
    secret = found.get("secret_key")
    if isinstance(secret, str) and 0 < len(secret) < MIN_SECRET:
        wrong(problems, f"{at}/secret_key", f"The secret must have at least {MIN_SECRET} characters.")
    url = found.get("endpoint_url")
    if isinstance(url, str) and url and not _good_endpoint(url, settings):
        wrong(problems, f"{at}/endpoint_url", "The endpoint must be an https address.")


def _good_endpoint(url: str, settings: Settings) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if port == 0 or parts.username is not None or not _PRINTED.fullmatch(url):
        return False
    if parts.scheme == "https":
        return bool(host)
    return settings.loopback_webhooks and parts.scheme == "http" and host in _LOOPBACK


def truncated(url: str) -> str:
    """An endpoint as answers show it: the host, without the path that may hold a key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/..."
