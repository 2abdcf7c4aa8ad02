"""The review and webhook operations. Refuses to deliver or to store by itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response

from sandbox.klaviyo import documents, gate
from sandbox.klaviyo.account import Account
from sandbox.klaviyo.checks import known_members, only_data, resource, wrong
from sandbox.klaviyo.errors import Problem, Refused, not_found, refuse_when
from sandbox.klaviyo.filters import Clause
from sandbox.klaviyo.query import Query, bad_parameter
from sandbox.klaviyo.replies import many, nothing, one
from sandbox.klaviyo.reviews import Review, change_status
from sandbox.klaviyo.webhooks import MAX_WEBHOOKS, Webhook, read_changes, read_webhook

blueprint = Blueprint("reviews", __name__)

_BOUNDS = ("greater-or-equal", "less-or-equal")
_FILTERS = {
    "created": _BOUNDS,
    "rating": ("any", "equals", *_BOUNDS),
    "id": ("any", "equals"),
    "item.id": ("any", "equals"),
    "content": ("contains",),
    "status": ("equals",),
    "review_type": ("equals",),
    "verified": ("equals",),
}


@blueprint.get("/api/reviews")
def list_reviews() -> Response:
    query = Query(
        ("review", "event"),
        filters=_FILTERS,
        sorts=("created", "rating", "updated"),
        includes=("events",),
        page_max=100,
        page_default=20,
    )
    with gate.state().lock:
        found = gate.account()
        chosen = [item for item in found.reviews.values() if all(_holds(item, c) for c in query.clauses)]
        down = query.descending or query.sort is None
        page, links = query.page(
            chosen, key=lambda item: [_sort_value(item, query.sort), item.ident], descending=down
        )
        return many([documents.review(item) for item in page], query, links, _events(found, page, query))


@blueprint.get("/api/reviews/<ident>")
def get_review(ident: str) -> Response:
    query = Query(("review", "event"), includes=("events",))
    with gate.state().lock:
        found = gate.account()
        item = found.reviews.get(ident)
        if item is None:
            raise not_found("review", ident)
        return one(documents.review(item), query, included=_events(found, [item], query))


@blueprint.patch("/api/reviews/<ident>")
def change_review(ident: str) -> Response:
    problems: list[Problem] = []
    members = frozenset(("type", "id", "attributes"))
    data = only_data(gate.body(), "", problems)
    status: dict[str, Any] = {}
    if data is not None and resource(
        data, "review", "/data", problems, members=members, required=tuple(members)
    ):
        at = "/data/attributes"
        if data["id"] != ident:
            wrong(problems, "/data/id", "The id differs from the one in the path.")
        if known_members(data["attributes"], frozenset(("status",)), at, problems, "review", ("status",)):
            status = data["attributes"]["status"]
            known_members(
                status,
                frozenset(("value", "rejection_reason")),
                f"{at}/status",
                problems,
                "status",
                ("value",),
            )
    refuse_when(problems)
    with gate.state().lock:
        item = gate.account().reviews.get(ident)
        if item is None:
            raise not_found("review", ident)
        reason = (status.get("rejection_reason") or {}).get("reason")
        try:
            change_status(item, status["value"], reason, gate.state().now())
        except ValueError as error:
            raise Refused(400, [Problem(str(error), pointer="/data/attributes/status")]) from error
        return one(documents.review(item))


def _sort_value(item: Review, sort: str | None) -> Any:
    return {"rating": item.rating or 0, "updated": item.updated}.get(sort or "", item.created)


def _holds(item: Review, clause: Clause) -> bool:
    value = clause.value
    if clause.field == "created":
        if not isinstance(value, datetime):
            raise bad_parameter("filter", "'created' is compared with a date and time without quotes.")
        limit = value.timestamp()
        return item.created >= limit if clause.operator == "greater-or-equal" else item.created <= limit
    if clause.field == "rating":
        return item.rating is not None and _rated(item.rating, clause)
    if clause.field == "content":
        return str(value).lower() in (item.content or "").lower()
    actual = {
        "id": item.ident,
        "item.id": f"$shopify:::$default:::{(item.product or {}).get('external_id')}",
        "status": item.status,
        "review_type": item.kind,
        "verified": item.verified,
    }[clause.field]
    return actual in value if clause.operator == "any" else actual == value


def _rated(rating: int, clause: Clause) -> bool:
    if clause.operator == "any":
        return rating in clause.value
    if clause.operator == "equals":
        return bool(rating == clause.value)
    if isinstance(clause.value, bool) or not isinstance(clause.value, int):
        raise bad_parameter("filter", "'rating' is compared with a number.")
    return rating >= clause.value if clause.operator == "greater-or-equal" else rating <= clause.value


def _events(found: Account, reviews: list[Review], query: Query) -> list[dict[str, Any]]:
    if "events" not in query.include:
        return []
    events = [found.events.with_id(ident) for item in reviews for ident in item.events]
    return [documents.event(event) for event in events if event is not None and found.visible(event)]


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
    with gate.state().lock:
        found, settings = gate.account(), gate.state().settings
        fields = read_webhook(gate.body(), frozenset(found.topics()), settings)
        if len(found.webhooks) >= MAX_WEBHOOKS:
            detail = f"An account may have {MAX_WEBHOOKS} webhooks at most."
            raise Refused(400, [Problem(detail, pointer="/data", code="webhook_limit_reached")])
        return one(documents.webhook(found.add_webhook(fields, gate.state().now())), status=201)


@blueprint.get("/api/webhooks/<ident>")
def get_webhook(ident: str) -> Response:
    query = Query(("webhook", "webhook-topic"), includes=("webhook-topics",))
    with gate.state().lock:
        hook = _webhook(ident)
        return one(documents.webhook(hook), query, included=_topics([hook], query))


@blueprint.patch("/api/webhooks/<ident>")
def change_webhook(ident: str) -> Response:
    with gate.state().lock:
        hook, topics = _webhook(ident), frozenset(gate.account().topics())
        fields = read_changes(gate.body(), ident, topics, gate.state().settings)
        hook.name = fields.get("name", hook.name)
        hook.description = fields.get("description", hook.description)
        hook.endpoint_url = fields.get("endpoint_url", hook.endpoint_url)
        hook.secret = fields.get("secret_key", hook.secret)
        hook.topics = fields.get("topics", hook.topics)
        hook.enable(enabled=fields.get("enabled", hook.enabled))
        hook.updated = gate.state().now()
        return one(documents.webhook(hook))


@blueprint.delete("/api/webhooks/<ident>")
def delete_webhook(ident: str) -> Response:
    with gate.state().lock:
        _webhook(ident)
        del gate.account().webhooks[ident]
    return nothing(204)


def _topics(hooks: list[Webhook], query: Query) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for hook in hooks for name in hook.topics)
    return [documents.topic(name) for name in names] if "webhook-topics" in query.include else []


def _webhook(ident: str) -> Webhook:
    found = gate.account().webhooks.get(ident)
    if found is None:
        raise not_found("webhook", ident)
    return found
