"""The program's page: one form for the whole document. Saving makes a new version; a mistake is shown in its field."""

from decimal import Decimal, InvalidOperation
from typing import Any

from flask import Blueprint, jsonify, request
from flask.wrappers import Response
from sqlmodel import Session

from loyalty import programs
from loyalty.core.document import DEFAULT_DOCUMENT, MOST_POINTS, ROUNDINGS, ProgramInvalid
from loyalty.core.program import PointsName
from loyalty.statement import program as statement
from loyalty.statement.formats import Formats
from shopify_app import lifecycle
from shopify_app.admin import program_form
from shopify_app.admin.answers import done, mistakes
from shopify_app.admin.page import Pages
from shopify_app.merchant import Merchant

# Who installs the first program (``shopify_app.lifecycle``): nobody has looked at that one yet.
INSTALLER = "Laurel"
_STAFF = "staff:"
_ROUNDINGS = (
    ("down", "Drop them"),
    ("half_up", "Round to the nearest point"),
    ("up", "Round up to a whole point"),
)


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET`` and ``POST /program``, and the live example."""

    @blueprint.get("/program")
    def show_program() -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            assert shop.id is not None
            form = program_form.values(_document(session, shop.id))
            formats = Formats(shop.currency, shop.timezone)
            return pages.render(
                "admin/program.html",
                shop,
                form=form,
                new_reward=program_form.NEW_REWARD,
                roundings=_ROUNDINGS,
                example=_example(form.order.rate, form.order.rounding, form.one, form.many, formats),
                versions=statement.versions(session, shop.id),
                author_name=author_name,
            )

    @blueprint.post("/program")
    def save_program() -> Response | tuple[Response, int]:
        merchant = pages.merchant()
        document, places = program_form.document(request.form)
        try:
            is_new = _save(pages, merchant, document)
        except ProgramInvalid as invalid:
            return mistakes(program_form.advice(invalid.mistakes, places))
        pages.runtime.nudge("drain_outbox", merchant.shop_id, "shopify")
        told = "Program saved" if is_new else "Nothing had changed"
        return done(told, redirect=pages.link("/program"))

    @blueprint.get("/program/example.json")
    def show_example() -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
        asked = request.args
        text = _example(
            asked.get("earn.order.rate", ""),
            asked.get("earn.order.rounding", ""),
            asked.get("points.one", ""),
            asked.get("points.many", ""),
            Formats(shop.currency, shop.timezone),
        )
        return jsonify({"text": text})


def _save(pages: Pages, merchant: Merchant, document: dict[str, Any]) -> bool:
    """Begin a new version and tell the theme; False when the document is the one in force. Raises ``ProgramInvalid``."""
    now = pages.runtime.clock()
    with pages.runtime.transaction() as session:
        before = _version(session, merchant.shop_id)
        author = f"{_STAFF}{merchant.user_id}"
        saved = programs.apply(session, merchant.shop_id, document, author=author, now=now)
        if saved.version == before:
            return False
        lifecycle.tell_program(session, merchant.shop_id, occasion="saved", now=now)
    return True


def author_name(author: str) -> str:
    """Who saved a version, in words."""
    if author.startswith(_STAFF):
        return f"Staff member {author.removeprefix(_STAFF)}"
    return f"{author}, at the installation" if author == INSTALLER else author


def _document(session: Session, shop_id: int) -> dict[str, Any]:
    try:
        return programs.document(session, shop_id)
    except programs.NoProgram:
        return DEFAULT_DOCUMENT


def _version(session: Session, shop_id: int) -> int | None:
    try:
        return programs.current(session, shop_id).version
    except programs.NoProgram:
        return None


def _example(rate: str, rounding: str, one: str, many: str, formats: Formats) -> str:
    try:
        exact = Decimal(rate.strip())
    except InvalidOperation:
        exact = Decimal(0)
    # ``1e-99999999`` is short to write and takes minutes to reckon with.
    is_sound = exact.is_finite() and 0 < exact <= MOST_POINTS and exact == round(exact, 4)
    if not is_sound or rounding not in ROUNDINGS:
        return "Enter how many points an order earns, and an example appears here."
    points = statement.example_points(exact, rounding)
    name = PointsName(one.strip() or "point", many.strip() or "points")
    return f"An order of {formats.money(statement.EXAMPLE_AMOUNT)} earns {name.format(points)}."
