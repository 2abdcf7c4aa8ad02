"""The review operations. Refuses to make reviews: only shoppers do, through the control API."""

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
from sandbox.klaviyo.replies import many, one
from sandbox.klaviyo.reviews import Review, change_status

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
    query = Query(("review",))
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
        return one(documents.review(item), query)


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
