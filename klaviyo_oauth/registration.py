"""Keeps the review webhook registered and switched on, and looks whether Klaviyo Reviews is there. Runs again and again, so the order
in which a merchant sets things up does not matter. Without webhooks the reviews are polled for, and that is enough.
"""

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from redis import Redis

from klaviyo_oauth import connections, payloads
from klaviyo_oauth.answers import Answer, Reply, Trouble, Wait
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.resync import resync_if_old
from klaviyo_oauth.review_facts import WEBHOOK_TOPICS
from klaviyo_oauth.reviews import next_cursor
from loyalty.models import KlaviyoConnection
from loyalty.runtime import Runtime

ON = "on"
FORBIDDEN = "forbidden"
NO_ADDRESS = "no_https_address"
NO_TOPICS = "reviews_not_set_up"
REFUSED = "refused"

_REVIEW_METRICS = frozenset(("Ready to review", "Submitted review", "Submitted rating"))
_MOST_PAGES = 10


class _Unsettled(Exception):
    """Klaviyo did not say yes or no; ``seconds`` is when to ask again, None when there is nothing to ask for."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__("unsettled")
        self.seconds = seconds


def check(
    runtime: Runtime,
    config: KlaviyoConfig,
    redis: Redis,
    shop_id: int,
    *,
    http: requests.Session | None = None,
) -> float | None:
    """Bring webhook and knowledge up to date. Returns the seconds after which to try again when Klaviyo did not answer, else None."""
    gateway = Gateway(runtime, config, redis, http or requests.Session())
    resync_if_old(runtime, shop_id)
    try:
        state = _webhook(runtime, config, gateway, shop_id)
        _note(runtime, shop_id, webhook_state=state, webhook_checked_at=runtime.clock().isoformat())
        metrics = _metrics(gateway, shop_id)
        if metrics is not None:
            _note(runtime, shop_id, reviews_active=bool(metrics & _REVIEW_METRICS))
    except _Unsettled as unsettled:
        return unsettled.seconds
    return None


def _webhook(runtime: Runtime, config: KlaviyoConfig, gateway: Gateway, shop_id: int) -> str:
    if not config.can_receive_webhooks:
        return NO_ADDRESS
    answer = _settled(gateway.call(shop_id, "GET webhook-topics", "/api/webhook-topics"))
    if not answer.ok:
        return FORBIDDEN if answer.status == 403 else REFUSED
    offered = {entry.get("id") for entry in _entries(answer)}
    topics = tuple(topic for topic in WEBHOOK_TOPICS if topic in offered)
    if not topics:
        return NO_TOPICS
    with runtime.reading() as session:
        row = connections.load(session, shop_id)
    if row is None:
        raise _Unsettled(None)
    if row.webhook_id is not None and row.webhook_secret is not None:
        state = _keep_on(runtime, gateway, row, row.webhook_id, topics)
        if state is not None:
            return state
    return _create(runtime, config, gateway, shop_id, topics)


def _keep_on(
    runtime: Runtime, gateway: Gateway, row: KlaviyoConnection, webhook_id: str, topics: tuple[str, ...]
) -> str | None:
    """See to an existing webhook. None when it is gone and a new one is needed."""
    path = f"/api/webhooks/{webhook_id}"
    answer = _settled(gateway.call(row.shop_id, "GET webhooks", path))
    if answer.status == 404:
        return None
    if not answer.ok:
        return FORBIDDEN if answer.status == 403 else REFUSED
    attributes = answer.data.get("attributes", {}) if isinstance(answer.data, Mapping) else {}
    if attributes.get("enabled") is not False and row.details.get("webhook_topics") == list(topics):
        return ON
    body = payloads.webhook_change(webhook_id, topics)
    changed = _settled(gateway.call(row.shop_id, "PATCH webhooks", path, json_body=body))
    if not changed.ok:
        return REFUSED
    _note(runtime, row.shop_id, webhook_topics=list(topics))
    # What happened while it was off was told to nobody.
    runtime.nudge("poll_reviews", row.shop_id)
    return ON


def _create(
    runtime: Runtime, config: KlaviyoConfig, gateway: Gateway, shop_id: int, topics: tuple[str, ...]
) -> str:
    """Register a webhook. Key and secret are stored first: a delivery can come before the answer does."""
    key, secret, again = _prepare(runtime, shop_id)
    name = payloads.webhook_name(key)
    webhook_id = _made_before(gateway, shop_id, name) if again else None
    refusal = None
    if webhook_id is None:
        body = payloads.webhook(name, f"{config.app_url}/webhooks/klaviyo/{key}", secret, topics)
        answer = _settled(gateway.call(shop_id, "POST webhooks", "/api/webhooks", json_body=body))
        webhook_id, refusal = _id(answer), answer
    with runtime.transaction() as session:
        row = connections.load(session, shop_id, lock=True)
        if row is None or row.webhook_key != key:
            raise _Unsettled(None)
        if webhook_id is None and refusal is not None:
            row.webhook_key = row.webhook_secret = None
            connections.change_details(row, webhook_refusal=refusal.reason)
            return FORBIDDEN if refusal.status == 403 else REFUSED
        row.webhook_id = webhook_id
        connections.change_details(row, webhook_topics=list(topics), webhook_refusal=None)
    return ON


def _prepare(runtime: Runtime, shop_id: int) -> tuple[str, str, bool]:
    """Key and secret of the webhook to be made, and whether they were used before without an answer."""
    with runtime.transaction() as session:
        row = connections.load(session, shop_id, lock=True)
        if row is None or row.account_id is None:
            raise _Unsettled(None)
        place = connections.seal_row(shop_id)
        if row.webhook_id is None and row.webhook_key is not None and row.webhook_secret is not None:
            return row.webhook_key, runtime.cipher.open(row.webhook_secret, row=place), True
        key, secret = secrets.token_urlsafe(24), secrets.token_urlsafe(32)
        row.webhook_id, row.webhook_key = None, key
        row.webhook_secret = runtime.cipher.seal(secret, row=place)
        return key, secret, False


def _made_before(gateway: Gateway, shop_id: int, name: str) -> str | None:
    """The id of the webhook whose creation was answered by silence, if it was created."""
    answer = _settled(gateway.call(shop_id, "GET webhooks", "/api/webhooks"))
    for entry in _entries(answer):
        attributes = entry.get("attributes")
        if isinstance(attributes, Mapping) and attributes.get("name") == name:
            return str(entry.get("id"))
    return None


def _id(answer: Reply) -> str | None:
    found = answer.data.get("id") if answer.ok and isinstance(answer.data, Mapping) else None
    return found if isinstance(found, str) else None


def _metrics(gateway: Gateway, shop_id: int) -> set[str] | None:
    """The names of the account's metrics; None when we may not read them."""
    names: set[str] = set()
    params: dict[str, str | int] = {"fields[metric]": "name"}
    for _ in range(_MOST_PAGES):
        answer = _settled(gateway.call(shop_id, "GET metrics", "/api/metrics", params=params))
        if not answer.ok:
            return None
        for entry in _entries(answer):
            attributes = entry.get("attributes")
            name = attributes.get("name") if isinstance(attributes, Mapping) else None
            names |= {name} if isinstance(name, str) else set()
        cursor = next_cursor(answer)
        if cursor is None:
            break
        params["page[cursor]"] = cursor
    return names


def _settled(answer: Answer) -> Reply:
    match answer:
        case Reply(status=status) if status < 500:
            return answer
        case Wait(seconds=seconds) | Trouble(seconds=seconds):
            raise _Unsettled(seconds)
        case Reply():
            raise _Unsettled(60.0)
        case _:
            raise _Unsettled(None)


def _entries(reply: Reply) -> Iterator[Mapping[str, Any]]:
    data = reply.data if isinstance(reply.data, list) else []
    return (entry for entry in data if isinstance(entry, Mapping))


def _note(runtime: Runtime, shop_id: int, **changes: Any) -> None:
    with runtime.transaction() as session:
        row = connections.load(session, shop_id, lock=True)
        if row is not None:
            connections.change_details(row, **changes)
