"""The fields of a document as inputs of a form. What an input is follows from its field's kind alone, so every field that a document may
have can be filled in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from loyalty.core.document.fields import Field, Table
from loyalty.core.document.kinds import WRONG, Amount, Choice, Day, Flag, Kind, Pattern, Text, Whole, Zone
from loyalty.core.document.lists import Many, Reference, ShopifyId, Word
from loyalty.core.document.mistakes import Notes

# The template of one more item has this in place of its number.
NEXT = "__index__"
_PICKS = {"Product": "product", "Collection": "collection", "ProductVariant": "variant"}


@dataclass(frozen=True, slots=True)
class Option:
    """One of several things to choose from."""

    value: str
    label: str
    selected: bool


@dataclass(frozen=True, slots=True)
class Input:
    """One input. ``widget`` names its component; ``pick`` what of the shop's can be picked for it."""

    name: str
    label: str
    details: str
    widget: str
    value: str = ""
    required: bool = False
    suffix: str = ""
    least: int = 0
    options: tuple[Option, ...] = ()
    pick: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Inputs that belong together. ``is_set``: something in it is filled in, or has to be; ``must``: it has to be."""

    name: str
    label: str
    details: str
    items: tuple["Input | Group | Series", ...]
    is_set: bool
    must: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """Groups one after the other, with a blank one for those that are added. ``keys`` are theirs in the document."""

    name: str
    label: str
    groups: tuple[Group, ...]
    keys: tuple[str, ...]
    blank: Group


Item = Input | Group | Series


@dataclass(frozen=True, slots=True)
class Choices:
    """What a document offers to those that refer to it: key and title of its rewards, tiers and rules for orders."""

    known: Mapping[str, Sequence[tuple[str, str, str]]]

    def of(self, reference: Reference) -> list[tuple[str, str]]:
        """Keys and titles of what a reference may name."""
        return [
            (key, title)
            for key, title, kind in self.known[reference.to]
            if reference.kinds is None or kind in reference.kinds
        ]


def inputs(
    fields: Sequence[Field], table: Mapping[str, Any], choices: Choices, *, prefix: str = ""
) -> tuple[Item, ...]:
    """The inputs for a table's fields, filled in with what it says (or with what holds when it says nothing)."""
    items = [
        item for field in fields if field.name != "key" for item in _items(field, table, choices, prefix)
    ]
    # What is folded up comes last, so that the open fields stand together.
    return tuple(
        sorted(
            items, key=lambda item: isinstance(item, Series) or (isinstance(item, Group) and not item.must)
        )
    )


def _items(field: Field, table: Mapping[str, Any], choices: Choices, prefix: str) -> Iterator[Item]:
    name = prefix + field.name
    given = table.get(field.name)
    match field.kind:
        case Table(fields=inner):
            found = given if isinstance(given, Mapping) else {}
            items = inputs(inner, found, choices, prefix=f"{name}.")
            if field.default is None and not found:
                # An optional table is filled in as a whole or not at all, so nothing in it may look filled in.
                items = tuple(_emptied(item) for item in items)
            yield Group(
                name,
                field.label,
                field.details,
                items,
                bool(found) or field.is_required,
                must=field.is_required,
            )
        case Many(kind=Table(fields=inner)):
            yield _series(field, inner, given, choices, name)
        case _:
            made = _input(field, given, choices, name)
            # A list to choose from that offers nothing is no question.
            if made.widget not in ("select", "choices") or any(option.value for option in made.options):
                yield made


def _series(field: Field, inner: Sequence[Field], given: Any, choices: Choices, name: str) -> Series:
    tables = [table for table in given if isinstance(table, Mapping)] if isinstance(given, list) else []

    def group(place: int | str, table: Mapping[str, Any]) -> Group:
        items = inputs(inner, table, choices, prefix=f"{name}[{place}].")
        return Group(f"{name}[{place}]", str(table.get("title", "")), "", items, is_set=True)

    groups = tuple(group(place, table) for place, table in enumerate(tables))
    keys = tuple(str(table.get("key", "")) for table in tables)
    return Series(name, field.label, groups, keys, group(NEXT, {}))


def _emptied(item: Item) -> Item:
    match item:
        case Input(widget="select"):
            chosen = tuple(replace(option, selected=not option.value) for option in item.options)
            blank = () if any(not option.value for option in chosen) else (Option("", "–", selected=True),)
            return replace(item, value="", options=(*blank, *chosen), required=False)
        case Input():
            return replace(item, value="", required=False)
        case Group():
            return replace(item, items=tuple(_emptied(inner) for inner in item.items))
    return item


def _input(field: Field, given: Any, choices: Choices, name: str) -> Input:
    value = _said(field, given)
    made = Input(name, field.label, field.details, "text", required=field.is_required)
    match field.kind:
        case Flag():
            widget = "switch" if field.name == "enabled" else "checkbox"
            return replace(made, widget=widget, value="on" if value is True else "", required=False)
        case Choice(words=words):
            options = tuple(Option(key, label, key == value) for key, label in words)
            none = (Option("", _upper_first(field.none), not value),) if field.default is None else ()
            return replace(made, widget="select", value=_text(value), options=none + options)
        case Reference() as reference:
            options = tuple(Option(key, title, key == value) for key, title in choices.of(reference))
            none = () if field.is_required else (Option("", "None", not value),)
            return replace(made, widget="select", value=_text(value), options=none + options)
        case Many(kind=inner):
            return _list_input(made, inner, value if isinstance(value, list) else [], choices)
    return replace(made, value=_text(value), **_typed(field.kind))


def _typed(kind: Kind) -> dict[str, Any]:
    match kind:
        case Whole():
            return {"widget": "number", "suffix": kind.unit, "least": kind.least}
        case Amount():
            return {"widget": "money" if kind.is_money else "decimal"}
        case Day():
            return {"widget": "date"}
        case ShopifyId():
            return {"pick": _PICKS[kind.noun]}
    assert isinstance(kind, (Text, Pattern, Zone)), kind
    return {}


def _list_input(made: Input, inner: Kind, given: list[Any], choices: Choices) -> Input:
    said = {str(each) for each in given}
    match inner:
        case Choice(words=offered):
            options = tuple(Option(key, label, key in said) for key, label in offered)
            return replace(made, widget="choices", options=options, required=False)
        case Reference():
            options = tuple(Option(key, title, key in said) for key, title in choices.of(inner))
            return replace(made, widget="choices", options=options, required=False)
        case ShopifyId():
            return replace(made, widget="area", value="\n".join(map(str, given)), pick=_PICKS[inner.noun])
    assert isinstance(inner, (Word, Text)), inner
    return replace(made, widget="area", value="\n".join(map(str, given)))


def _said(field: Field, given: Any) -> Any:
    """What an input shows: what is said, or else what holds, unless nobody could say that (no points at all, for instance)."""
    if given is not None:
        return given
    written = None if field.is_required or field.default is None else field.kind.write(field.default)
    return None if field.kind.read(written, "", Notes()) is WRONG else written


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)
