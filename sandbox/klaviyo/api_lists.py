"""The account and list operations. Refuses to store by itself."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from sandbox.klaviyo import documents, gate
from sandbox.klaviyo.account import ProfileList
from sandbox.klaviyo.checks import known_members, only_data, resource, resource_ids, wrong
from sandbox.klaviyo.errors import Problem, not_found, refuse_when
from sandbox.klaviyo.idents import profile_row, short_id
from sandbox.klaviyo.query import Query
from sandbox.klaviyo.replies import many, nothing, one

blueprint = Blueprint("lists", __name__)

MAX_MEMBERS = 1000


@blueprint.get("/api/accounts")
def list_accounts() -> Response:
    query = Query(("account",))
    with gate.state().lock:
        return many([documents.account(gate.account().spec)], query)


@blueprint.get("/api/accounts/<ident>")
def get_account(ident: str) -> Response:
    query = Query(("account",))
    with gate.state().lock:
        if gate.account().spec.ident != ident:
            raise not_found("account", ident)
        return one(documents.account(gate.account().spec), query)


@blueprint.get("/api/lists")
def list_lists() -> Response:
    allowed = {"name": ("any", "equals"), "id": ("any", "equals")}
    sorts = ("created", "id", "name", "updated")
    query = Query(("list",), filters=allowed, sorts=sorts, page_max=10, page_default=10)
    with gate.state().lock:
        lists = list(gate.account().lists.values())
    for clause in query.clauses:
        wanted = clause.value if clause.operator == "any" else [clause.value]
        lists = [item for item in lists if (item.name if clause.field == "name" else item.ident) in wanted]
    page, links = query.page(lists, key=lambda item: [_sort_value(item, query.sort), item.ident])
    return many([documents.profile_list(item) for item in page], query, links)


def _sort_value(item: ProfileList, sort: str | None) -> Any:
    return {"name": item.name, "id": item.ident}.get(sort or "", item.created)


@blueprint.post("/api/lists")
def create_list() -> Response:
    query = Query(("list",))
    problems: list[Problem] = []
    data = only_data(gate.body(), "", problems)
    if data is not None and resource(data, "list", "/data", problems):
        given, at = data["attributes"], "/data/attributes"
        if known_members(given, frozenset(("name", "opt_in_process")), at, problems, "list", ("name",)):
            if not isinstance(given["name"], str) or not given["name"].strip():
                wrong(problems, f"{at}/name", "A list needs a name.")
            if given.get("opt_in_process") not in (None, "single_opt_in", "double_opt_in"):
                wrong(problems, f"{at}/opt_in_process", "This must be single_opt_in or double_opt_in.")
    refuse_when(problems)
    with gate.state().lock:
        found = gate.account()
        ident = short_id("list", found.spec.ident, str(len(found.lists)))
        opt_in = given.get("opt_in_process") or "double_opt_in"
        made = found.lists[ident] = ProfileList(ident, given["name"], opt_in, gate.state().now())
        return one(documents.profile_list(made), query, status=201)


@blueprint.get("/api/lists/<ident>")
def get_list(ident: str) -> Response:
    query = Query(("list",), additional=("profile_count",))
    with gate.state().lock:
        found = _list(ident)
        shown = documents.profile_list(found)
        if "profile_count" in query.additional:
            shown["attributes"]["profile_count"] = len(found.members)
        return one(shown, query)


@blueprint.get("/api/lists/<ident>/profiles")
def list_members(ident: str) -> Response:
    sorts = ("joined_group_at",)
    query = Query(("profile",), sorts=sorts, page_max=100, page_default=20)
    with gate.state().lock:
        members = _list(ident).members
        rows, links = query.page(members, key=lambda row: [members[row], row])
        profiles = gate.account().profiles
        shown = []
        for row in rows:
            item = documents.profile(profiles, row)
            item["attributes"]["joined_group_at"] = documents.iso(members[row])
            shown.append(item)
        return many(shown, query, links)


@blueprint.post("/api/lists/<ident>/relationships/profiles")
def add_members(ident: str) -> Response:
    with gate.state().lock:
        rows, members = _member_rows(), _list(ident).members
        for row in rows:
            members.setdefault(row, gate.state().now())
    return nothing(204)


@blueprint.delete("/api/lists/<ident>/relationships/profiles")
def remove_members(ident: str) -> Response:
    with gate.state().lock:
        rows, members = _member_rows(), _list(ident).members
        for row in rows:
            members.pop(row, None)
    return nothing(204)


def _member_rows() -> list[int]:
    Query()
    problems: list[Problem] = []
    data = only_data(gate.body(), "", problems)
    idents = [] if data is None else resource_ids(data, "profile", "/data", problems)
    if len(idents) > MAX_MEMBERS:
        wrong(problems, "/data", f"A request may name {MAX_MEMBERS} profiles at most.")
    rows: list[int] = []
    profiles = gate.account().profiles
    for index, ident in enumerate(idents):
        row = profile_row(ident)
        if row is None or profiles.alive(ident) is None:
            wrong(problems, f"/data/{index}/id", f"A profile with id {ident} does not exist.")
        else:
            rows.append(row)
    refuse_when(problems)
    return rows


def _list(ident: str) -> ProfileList:
    found = gate.account().lists.get(ident)
    if found is None:
        raise not_found("list", ident)
    return found
