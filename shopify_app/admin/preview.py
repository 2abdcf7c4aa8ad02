"""What would change: a changed program over everything that has happened, before anybody saves it."""

from datetime import date, datetime
from typing import Any

from flask import Blueprint, jsonify, request
from flask.wrappers import Response
from sqlmodel import Session

from loyalty import preview, programs
from loyalty.core.document import ProgramInvalid, Unreadable, difference, read_text
from loyalty.core.document.mistakes import shown
from loyalty.core.moments import day_of, start_of
from loyalty.models import Run, Shop
from loyalty.program_text import write_text
from loyalty.statement import runs as statement
from shopify_app.admin.answers import done, mistakes, refused
from shopify_app.admin.page import Pages
from shopify_app.admin.program_saving import document_in_force, version_in_force

_TEXT = "text"
# Nobody sold anything at Shopify before.
_EARLIEST = date(2006, 1, 1)
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
            # Whoever wants to begin anew sees the program in force, and nothing of the last preview.
            run = None if "fresh" in request.args else preview.latest(session, shop.id)
            asked = preview.Asked.from_json(run.params) if run else None
            now_in_force, version = document_in_force(session, shop.id), version_in_force(session, shop.id)
            saved_since = _saved_since(asked, now_in_force, version)
            return pages.render(
                "admin/preview.html",
                shop,
                text=write_text(asked.document if asked else now_in_force),
                begins=_begins(session, shop.id, asked),
                # A document that was made from an older version may not take back unseen what was saved since.
                based_on=(asked.version if asked and saved_since else version) or "",
                saved_since=saved_since,
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


def _saved_since(asked: preview.Asked | None, in_force: dict[str, Any], version: int | None) -> int | None:
    """The version that was saved since the last preview, unless it says what was looked at."""
    if asked is None or version == asked.version or not difference(in_force, asked.document):
        return None
    return version


def _begins(session: Session, shop_id: int, asked: preview.Asked | None) -> str:
    """The day that was asked for, as it was entered: one of the program's own time zone."""
    if asked is None or asked.begins is None:
        return ""
    try:
        return day_of(asked.begins, programs.draft(session, shop_id, asked.document).timezone).isoformat()
    except ProgramInvalid:
        return ""


def _changes(session: Session, asked: preview.Asked, shop_id: int) -> list[str]:
    """What the document that was looked at says otherwise than the program it was compared with."""
    try:
        before = programs.document_at(session, shop_id, asked.version)
    except programs.NoProgram:
        return []
    return [change.text for change in difference(before, asked.document)]


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day >= _EARLIEST else None
