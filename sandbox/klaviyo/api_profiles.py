"""The profile operations: import one, read, change, erase. Many at once are `api_imports`.

Refuses to validate or store by itself: it joins the two.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from sandbox.klaviyo import documents, gate
from sandbox.klaviyo.checks import only_data, resource, wrong
from sandbox.klaviyo.errors import Problem, not_found, refuse_when
from sandbox.klaviyo.filters import Clause
from sandbox.klaviyo.profile_checks import ATTRIBUTES, MAX_PROFILE, MEMBERS, check_deletion, check_profile
from sandbox.klaviyo.profiles import Profiles
from sandbox.klaviyo.query import Query, bad_parameter
from sandbox.klaviyo.replies import many, nothing, one

blueprint = Blueprint("profiles", __name__)

_ADDITIONAL = ("subscriptions", "predictive_analytics")
_FILTERS = {
    "id": ("any", "equals"),
    "email": ("any", "equals"),
    "phone_number": ("any", "equals"),
    "external_id": ("any", "equals"),
    "created": ("greater-than", "less-than"),
    "updated": ("greater-than", "less-than"),
}


@blueprint.post("/api/profile-import")
def import_profile() -> Response:
    query = Query(("profile",), additional=_ADDITIONAL)
    problems: list[Problem] = []
    data = only_data(gate.body(MAX_PROFILE), "", problems)
    if data is not None:
        check_profile(data, "/data", problems)
    refuse_when(problems)
    with gate.state().lock:
        profiles = gate.account().profiles
        row, created = profiles.upsert(data, gate.state().now())
        return one(_shown(profiles, row, query), query, status=201 if created else 200)


@blueprint.patch("/api/profiles/<ident>")
def change_profile(ident: str) -> Response:
    query = Query(("profile",), additional=_ADDITIONAL)
    problems: list[Problem] = []
    data = only_data(gate.body(MAX_PROFILE), "", problems)
    if data is not None and resource(
        data, "profile", "/data", problems, members=MEMBERS, required=("type", "id", "attributes")
    ):
        if data["id"] != ident:
            wrong(problems, "/data/id", "The id differs from the one in the path.")
        check_profile(data, "/data", problems, attributes=ATTRIBUTES - {"_kx"}, identified=False)
    refuse_when(problems)
    with gate.state().lock:
        profiles = gate.account().profiles
        row = profiles.alive(ident)
        if row is None:
            raise not_found("profile", ident)
        profiles.update(row, data, gate.state().now())
        return one(_shown(profiles, row, query), query)


@blueprint.get("/api/profiles/<ident>")
def get_profile(ident: str) -> Response:
    query = Query(("profile",), additional=_ADDITIONAL)
    with gate.state().lock:
        profiles = gate.account().profiles
        row = profiles.alive(ident)
        if row is None:
            raise not_found("profile", ident)
        return one(_shown(profiles, row, query), query)


@blueprint.get("/api/profiles")
def list_profiles() -> Response:
    query = Query(
        ("profile",),
        filters=_FILTERS,
        sorts=("created", "updated", "email", "id"),
        additional=_ADDITIONAL,
        page_max=100,
        page_default=20,
    )
    with gate.state().lock:
        profiles = gate.account().profiles
        if query.clauses or query.sort in ("email", "updated"):
            rows, links = query.page(
                _matching(profiles, query.clauses), key=lambda row: _key(profiles, row, query)
            )
        else:
            rows, links = _unfiltered(profiles, query)
        return many([_shown(profiles, row, query) for row in rows], query, links)


def _unfiltered(profiles: Profiles, query: Query) -> tuple[list[int], dict[str, str | None]]:
    """A page of all profiles in the order of their making, without sorting a million rows."""
    after = query.cursor()
    if after is not None and not isinstance(after, int):
        raise bad_parameter("page[cursor]", "The cursor is not one of ours.")
    rows = profiles.walk(after, descending=query.descending)
    page = [row for row, _ in zip(rows, range(query.size + 1), strict=False)]
    return page[: query.size], query.links(page[query.size - 1] if len(page) > query.size else None)


def _key(profiles: Profiles, row: int, query: Query) -> list[Any]:
    if query.sort == "email":
        return [profiles.email(row) or "", row]
    return [profiles.times(row)[1], row] if query.sort == "updated" else [row]


def _matching(profiles: Profiles, clauses: list[Clause]) -> list[int]:
    found: set[int] | None = None
    for clause in clauses:
        if clause.field in ("created", "updated"):
            rows = _by_time(profiles, clause, found)
        else:
            rows = _by_identifier(profiles, clause)
        found = rows if found is None else found & rows
    return list(profiles.rows()) if found is None else list(found)


def _by_identifier(profiles: Profiles, clause: Clause) -> set[int]:
    values = clause.value if clause.operator == "any" else [clause.value]
    if not all(isinstance(value, str) for value in values):
        raise bad_parameter("filter", f"'{clause.field}' is compared with quoted strings.")
    if len(values) > 100:
        raise bad_parameter("filter", "A list in a filter may hold 100 values at most.")
    if clause.field == "id":
        rows = {profiles.alive(value) for value in values}
    else:
        rows = {profiles.with_identifier(clause.field, value) for value in values}
    return {row for row in rows if row is not None}


def _by_time(profiles: Profiles, clause: Clause, among: set[int] | None) -> set[int]:
    if not hasattr(clause.value, "timestamp"):
        raise bad_parameter("filter", f"'{clause.field}' is compared with a date and time without quotes.")
    limit, which = clause.value.timestamp(), 0 if clause.field == "created" else 1
    after = clause.operator == "greater-than"
    rows = profiles.rows() if among is None else iter(among)
    return {
        row
        for row in rows
        if (profiles.times(row)[which] > limit) == after and profiles.times(row)[which] != limit
    }


def _shown(profiles: Profiles, row: int, query: Query) -> dict[str, Any]:
    shown = documents.profile(profiles, row)
    if "subscriptions" in query.additional:
        # Nothing that the sandbox offers can subscribe anyone, as with the calls it imitates.
        never = {"can_receive_email_marketing": True, "consent": "NEVER_SUBSCRIBED", "suppression": []}
        shown["attributes"]["subscriptions"] = {"email": {"marketing": never}}
    if "predictive_analytics" in query.additional:
        shown["attributes"]["predictive_analytics"] = None
    return shown


@blueprint.post("/api/data-privacy-deletion-jobs")
def delete_profile() -> Response:
    Query()
    problems: list[Problem] = []
    named = check_deletion(gate.body(), problems)
    refuse_when(problems)
    with gate.state().lock:
        gate.account().delete_profiles(named)
    return nothing(202)
