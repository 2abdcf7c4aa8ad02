"""The review webhook at Klaviyo: made once, kept switched on at our address, made anew when it is of no more use."""

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from klaviyo_oauth import connections, payloads
from klaviyo_oauth.answers import Answer, Reply, Trouble, Wait
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.review_facts import WEBHOOK_TOPICS
from loyalty.encryption import SealBroken
from loyalty.models import KlaviyoConnection
from loyalty.runtime import Runtime

ON = "on"
FORBIDDEN = "forbidden"
NO_ADDRESS = "no_https_address"
NO_TOPICS = "reviews_not_set_up"
REFUSED = "refused"


class Unsettled(Exception):
    """Klaviyo did not say yes or no; ``seconds`` is when to ask again, None when there is nothing to ask for."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__("unsettled")
        self.seconds = seconds


def keep(runtime: Runtime, config: KlaviyoConfig, gateway: Gateway, shop_id: int) -> str:
    """See that the shop has a working webhook. Returns one of the states above; raises ``Unsettled``."""
    if not config.can_receive_webhooks:
        return NO_ADDRESS
    answer = settled(gateway.call(shop_id, "GET webhook-topics", "/api/webhook-topics"))
    if not answer.ok:
        return FORBIDDEN if answer.status == 403 else REFUSED
    offered = {entry.get("id") for entry in entries(answer)}
    topics = tuple(topic for topic in WEBHOOK_TOPICS if topic in offered)
    if not topics:
        return NO_TOPICS
    with runtime.reading() as session:
        row = connections.load(session, shop_id)
    if row is None:
        raise Unsettled(None)
    if not _opens(runtime, row):
        _start_over(runtime, gateway, row)
    elif row.webhook_id is not None and row.webhook_secret is not None:
        state = _keep_on(runtime, config, gateway, row, row.webhook_id, topics)
        if state is not None:
            return state
    return _create(runtime, config, gateway, shop_id, topics)


def _opens(runtime: Runtime, row: KlaviyoConnection) -> bool:
    try:
        if row.webhook_secret is not None:
            runtime.cipher.open(row.webhook_secret, row=connections.seal_row(row.shop_id))
    except SealBroken:
        return False
    return True


def _start_over(runtime: Runtime, gateway: Gateway, row: KlaviyoConnection) -> None:
    """The key that sealed the webhook's secret is gone, so no delivery can be verified any more: another webhook has to be made."""
    if row.webhook_id is not None:
        settled(gateway.call(row.shop_id, "DELETE webhooks", f"/api/webhooks/{row.webhook_id}"))
    with runtime.transaction() as session:
        now_held = connections.load(session, row.shop_id, lock=True)
        if now_held is not None and now_held.webhook_key == row.webhook_key:
            now_held.webhook_id = now_held.webhook_key = now_held.webhook_secret = None


def _keep_on(
    runtime: Runtime,
    config: KlaviyoConfig,
    gateway: Gateway,
    row: KlaviyoConnection,
    webhook_id: str,
    topics: tuple[str, ...],
) -> str | None:
    """See to an existing webhook. None when it is gone and a new one is needed."""
    path = f"/api/webhooks/{webhook_id}"
    answer = settled(gateway.call(row.shop_id, "GET webhooks", path))
    if answer.status == 404:
        return None
    if not answer.ok:
        return FORBIDDEN if answer.status == 403 else REFUSED
    attributes = answer.data.get("attributes", {}) if isinstance(answer.data, Mapping) else {}
    # Answers do not show the whole address, so what it was made with is kept here: an installation can move.
    wanted = {"webhook_topics": list(topics), "webhook_address": config.app_url}
    if attributes.get("enabled") is not False and wanted.items() <= row.details.items():
        return ON
    body = payloads.webhook_change(webhook_id, _address(config, row.webhook_key or ""), topics)
    changed = settled(gateway.call(row.shop_id, "PATCH webhooks", path, json_body=body))
    if not changed.ok:
        return REFUSED
    note(runtime, row.shop_id, **wanted)
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
        body = payloads.webhook(name, _address(config, key), secret, topics)
        answer = settled(gateway.call(shop_id, "POST webhooks", "/api/webhooks", json_body=body))
        webhook_id, refusal = _id(answer), answer
    with runtime.transaction() as session:
        row = connections.load(session, shop_id, lock=True)
        if row is None or row.webhook_key != key:
            raise Unsettled(None)
        if webhook_id is None and refusal is not None:
            row.webhook_key = row.webhook_secret = None
            connections.change_details(row, webhook_refusal=refusal.reason)
            return FORBIDDEN if refusal.status == 403 else REFUSED
        row.webhook_id = webhook_id
        connections.change_details(
            row, webhook_topics=list(topics), webhook_address=config.app_url, webhook_refusal=None
        )
    return ON


def _address(config: KlaviyoConfig, key: str) -> str:
    return f"{config.app_url}/webhooks/klaviyo/{key}"


def _prepare(runtime: Runtime, shop_id: int) -> tuple[str, str, bool]:
    """Key and secret of the webhook to be made, and whether they were used before without an answer."""
    with runtime.transaction() as session:
        row = connections.load(session, shop_id, lock=True)
        if row is None or row.account_id is None:
            raise Unsettled(None)
        place = connections.seal_row(shop_id)
        if row.webhook_id is None and row.webhook_key is not None and row.webhook_secret is not None:
            return row.webhook_key, runtime.cipher.open(row.webhook_secret, row=place), True
        key, secret = secrets.token_urlsafe(24), secrets.token_urlsafe(32)
        row.webhook_id, row.webhook_key = None, key
        row.webhook_secret = runtime.cipher.seal(secret, row=place)
        return key, secret, False


def _made_before(gateway: Gateway, shop_id: int, name: str) -> str | None:
    """The id of the webhook whose creation was answered by silence, if it was created."""
    answer = settled(gateway.call(shop_id, "GET webhooks", "/api/webhooks"))
    for entry in entries(answer):
        attributes = entry.get("attributes")
        if isinstance(attributes, Mapping) and attributes.get("name") == name:
            return str(entry.get("id"))
    return None


def _id(answer: Reply) -> str | None:
    found = answer.data.get("id") if answer.ok and isinstance(answer.data, Mapping) else None
    return found if isinstance(found, str) else None


def settled(answer: Answer) -> Reply:
    """The answer, if it is one that decides something. Raises ``Unsettled``."""
    match answer:
        case Reply(status=status) if status < 500:
            return answer
        case Wait(seconds=seconds) | Trouble(seconds=seconds):
            raise Unsettled(seconds)
        case Reply():
            raise Unsettled(60.0)
        case _:
            raise Unsettled(None)


def entries(reply: Reply) -> Iterator[Mapping[str, Any]]:
    """The resources of a list."""
    data = reply.data if isinstance(reply.data, list) else []
    return (entry for entry in data if isinstance(entry, Mapping))


def note(runtime: Runtime, shop_id: int, **changes: Any) -> None:
    """Write into the free-form part of the link."""
    with runtime.transaction() as session:
        row = connections.load(session, shop_id, lock=True)
        if row is not None:
            connections.change_details(row, **changes)
