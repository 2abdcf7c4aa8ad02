"""The event and metric operations. Refuses to validate or store by itself: it joins the two."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import datetime
from math import ceil
from typing import Any

from flask import Blueprint, Response

from sandbox.klaviyo import documents, gate
from sandbox.klaviyo.account import Account
from sandbox.klaviyo.checks import wrong
from sandbox.klaviyo.errors import not_found, refuse_when
from sandbox.klaviyo.event_checks import EventReader
from sandbox.klaviyo.events import Event, Metric, row_of_key
from sandbox.klaviyo.filters import Clause
from sandbox.klaviyo.idents import profile_row
from sandbox.klaviyo.query import Query, bad_parameter
from sandbox.klaviyo.replies import many, nothing, one

blueprint = Blueprint("events", __name__)

_TIMES = ("greater-or-equal", "greater-than", "less-or-equal", "less-than")
_FILTERS = {"metric_id": ("equals",), "profile_id": ("equals",), "datetime": _TIMES, "timestamp": _TIMES}
_INCLUDES = ("metric", "profile", "attributions")


@blueprint.post("/api/events")
def create_event() -> Response:
    Query()
    reader = EventReader(gate.revision(), gate.state().moment())
    sent = reader.single(gate.body())
    refuse_when(reader.problems)
    assert sent is not None
    with gate.state().lock:
        gate.account().receive(sent, gate.caller().app_name, gate.state().now())
    return nothing(202)


@blueprint.post("/api/event-bulk-create-jobs")
def create_events() -> Response:
    Query()
    reader = EventReader(gate.revision(), gate.state().moment())
    entries = reader.bulk(gate.body())
    refuse_when(reader.problems)
    with gate.state().lock:
        found = gate.account()
        for index, entry in enumerate(entries):
            ident = entry.profile.get("id")
            if ident and found.profiles.alive(ident) is None:
                at = f"/data/attributes/events-bulk-create/data/{index}/attributes/profile/data/id"
                wrong(reader.problems, at, f"A profile with id {ident} does not exist.")
        refuse_when(reader.problems)
        for entry in entries:
            found.receive(entry, gate.caller().app_name, gate.state().now())
    return nothing(202)


@blueprint.get("/api/events")
def list_events() -> Response:
    query = Query(
        ("event", "metric", "profile"),
        filters=_FILTERS,
        sorts=("datetime", "timestamp"),
        includes=_INCLUDES,
        page_max=1000,
        page_default=200,
    )
    with gate.state().lock:
        found = gate.account()
        keys = _page_of_keys(found, query)
        page = [(key, found.events.get(row_of_key(key))) for key in keys]
        last = page[query.size - 1][0] if len(page) > query.size else None
        shown = [event for _, event in page[: query.size]]
        included = _included(found, shown, query.include)
        return many([documents.event(event) for event in shown], query, query.links(last), included)


@blueprint.get("/api/events/<ident>")
def get_event(ident: str) -> Response:
    query = Query(("event", "metric", "profile"), includes=_INCLUDES)
    with gate.state().lock:
        found = gate.account()
        event = found.events.with_id(ident)
        if event is None or not found.visible(event):
            raise not_found("event", ident)
        return one(documents.event(event), query, included=_included(found, [event], query.include))


@blueprint.get("/api/metrics")
def list_metrics() -> Response:
    query = Query(
        ("metric",),
        filters={"integration.name": ("equals",), "integration.category": ("equals",)},
        paged=True,
    )
    with gate.state().lock:
        shown = [documents.metric(metric) for metric in gate.account().events.metrics]
    for clause in query.clauses:
        name = clause.field.partition(".")[2]
        shown = [item for item in shown if item["attributes"]["integration"][name] == clause.value]
    page, links = query.page(shown, key=lambda item: [item["id"]])
    return many(page, query, links)


@blueprint.get("/api/metrics/<ident>")
def get_metric(ident: str) -> Response:
    with gate.state().lock:
        metric = gate.account().events.metric_by_id(ident)
        if metric is None:
            raise not_found("metric", ident)
        return one(documents.metric(metric), Query(("metric",)))


def _page_of_keys(found: Account, query: Query) -> list[int]:
    """One key more than the page holds, when there are more."""
    metric, profile, low, high = _narrow(found, query.clauses)
    keys, start, end = found.events.index(metric).between(low, high)
    after = query.cursor()
    if after is not None and not isinstance(after, int):
        raise bad_parameter("page[cursor]", "The cursor is not one of ours.")
    # Klaviyo answers the latest first unless asked otherwise.
    down = query.descending or query.sort is None
    page: list[int] = []
    for key in _walk(keys, start, end, after, descending=down):
        row = found.events.profile_of(row_of_key(key))
        if (profile is None or row == profile) and found.profiles.is_alive(row):
            page.append(key)
            if len(page) > query.size:
                break
    return page


def _walk(keys: list[int], start: int, end: int, after: int | None, *, descending: bool) -> Iterator[int]:
    if descending:
        stop = end if after is None else min(end, bisect_left(keys, after))
        return (keys[i] for i in range(stop - 1, start - 1, -1))
    begin = start if after is None else max(start, bisect_right(keys, after))
    return (keys[i] for i in range(begin, end))


def _narrow(
    found: Account, clauses: list[Clause]
) -> tuple[Metric | None, int | None, int | None, int | None]:
    metric: Metric | None = None
    profile: int | None = None
    low: int | None = None
    high: int | None = None
    for clause in clauses:
        if clause.field == "metric_id":
            metric = found.events.metric_by_id(str(clause.value))
            if metric is None:
                raise bad_parameter("filter", f"A metric with id {clause.value} does not exist.")
        elif clause.field == "profile_id":
            row = profile_row(str(clause.value))
            profile = -1 if row is None else row
        else:
            seconds = _seconds(clause)
            if clause.operator == "greater-or-equal":
                low = max(low or 0, ceil(seconds))
            elif clause.operator == "greater-than":
                low = max(low or 0, int(seconds) + 1)
            else:
                last = ceil(seconds) - 1 if clause.operator == "less-than" else int(seconds)
                high = last if high is None else min(high, last)
    return metric, profile, low, high


def _seconds(clause: Clause) -> float:
    if clause.field == "timestamp" and isinstance(clause.value, int) and not isinstance(clause.value, bool):
        return float(clause.value)
    if not isinstance(clause.value, datetime):
        raise bad_parameter("filter", f"'{clause.field}' is compared with a date and time without quotes.")
    return clause.value.timestamp()


def _included(found: Account, events: list[Event], include: list[str]) -> list[dict[str, Any]]:
    included: list[dict[str, Any]] = []
    if "metric" in include:
        metrics = {event.metric.number: event.metric for event in events}
        included += [documents.metric(metric) for metric in metrics.values()]
    if "profile" in include:
        rows = dict.fromkeys(event.profile for event in events)
        included += [documents.profile(found.profiles, row) for row in rows]
    return included
