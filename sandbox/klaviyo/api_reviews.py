"""The review operations. Refuses to make reviews: only shoppers do, through the control API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response

from sandbox.klaviyo import documents, gate
from sandbox.klaviyo.account import Account
from sandbox.klaviyo.checks import known_members, only_data, resource, wrong
from sandbox.klaviyo.errors import Problem, not_found, refuse_when
from sandbox.klaviyo.filters import Clause
from sandbox.klaviyo.query import Query, bad_parameter
from sandbox.klaviyo.replies import many, one
from sandbox.klaviyo.reviews import STATUSES, TYPES, Review, change_status, check_status

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
        found, clauses = gate.account(), _checked(query.clauses)
        chosen = [item for item in found.reviews.values() if all(_holds(item, c) for c in clauses)]
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
    query = Query(("review",))
    problems: list[Problem] = []
    members = frozenset(("type", "id", "attributes"))
    data = only_data(gate.body(), "", problems)
    status: dict[str, Any] | None = None
    if data is not None and resource(
        data, "review", "/data", problems, members=members, required=tuple(members)
    ):
        at = "/data/attributes"
        if data["id"] != ident:
            wrong(problems, "/data/id", "The id differs from the one in the path.")
        if known_members(data["attributes"], frozenset(("status",)), at, problems, "review", ("status",)):
            status = data["attributes"]["status"]
            if status is not None:
                check_status(status, f"{at}/status", problems)
    refuse_when(problems)
    with gate.state().lock:
        item = gate.account().reviews.get(ident)
        if item is None:
            raise not_found("review", ident)
        if status is not None:
            reason = status.get("rejection_reason", {}).get("reason")
            change_status(item, status["value"], reason, gate.state().now())
        return one(documents.review(item), query)


def _sort_value(item: Review, sort: str | None) -> Any:
    return {"rating": item.rating or 0, "updated": item.updated}.get(sort or "", item.created)


def _checked(clauses: list[Clause]) -> list[Clause]:
    """The clauses, after a look at what they compare with: one that could never hold is a mistake."""
    for clause in clauses:
        values = clause.value if clause.operator == "any" else [clause.value]
        if not all(_comparable(clause.field, value) for value in values):
            raise bad_parameter("filter", f"'{clause.field}' is not compared with that.")
    return clauses


def _comparable(field: str, value: Any) -> bool:
    if field == "created":
        return isinstance(value, datetime)
    if field == "rating":
        return isinstance(value, int) and not isinstance(value, bool)
    if field == "verified":
        return isinstance(value, bool)
    known = {"status": STATUSES, "review_type": TYPES}.get(field)
    return isinstance(value, str) and (known is None or value in known)


def _holds(item: Review, clause: Clause) -> bool:
    actual = {
        "created": item.created,
        "rating": item.rating,
        "content": (item.content or "").lower(),
        "id": item.ident,
        "item.id": f"$shopify:::$default:::{(item.product or {}).get('external_id')}",
        "status": item.status,
        "review_type": item.kind,
        "verified": item.verified,
    }[clause.field]
    value = clause.value.timestamp() if clause.field == "created" else clause.value
    if actual is None:
        return False
    if clause.operator == "any":
        return actual in value
    if clause.operator == "contains":
        return str(value).lower() in str(actual)
    if clause.operator == "equals":
        return bool(actual == value)
    return bool(actual >= value if clause.operator == "greater-or-equal" else actual <= value)


def _events(found: Account, reviews: list[Review], query: Query) -> list[dict[str, Any]]:
    if "events" not in query.include:
        return []
    events = [found.events.with_id(ident) for item in reviews for ident in item.events]
    return [documents.event(event) for event in events if event is not None and found.visible(event)]
