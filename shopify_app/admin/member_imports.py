"""Members from a file: upload, what the dry run found, the import with its progress, and taking it back."""

import csv
import io
import secrets
from typing import Any

from flask import Blueprint, abort, request
from flask.wrappers import Response
from sqlmodel import Session

from loyalty import member_import
from loyalty.member_import import exporting
from loyalty.models import ImportBatch
from loyalty.statement import runs as statement
from shopify_app.admin.answers import done, mistakes, refused
from shopify_app.admin.page import Pages

# A page is for what people keep in spreadsheets; more goes by the command line.
LARGEST_UPLOAD = 64 * 1024 * 1024
_BUSY = "Another import is under way. Wait until it has ended."


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """The pages below ``/imports/members``, and the members as a file."""
    _add_list(blueprint, pages)
    _add_one(blueprint, pages)

    @blueprint.post("/imports/members/<batch_id>/start")
    def start_member_import(batch_id: str) -> Response | tuple[Response, int]:
        again = "again" in request.form
        return _begin(pages, batch_id, member_import.start_import, "The import has begun", again=again)

    @blueprint.post("/imports/members/<batch_id>/undo")
    def undo_member_import(batch_id: str) -> Response | tuple[Response, int]:
        return _begin(pages, batch_id, member_import.start_undo, "The import is being taken back")

    @blueprint.post("/imports/members/<batch_id>/discard")
    def discard_member_import(batch_id: str) -> Response | tuple[Response, int]:
        with pages.runtime.transaction() as session:
            gone = member_import.discard(session, _batch(pages, session, batch_id))
        if not gone:
            return refused("It has begun already.")
        return done("The file was removed", redirect=pages.link("/imports/members"))


def _add_list(blueprint: Blueprint, pages: Pages) -> None:
    @blueprint.get("/imports/members")
    def show_member_imports() -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            batches = member_import.latest(session, shop.id or 0)
            return pages.render("admin/member_imports.html", shop, batches=batches)

    @blueprint.post("/imports/members")
    def upload_members() -> Response | tuple[Response, int]:
        if (request.content_length or 0) > LARGEST_UPLOAD:
            megabytes = LARGEST_UPLOAD // 2**20
            return mistakes({"file": f"The file is larger than {megabytes} MB. Use the command line for it."})
        request.max_content_length = LARGEST_UPLOAD
        return _upload(pages)

    @blueprint.get("/members/export.csv")
    def export_members() -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            text = "".join(exporting.member_lines(session, shop.id or 0))
        return _file(text, "members.csv")


def _add_one(blueprint: Blueprint, pages: Pages) -> None:
    @blueprint.get("/imports/members/<batch_id>")
    def show_member_import(batch_id: str) -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            batch = member_import.one(session, shop.id or 0, batch_id)
            if batch is None:
                return pages.missing(shop, "There is no such import.", back="/imports/members")
            return pages.render("admin/member_import.html", shop, **_shown(pages, session, batch))

    @blueprint.get("/imports/members/<batch_id>/report.csv")
    def member_import_report(batch_id: str) -> Response:
        written = io.StringIO()
        lines = csv.writer(written)
        lines.writerow(("line", "column", "mistake"))
        with pages.runtime.reading() as session:
            for row in member_import.all_trouble(session, _batch(pages, session, batch_id)):
                lines.writerows((row.line, column, what) for column, what in member_import.mistakes(row))
        return _file(written.getvalue(), f"import-{batch_id}.csv")


def _upload(pages: Pages) -> Response | tuple[Response, int]:
    file, form, merchant = request.files.get("file"), request.form, pages.merchant()
    if file is None or not file.filename:
        return mistakes({"file": "Choose a file."})
    mode = form.get("mode", "add")
    if mode not in ("add", "set"):
        return mistakes({"mode": "Choose what the points of the file mean."})
    now = pages.runtime.clock()
    try:
        with pages.runtime.transaction() as session:
            batch = member_import.upload(
                session,
                pages.shop(session),
                file.stream,
                batch_id=secrets.token_hex(8),
                file_name=file.filename,
                author=f"staff:{merchant.user_id}",
                now=now,
                mode=mode,
                day_first=form.get("dates") == "day_first",
            )
            run_id = member_import.start_check(session, batch, now=now).id
    except member_import.UploadRefused as problem:
        return mistakes({"file": str(problem)})
    except member_import.ImportBusy:
        return refused(_BUSY)
    pages.runtime.nudge("advance_run", run_id or 0)
    return done("The file is being looked through", redirect=pages.link(f"/imports/members/{batch.id}"))


def _begin(
    pages: Pages, batch_id: str, start: Any, told: str, **options: Any
) -> Response | tuple[Response, int]:
    try:
        with pages.runtime.transaction() as session:
            formats = pages.formats(pages.shop(session))
            batch = _batch(pages, session, batch_id, lock=True)
            run_id = start(session, batch, now=pages.runtime.clock(), **options).id
    except member_import.ImportBusy:
        return refused(_BUSY)
    except member_import.NotReady:
        return refused("The import is not at the point for this. Load the page again.")
    except member_import.AlreadyImported as known:
        return refused(f"The very same file was imported on {formats.day(known.at)}.")
    pages.runtime.nudge("advance_run", run_id)
    return done(told, redirect=pages.link(f"/imports/members/{batch_id}"))


def _batch(pages: Pages, session: Session, batch_id: str, *, lock: bool = False) -> ImportBatch:
    batch = member_import.one(session, pages.merchant().shop_id, batch_id, lock=lock)
    if batch is None:
        abort(404)
    return batch


def _shown(pages: Pages, session: Session, batch: ImportBatch) -> dict[str, Any]:
    run = member_import.latest_run(session, batch)
    largest = batch.report.get("largest", [])
    known = member_import.earlier(session, batch.shop_id, batch.digest)
    return {
        "batch": batch,
        "run": statement.view(run, now=pages.runtime.clock()) if run else None,
        "people": member_import.people_of(session, batch, [change["line"] for change in largest]),
        "largest": largest,
        "trouble": [
            (row.line, list(member_import.mistakes(row)))
            for row in member_import.trouble_lines(session, batch)
        ],
        "known_before": known if known is not None and known.id != batch.id else None,
    }


def _file(text: str, name: str) -> Response:
    response = Response(text, mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response
