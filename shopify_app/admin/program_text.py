"""The whole program as text: everything that a document can say, also what the forms leave to it."""

from flask import Blueprint, jsonify, request
from flask.wrappers import Response

from loyalty.core.document import ProgramInvalid, Unreadable, parse_program, read_text
from loyalty.core.document.mistakes import shown
from loyalty.program_text import write_text
from shopify_app.admin.answers import mistakes
from shopify_app.admin.page import Pages
from shopify_app.admin.program_saving import document_in_force, save, version_in_force

FIELD = "text"


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET`` and ``POST /program/text``."""

    @blueprint.get("/program/text")
    def show_text() -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            document = document_in_force(session, shop.id or 0)
            based_on = version_in_force(session, shop.id or 0) or ""
        return pages.render("admin/program_text.html", shop, text=write_text(document), based_on=based_on)

    @blueprint.post("/program/text")
    def save_text() -> Response | tuple[Response, int]:
        based_on = request.form.get("based_on", "")
        try:
            document = read_text(request.form.get(FIELD, ""))
            parse_program(document, version=0)
            return save(
                pages,
                document,
                based_on=int(based_on) if based_on.isdecimal() and based_on.isascii() else None,
                redirect=pages.link("/program"),
            )
        except Unreadable as error:
            return mistakes({FIELD: f"This is no document: {error}."})
        except ProgramInvalid as invalid:
            count = len(invalid.mistakes)
            told = [
                {"path": mistake.path, "expected": mistake.expected, "found": shown(mistake.found)}
                for mistake in invalid.mistakes
            ]
            summary = "There is a mistake" if count == 1 else f"There are {count} mistakes"
            return jsonify(
                {"ok": False, "errors": {FIELD: f"{summary}; nothing was changed."}, "mistakes": told}
            ), 422
