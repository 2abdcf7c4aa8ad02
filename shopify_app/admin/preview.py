"""What would change: a changed program over everything that has happened, before anybody saves it."""

from datetime import date, datetime
from typing import Any

from flask import Blueprint, jsonify, request
from flask.wrappers import Response
from sqlmodel import Session

from loyalty import preview, programs
from loyalty.core.document import ProgramInvalid, Unreadable, difference, read_text
from loyalty.core.document.mistakes import shown
from loyalty.core.moments import start_of
from loyalty.models import Run, Shop
from loyalty.program_text import write_text
from loyalty.statement import runs as statement
from shopify_app.admin.answers import done, mistakes, refused
from shopify_app.admin.page import Pages
from shopify_app.admin.program_saving import document_in_force, version_in_force

_TEXT = "text"
_BUSY = "A preview is under way. Wait until it has ended, or cancel it."
# What the page shows of each side, in this order.
FIGURES = (
    ("Earned", "earned"),
    ("Pending", "pending"),
    ("Redeemed", "redeemed"),
    ("Adjusted by staff and imports", "adjusted"),
    ("Expired", "expired"),
    ("Debts written off", "forgiven"),
    ("Outstanding", "outstanding"),
    ("Ending within 90 days", "expiring_soon"),
    ("Goals reached", "goals"),
    ("Rewards given by rules", "gifts"),
    ("Members below zero", "below_zero"),
)


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET`` and ``POST /program/preview``."""

    @blueprint.get("/program/preview")
    def show_preview() -> Response:
        now = pages.runtime.clock()
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            assert shop.id is not None
            run = preview.latest(session, shop.id)
            asked = preview.Asked.from_json(run.params) if run else None
            document = asked.document if asked else document_in_force(session, shop.id)
            return pages.render(
                "admin/preview.html",
                shop,
                text=write_text(document),
                begins=asked.begins.date().isoformat() if asked and asked.begins else "",
                based_on=version_in_force(session, shop.id) or "",
                run=statement.view(run, now=now) if run else None,
                found=preview.result(session, run) if run else None,
                run_version=asked.version if asked else None,
                changes=_changes(session, asked, shop.id) if asked else [],
                figures=FIGURES,
            )

    @blueprint.post("/program/preview")
    def start_preview() -> Response | tuple[Response, int]:
        try:
            document = read_text(request.form.get(_TEXT, ""))
            return start(pages, document, begins=request.form.get("begins", "").strip())
        except Unreadable as error:
            return mistakes({_TEXT: f"This is no document: {error}."})
        except ProgramInvalid as invalid:
            told = [
                {"path": mistake.path, "expected": mistake.expected, "found": shown(mistake.found)}
                for mistake in invalid.mistakes
            ]
            errors = {_TEXT: "There is a mistake in it."}
            return jsonify({"ok": False, "errors": errors, "mistakes": told}), 422


def start(pages: Pages, document: dict[str, Any], *, begins: str = "") -> Response | tuple[Response, int]:
    """Begin to look what a document would change, ``begins`` being the day since which; the answer for the page's script. Raises
    ``ProgramInvalid``."""
    try:
        return _start(pages, document, begins)
    except programs.NoProgram:
        return refused("Save a program first: there is nothing to compare with yet.")


def _start(pages: Pages, document: dict[str, Any], begins: str) -> Response | tuple[Response, int]:
    now, merchant = pages.runtime.clock(), pages.merchant()
    with pages.runtime.transaction() as session:
        shop = pages.shop(session)
        zone = programs.draft(session, merchant.shop_id, document).timezone
        day = _day(begins)
        since = start_of(day, zone) if day else None
        if begins and (since is None or since > now):
            return mistakes({"begins": "Enter a day that is not in the future, or none."})
        run = _begin(session, shop, document, since, now)
        if run is None:
            return refused(_BUSY)
        run_id = run.id or 0
    pages.runtime.nudge("advance_run", run_id)
    return done("The preview has begun", redirect=pages.link("/program/preview"))


def _begin(
    session: Session, shop: Shop, document: dict[str, Any], since: datetime | None, now: datetime
) -> Run | None:
    """The run that was begun; None while another one is under way."""
    asked = preview.ask(session, shop, document, begins=since, now=now)
    run = preview.start(session, shop, asked, now=now)
    return run if run.params == asked.to_json() else None


def _changes(session: Session, asked: preview.Asked, shop_id: int) -> list[str]:
    """What the document that was looked at says otherwise than the program it was compared with."""
    before = programs.document_at(session, shop_id, asked.version)
    return [change.text for change in difference(before, asked.document)]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
