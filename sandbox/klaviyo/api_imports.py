"""The bulk profile imports: asked for, watched, and their errors. Refuses to work them off: `imports` does, as time goes by."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from sandbox.klaviyo import documents, gate
from sandbox.klaviyo.checks import known_members, only_data, relationship_ids, resource, wrong
from sandbox.klaviyo.errors import Problem, not_found, refuse_when
from sandbox.klaviyo.imports import ImportJob
from sandbox.klaviyo.profile_checks import check_profile
from sandbox.klaviyo.query import Query
from sandbox.klaviyo.replies import many, one

blueprint = Blueprint("imports", __name__)

MAX_IMPORT = 10_000


@blueprint.post("/api/profile-bulk-import-jobs")
def create_import() -> Response:
    query = Query(("profile-bulk-import-job",))
    problems: list[Problem] = []
    data = only_data(gate.body(), "", problems)
    batch, lists = read_import(data, problems)
    refuse_when(problems)
    state = gate.state()
    with state.lock:
        found = gate.account()
        for index, ident in enumerate(lists):
            if ident not in found.lists:
                wrong(
                    problems,
                    f"/data/relationships/lists/data/{index}/id",
                    f"A list with id {ident} does not exist.",
                )
        refuse_when(problems)
        job = found.imports.add(batch, tuple(lists), state.settings, state.now())
        return one(documents.import_job(job, state.now()), query, status=202)


def read_import(data: Any, problems: list[Problem]) -> tuple[list[dict[str, Any]], list[str]]:
    """The profiles and the lists of a job, worthless when there are problems."""
    kind, at = "profile-bulk-import-job", "/data/attributes"
    members = frozenset(("type", "attributes", "relationships"))
    if data is None or not resource(data, kind, "/data", problems, members=members):
        return [], []
    if not known_members(data["attributes"], frozenset(("profiles",)), at, problems, kind, ("profiles",)):
        return [], []
    batch = only_data(data["attributes"]["profiles"], f"{at}/profiles", problems)
    here = f"{at}/profiles/data"
    if not isinstance(batch, list) or not batch:
        wrong(problems, here, "This must be an array of at least one profile.")
        return [], []
    if len(batch) > MAX_IMPORT:
        wrong(problems, here, f"A job may hold {MAX_IMPORT} profiles at most.")
        return [], []
    for index, item in enumerate(batch):
        check_profile(item, f"{here}/{index}", problems)
    return batch, _read_lists(data.get("relationships"), problems)


def _read_lists(relationships: Any, problems: list[Problem]) -> list[str]:
    if relationships is None:
        return []
    at, kind = "/data/relationships", "profile-bulk-import-job"
    known = known_members(relationships, frozenset(("lists",)), at, problems, kind)
    if not known or "lists" not in relationships:
        return []
    return relationship_ids(relationships, "lists", "list", at, problems)


@blueprint.get("/api/profile-bulk-import-jobs")
def list_imports() -> Response:
    query = Query(
        ("profile-bulk-import-job",),
        filters={"status": ("any", "equals")},
        sorts=("created_at",),
        page_max=100,
        page_default=20,
    )
    with gate.state().lock:
        jobs = list(gate.account().imports.jobs.values())
        now = gate.state().now()
        for clause in query.clauses:
            wanted = clause.value if clause.operator == "any" else [clause.value]
            jobs = [job for job in jobs if job.status(now) in wanted]
        down = query.descending or query.sort is None
        page, links = query.page(jobs, key=lambda job: [job.created, job.ident], descending=down)
        return many([documents.import_job(job, now) for job in page], query, links)


@blueprint.get("/api/profile-bulk-import-jobs/<ident>")
def get_import(ident: str) -> Response:
    query = Query(("profile-bulk-import-job",))
    with gate.state().lock:
        return one(documents.import_job(_job(ident), gate.state().now()), query)


@blueprint.get("/api/profile-bulk-import-jobs/<ident>/import-errors")
def list_import_errors(ident: str) -> Response:
    query = Query(("import-error",), page_max=100, page_default=20)
    with gate.state().lock:
        errors = list(enumerate(_job(ident).errors))
        page, links = query.page(errors, key=lambda item: [item[0]])
        return many([documents.import_error(failed) for _, failed in page], query, links)


def _job(ident: str) -> ImportJob:
    found = gate.account().imports.jobs.get(ident)
    if found is None:
        raise not_found("profile-bulk-import-job", ident)
    return found
