"""The webhook operations. Refuses to deliver: the dispatcher does."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from sandbox.klaviyo import documents, gate
from sandbox.klaviyo.errors import Problem, Refused, not_found
from sandbox.klaviyo.query import Query
from sandbox.klaviyo.replies import many, nothing, one
from sandbox.klaviyo.webhooks import MAX_WEBHOOKS, Webhook, read_changes, read_webhook

blueprint = Blueprint("webhooks", __name__)


@blueprint.get("/api/webhook-topics")
def list_topics() -> Response:
    query = Query(("webhook-topic",))
    with gate.state().lock:
        return many([documents.topic(name) for name in gate.account().topics()], query)


@blueprint.get("/api/webhooks")
def list_webhooks() -> Response:
    query = Query(("webhook", "webhook-topic"), includes=("webhook-topics",))
    with gate.state().lock:
        hooks = list(gate.account().webhooks.values())
        return many([documents.webhook(hook) for hook in hooks], query, included=_topics(hooks, query))


@blueprint.post("/api/webhooks")
def create_webhook() -> Response:
    query = Query(("webhook",))
    with gate.state().lock:
        found, settings = gate.account(), gate.state().settings
        fields = read_webhook(gate.body(), frozenset(found.topics()), settings)
        _demand_reading(fields["topics"])
        if len(found.webhooks) >= MAX_WEBHOOKS:
            detail = f"An account may have {MAX_WEBHOOKS} webhooks at most."
            raise Refused(400, [Problem(detail, pointer="/data", code="webhook_limit_reached")])
        return one(documents.webhook(found.add_webhook(fields, gate.state().now())), query, status=201)


@blueprint.get("/api/webhooks/<ident>")
def get_webhook(ident: str) -> Response:
    query = Query(("webhook", "webhook-topic"), includes=("webhook-topics",))
    with gate.state().lock:
        hook = _webhook(ident)
        return one(documents.webhook(hook), query, included=_topics([hook], query))


@blueprint.patch("/api/webhooks/<ident>")
def change_webhook(ident: str) -> Response:
    query = Query(("webhook",))
    with gate.state().lock:
        hook, topics = _webhook(ident), frozenset(gate.account().topics())
        fields = read_changes(gate.body(), ident, topics, gate.state().settings)
        _demand_reading(fields.get("topics", ()))
        hook.name = fields.get("name", hook.name)
        hook.description = fields.get("description", hook.description)
        hook.endpoint_url = fields.get("endpoint_url", hook.endpoint_url)
        hook.secret = fields.get("secret_key", hook.secret)
        hook.topics = fields.get("topics", hook.topics)
        hook.enable(enabled=fields.get("enabled", hook.enabled))
        hook.updated = gate.state().now()
        return one(documents.webhook(hook), query)


@blueprint.delete("/api/webhooks/<ident>")
def delete_webhook(ident: str) -> Response:
    Query()
    with gate.state().lock:
        _webhook(ident)
        del gate.account().webhooks[ident]
    return nothing(204)


def _demand_reading(topics: tuple[str, ...]) -> None:
    """Whoever wants to hear of events must be allowed to read them."""
    if any(topic.startswith("event:") for topic in topics):
        gate.demand_scopes(frozenset(("events:read",)))


def _topics(hooks: list[Webhook], query: Query) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for hook in hooks for name in hook.topics)
    return [documents.topic(name) for name in names] if "webhook-topics" in query.include else []


def _webhook(ident: str) -> Webhook:
    found = gate.account().webhooks.get(ident)
    if found is None:
        raise not_found("webhook", ident)
    return found
