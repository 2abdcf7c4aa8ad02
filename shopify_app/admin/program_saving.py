"""Saving a program from the pages: a new version by the person at the page, unless somebody else saved one since it was opened."""

from collections.abc import Mapping
from typing import Any

from flask.wrappers import Response
from sqlmodel import Session

from loyalty import calendar, programs
from loyalty.core.document import DEFAULT_DOCUMENT
from shopify_app import lifecycle
from shopify_app.admin.answers import done, refused
from shopify_app.admin.page import Pages

# Who installs the first program (``shopify_app.lifecycle``): nobody has looked at that one yet.
INSTALLER = "Laurel"
_STAFF = "staff:"
_MOVED = "Somebody saved another version since you opened this page. Open it again to see what is in force now; nothing was changed."


def save(
    pages: Pages, document: Mapping[str, Any], *, based_on: int | None, redirect: str
) -> Response | tuple[Response, int]:
    """Begin a new version and tell the theme; the answer for the page's script. Raises ``ProgramInvalid``."""
    merchant, now = pages.merchant(), pages.runtime.clock()
    try:
        with pages.runtime.transaction() as session:
            before = version_in_force(session, merchant.shop_id)
            saved = programs.apply(
                session,
                merchant.shop_id,
                document,
                author=f"{_STAFF}{merchant.user_id}",
                now=now,
                based_on=based_on,
            )
            is_new = saved.version != before
            if is_new:
                lifecycle.tell_program(session, merchant.shop_id, occasion="saved", now=now)
                calendar.program_applied(session, merchant.shop_id, saved, now=now)
    except programs.ProgramMoved:
        return refused(_MOVED)
    pages.runtime.nudge("drain_outbox", merchant.shop_id, "shopify")
    return done("Program saved" if is_new else "Nothing had changed", redirect=redirect)


def document_in_force(session: Session, shop_id: int) -> dict[str, Any]:
    """The document in force; before there is one, that with which a shop begins."""
    try:
        return programs.document(session, shop_id)
    except programs.NoProgram:
        return DEFAULT_DOCUMENT


def version_in_force(session: Session, shop_id: int) -> int | None:
    """The version in force, or None before there is one."""
    found = programs.versions(session, shop_id, limit=1)
    return found[0].version if found else None


def author_name(author: str) -> str:
    """Who saved a version, in words."""
    if author.startswith(_STAFF):
        return f"Staff member {author.removeprefix(_STAFF)}"
    return f"{author}, at the installation" if author == INSTALLER else author
