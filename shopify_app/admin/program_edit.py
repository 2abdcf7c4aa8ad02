"""The forms of the program: one for each rule, reward and part. Saving makes a new version; a mistake is shown in its field."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Blueprint, abort, make_response, request
from flask.wrappers import Response

from loyalty.core.document import Mistake, ProgramInvalid, parse_program
from loyalty.core.document.shape import GENERAL, KEYED_PARTS
from shopify_app.admin import preview
from shopify_app.admin import program_parts as parts
from shopify_app.admin.answers import mistakes, refused
from shopify_app.admin.page import Pages
from shopify_app.admin.program_entered import entered, new_key, places
from shopify_app.admin.program_inputs import Choices, Item, inputs
from shopify_app.admin.program_parts import Part
from shopify_app.admin.program_saving import document_in_force, save, version_in_force

# What a rule or reward is about stands first; to whom and when it applies comes after.
_CONDITIONS = frozenset(
    {
        *("limit", "schedule", "guests", "tiers", "hold_days", "goods", "channels", "multiplied"),
        *("code_prefix", "minimum_subtotal", "products", "collections", "combines", "rules", "checks"),
    }
)
# What the key of a thing begins with where its title gives none.
_STEMS = {"earn": "way", "rewards": "reward", "campaigns": "campaign"}
_GONE = "This part of the program is gone."
_AT_THE_END = re.compile(r"\[\d+\]$")
_PLACE = re.compile(r"ladder\[(\d+)\]")


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """The forms of what is there, and their saving and removing."""

    @blueprint.get("/program/part/<name>", defaults={"key": ""})
    @blueprint.get("/program/part/<name>/<key>")
    def show_part(name: str, key: str) -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            document = document_in_force(session, shop.id or 0)
            found = parts.find(document, name, key)
            if found is None:
                return pages.missing(shop, "This part of the program", back="/program")
            part, table = found
            return _form(pages, session, shop, document, part, table or parts.suggestion(part))

    @blueprint.post("/program/part/<name>", defaults={"key": ""})
    @blueprint.post("/program/part/<name>/<key>")
    def save_part(name: str, key: str) -> Response | tuple[Response, int]:
        return _save(pages, *_there(pages, name, key))

    @blueprint.post("/program/preview/part/<name>", defaults={"key": ""})
    @blueprint.post("/program/preview/part/<name>/<key>")
    def preview_part(name: str, key: str) -> Response | tuple[Response, int]:
        return _look_ahead(pages, *_there(pages, name, key))

    _add_removing_routes(blueprint, pages)
    _add_new_routes(blueprint, pages)


def _add_removing_routes(blueprint: Blueprint, pages: Pages) -> None:
    @blueprint.post("/program/remove/<name>", defaults={"key": ""})
    @blueprint.post("/program/remove/<name>/<key>")
    def remove_part(name: str, key: str) -> Response | tuple[Response, int]:
        with pages.runtime.reading() as session:
            version = version_in_force(session, pages.merchant().shop_id)
        return without(
            name, key, lambda after: save(pages, after, based_on=version, redirect=pages.link("/program"))
        )

    @blueprint.post("/program/preview/remove/<name>", defaults={"key": ""})
    @blueprint.post("/program/preview/remove/<name>/<key>")
    def preview_removing(name: str, key: str) -> Response | tuple[Response, int]:
        return without(name, key, lambda after: preview.start(pages, after))

    def without(
        name: str, key: str, then: Callable[[dict[str, Any]], Response | tuple[Response, int]]
    ) -> Response | tuple[Response, int]:
        document, part = _there(pages, name, key)
        if name == GENERAL:
            return refused(_GONE, status=404)
        try:
            return then(parts.removed(document, part))
        except ProgramInvalid as invalid:
            return refused(f"Something else in the program needs it: {invalid.mistakes[0].path}.")


def _add_new_routes(blueprint: Blueprint, pages: Pages) -> None:
    @blueprint.get("/program/new/<name>")
    def choose_new(name: str) -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
        if name not in ("earn", "rewards"):
            return pages.missing(shop, "This part of the program", back="/program")
        return pages.render(
            "admin/program_new.html", shop, name=name, noun=parts.NOUNS[name], offers=parts.offers(name)
        )

    @blueprint.get("/program/new/<name>/<sort>")
    def show_new(name: str, sort: str) -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            if name not in KEYED_PARTS or not parts.is_sort(name, sort):
                return pages.missing(shop, "This part of the program", back="/program")
            part = Part(name, sort=sort)
            document = document_in_force(session, shop.id or 0)
            return _form(pages, session, shop, document, part, parts.suggestion(part))

    @blueprint.post("/program/new/<name>/<sort>")
    def save_new(name: str, sort: str) -> Response | tuple[Response, int]:
        return _save(pages, *_new(pages, name, sort))

    @blueprint.post("/program/preview/new/<name>/<sort>")
    def preview_new(name: str, sort: str) -> Response | tuple[Response, int]:
        return _look_ahead(pages, *_new(pages, name, sort))


def _there(pages: Pages, name: str, key: str) -> tuple[dict[str, Any], Part]:
    """The document in force and a part of it. Ends the request where there is none such."""
    document = _document(pages)
    found = parts.find(document, name, key)
    if found is None:
        abort(make_response(refused(_GONE, status=404)))
    return document, found[0]


def _new(pages: Pages, name: str, sort: str) -> tuple[dict[str, Any], Part]:
    """The document in force and the thing that a form makes, with a key that is still free. Ends the request where there is none such."""
    if name not in KEYED_PARTS or not parts.is_sort(name, sort):
        abort(make_response(refused("There is no such thing in a program.", status=404)))
    document = _document(pages)
    taken = set(parts.keyed(document, name))
    if name == "earn" and sort not in taken:
        return document, Part(name, sort, sort)
    return document, Part(name, new_key(request.form.get("title", ""), taken, _STEMS[name]), sort)


def choices_of(document: Mapping[str, Any]) -> Choices:
    """What of a document can be referred to, by its title."""
    ladder = (document.get("tiers") or {}).get("ladder", ())
    known: dict[str, list[tuple[str, str, str]]] = {
        name: [
            (key, str(table.get("title", key)), parts.sort_of(name, key, table))
            for key, table in parts.keyed(document, name).items()
        ]
        for name in ("earn", "rewards")
    }
    known["tiers"] = [(tier["key"], tier["title"], "") for tier in ladder]
    return Choices(known)


def _form(
    pages: Pages, session: Any, shop: Any, document: Mapping[str, Any], part: Part, table: Mapping[str, Any]
) -> Response:
    items = inputs(part.fields, table, choices_of(document))
    split = part.is_keyed
    return pages.render(
        "admin/program_part.html",
        shop,
        part=part,
        title=table.get("title") if part.is_keyed and part.key else "",
        noun=parts.NOUNS.get(part.name, ""),
        first=[item for item in items if not split or _name(item) not in _CONDITIONS],
        conditions=[item for item in items if split and _name(item) in _CONDITIONS],
        is_new=part.is_keyed and not part.key,
        is_there=bool(part.key) or (not part.is_keyed and part.name in document),
        based_on=version_in_force(session, shop.id) or "",
    )


def _name(item: Item) -> str:
    return item.name.rpartition(".")[2]


def _document(pages: Pages) -> dict[str, Any]:
    with pages.runtime.reading() as session:
        return document_in_force(session, pages.merchant().shop_id)


def _changed(document: dict[str, Any], part: Part) -> dict[str, Any]:
    """The document with what was entered."""
    table = entered(part.fields, request.form)
    if part.name == "rewards" and table.get("listed") is False:
        table.pop("points", None)  # the price of what is only given is hidden, not wrong
    return parts.replaced(document, part, table)


def _look_ahead(pages: Pages, document: dict[str, Any], part: Part) -> Response | tuple[Response, int]:
    after = _changed(document, part)
    try:
        return preview.start(pages, after)
    except ProgramInvalid as invalid:
        return mistakes(_advice(invalid.mistakes, parts.path_of(after, part)))


def _save(pages: Pages, document: dict[str, Any], part: Part) -> Response | tuple[Response, int]:
    after = _changed(document, part)
    based_on = request.form.get("based_on", "")
    try:
        # Before the version is looked at: whoever has mistakes to mend should not have to open the page anew first.
        parse_program(after, version=0)
        return save(
            pages,
            after,
            based_on=int(based_on) if based_on.isdecimal() and based_on.isascii() else None,
            redirect=pages.link("/program"),
        )
    except ProgramInvalid as invalid:
        return mistakes(_advice(invalid.mistakes, parts.path_of(after, part)))


def _advice(found: Iterable[Mistake], path: str) -> dict[str, str]:
    """The mistakes by the names of their fields. Those of other parts keep their path, and are told beside the form."""
    ladder = places(request.form, "ladder")

    told = {}
    for mistake in reversed(list(found)):  # where a field has several, the first one is told
        inside = mistake.path.removeprefix(path)
        if path and inside == mistake.path:
            told[mistake.path] = f"{mistake.path}: {_sentence(mistake)}"
        else:
            name = _AT_THE_END.sub("", inside)
            told[_PLACE.sub(lambda place: f"ladder[{ladder[int(place[1])]}]", name)] = _sentence(mistake)
    return dict(reversed(told.items()))


def _sentence(mistake: Mistake) -> str:
    expected = mistake.expected.replace(" in quotes", "")
    verb = "Choose" if expected.startswith("one of") else "Enter"
    return f"{verb} {expected}."
