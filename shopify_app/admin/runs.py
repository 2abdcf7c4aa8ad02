"""Long jobs: what the progress bars ask for, cancelling, and who was skipped and why."""

from typing import Any

from flask import Blueprint, abort, jsonify, request
from flask.wrappers import Response

from loyalty import member_import, preview, runs
from loyalty.statement import runs as statement
from loyalty.statement.keyset import parse_cursor
from loyalty.statement.members import names_of
from loyalty.statement.runs import Description, RunView
from shopify_app.admin.answers import done, refused
from shopify_app.admin.imports import CUSTOMERS, ORDERS
from shopify_app.admin.page import NavigationItem, Pages

_IMPORTS = NavigationItem("/imports", "Imports")
_PREVIEW = NavigationItem("/program/preview", "What would change")
_BACK = {
    **dict.fromkeys((CUSTOMERS, ORDERS, *member_import.KINDS), _IMPORTS),
    preview.KIND: _PREVIEW,
}
_ELSEWHERE = NavigationItem("/klaviyo", "Klaviyo")


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET /runs/<id>.json``, ``GET /runs/<id>`` and ``POST /runs/<id>/cancel``."""

    @blueprint.get("/runs/<int:run_id>.json")
    def show_progress(run_id: int) -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            assert shop.id is not None
            run = statement.one(session, shop.id, run_id, now=pages.runtime.clock())
        if run is None:
            abort(404)
        said = statement.describe(run, pages.formats(shop))
        return jsonify(_progress(run, said))

    @blueprint.get("/runs/<int:run_id>")
    def show_run(run_id: int) -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            assert shop.id is not None
            run = statement.one(session, shop.id, run_id, now=pages.runtime.clock())
            if run is None:
                return pages.missing(shop, "There is no such job.", back="/")
            cursor = parse_cursor(request.args.get("at"), size=1)
            items = statement.items_page(session, run.id, cursor=cursor)
            return pages.render(
                "admin/run.html",
                shop,
                run=run,
                items=items,
                people=names_of(session, {row.member_id for row in items.rows if row.member_id}),
                in_words=pages.in_words,
                back=_BACK.get(run.kind, _ELSEWHERE),
            )

    @blueprint.post("/runs/<int:run_id>/cancel")
    def cancel_run(run_id: int) -> Response | tuple[Response, int]:
        merchant = pages.merchant()
        with pages.runtime.transaction() as session:
            asked = runs.cancel(session, merchant.shop_id, run_id, now=pages.runtime.clock())
        if not asked:
            return refused("It had ended already.")
        pages.runtime.nudge("advance_run", run_id)
        return done("It stops after the piece that it is at")


def _progress(run: RunView, said: Description) -> dict[str, Any]:
    """What a progress bar shows."""
    return {
        "id": run.id,
        "kind": run.kind,
        "state": run.state,
        "is_open": run.is_open,
        "total": run.total,
        "done": run.done,
        "failed": run.failed,
        "skipped": run.skipped,
        "percent": said.percent,
        "text": said.text,
        "tone": said.tone,
        "badge": {"text": said.badge, "tone": said.badge_tone},
    }
