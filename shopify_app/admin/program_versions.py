"""The versions of the program: who saved which, what each of them changed, and the way back to any of them."""

from flask import Blueprint, request
from flask.wrappers import Response
from sqlmodel import Session

from loyalty import programs
from loyalty.core.document import ProgramInvalid, difference
from loyalty.program_text import write_text
from shopify_app.admin.answers import refused
from shopify_app.admin.page import Pages
from shopify_app.admin.program_saving import author_name, save

_ON_A_PAGE = 20


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """The list, one version, and going back to it."""

    @blueprint.get("/program/versions")
    def show_versions() -> Response:
        return _list(pages, _number(request.args.get("before", "")))

    @blueprint.get("/program/versions/<int:version_id>")
    def show_version(version_id: int) -> Response:
        return _one(pages, version_id)

    @blueprint.post("/program/versions/<int:version_id>/restore")
    def restore_version(version_id: int) -> Response | tuple[Response, int]:
        return _restore(pages, version_id)


def _number(text: str) -> int | None:
    """A version's number from an address; whatever is none means the newest."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else None


def _list(pages: Pages, before: int | None) -> Response:
    with pages.runtime.reading() as session:
        shop = pages.shop(session)
        shop_id = shop.id or 0
        found = programs.versions(session, shop_id, before=before, limit=_ON_A_PAGE + 1)
        listed = [(row, _changes(session, shop_id, row.version)) for row in found[:_ON_A_PAGE]]
        latest = programs.versions(session, shop_id, limit=1)
    return pages.render(
        "admin/program_versions.html",
        shop,
        versions=listed,
        in_force=latest[0].version if latest else 0,
        older=found[_ON_A_PAGE - 1].version if len(found) > _ON_A_PAGE else None,
        author_name=author_name,
    )


def _one(pages: Pages, version: int) -> Response:
    with pages.runtime.reading() as session:
        shop = pages.shop(session)
        shop_id = shop.id or 0
        try:
            document = programs.document_at(session, shop_id, version)
            now = programs.document(session, shop_id)
        except programs.NoProgram:
            return pages.missing(shop, "This version", back="/program/versions")
        row = programs.versions(session, shop_id, before=version + 1, limit=1)[0]
        latest = programs.versions(session, shop_id, limit=1)[0]
    return pages.render(
        "admin/program_version.html",
        shop,
        row=row,
        author=author_name(row.author),
        in_force=latest.version,
        is_in_force=row.version == latest.version,
        back=[change.text for change in difference(now, document)],
        text=write_text(document),
    )


def _restore(pages: Pages, version: int) -> Response | tuple[Response, int]:
    with pages.runtime.reading() as session:
        try:
            document = programs.document_at(session, pages.merchant().shop_id, version)
        except programs.NoProgram:
            return refused("There is no such version.", status=404)
    try:
        # What going back would change was said of the version that was in force then.
        based_on = _number(request.args.get("based_on", ""))
        return save(pages, document, based_on=based_on, redirect=pages.link("/program/versions"))
    except ProgramInvalid as invalid:
        return refused(f"This version can no longer be: {invalid.mistakes[0]}")


def _changes(session: Session, shop_id: int, version: int) -> list[str] | None:
    """What a version changed of the one before it; None for the first."""
    try:
        before = programs.document_at(session, shop_id, version - 1)
    except programs.NoProgram:
        return None
    changes = difference(before, programs.document_at(session, shop_id, version))
    if not changes:  # the words are the same, and mean the days of another time zone
        meant = (programs.meaning_at(session, shop_id, each) for each in (version - 1, version))
        changes = difference(*meant)
    return [change.text for change in changes]
