"""What was entered into a form, as a table of a document. Whether it is right is judged by the document's check alone; here texts only
become what they are: numbers, lists, tables."""

import re
from collections.abc import Sequence
from typing import Any

from werkzeug.datastructures import MultiDict

from loyalty.core.document.earning import CAMPAIGN_KEY
from loyalty.core.document.fields import Field, Table
from loyalty.core.document.kinds import WRONG, Choice, Flag, Kind, Text, Whole
from loyalty.core.document.lists import Many, Reference, ShopifyId
from loyalty.core.document.mistakes import Notes

Form = MultiDict[str, str]
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NOT_IN_KEYS = re.compile(r"[^a-z0-9]+")
_BETWEEN_IDS = re.compile(r"[\s,;]+")


def entered(fields: Sequence[Field], form: Form, *, prefix: str = "") -> dict[str, Any]:
    """The table that a form says. What is empty, or what would be so anyway, is not said."""
    table = {}
    for field in fields:
        if field.name == "key":
            continue
        value = _value(field.kind, form, prefix + field.name)
        if value is not None and not _is_default(field, value):
            table[field.name] = value
    return table


def new_key(title: str, taken: set[str], noun: str) -> str:
    """A key from a title, that nothing in ``taken`` has; ``taken`` learns of it."""
    stem = _NOT_IN_KEYS.sub("_", title.lower()).strip("_")[:40].rstrip("_")
    if not stem[:1].isalpha() or stem.startswith(CAMPAIGN_KEY):
        stem = f"{noun}_{stem}".rstrip("_")
    key, number = stem, 2
    while key in taken:
        key, number = f"{stem}_{number}", number + 1
    taken.add(key)
    return key


def places(form: Form, name: str) -> list[int]:
    """The numbers of the items of a series in a form; removed ones leave gaps."""
    pattern = re.compile(rf"{re.escape(name)}\[(\d{{1,6}})\]\.")
    return sorted({int(found[1]) for field in form if (found := pattern.match(field))})


def _value(kind: Kind, form: Form, name: str) -> Any:
    text = form.get(name, "").strip()
    match kind:
        case Table(fields=fields):
            return entered(fields, form, prefix=f"{name}.") or None
        case Many(kind=inner):
            return _list(inner, form, name)
        case Flag():
            return name in form
        case Whole() | ShopifyId():
            return int(text) if _WHOLE.fullmatch(text) else (text or None)
    return text or None


def _list(kind: Kind, form: Form, name: str) -> list[Any] | None:
    match kind:
        case Table(fields=fields):
            return _series(fields, form, name)
        case Reference() | Choice():
            return [value for value in form.getlist(name) if value]
        case ShopifyId():
            ids = [text for text in _BETWEEN_IDS.split(form.get(name, "")) if text]
            return [int(text) if _WHOLE.fullmatch(text) else text for text in ids]
        case Text():
            return [line.strip() for line in form.get(name, "").splitlines() if line.strip()]
    return [word.strip() for word in re.split(r"[,\n]", form.get(name, "")) if word.strip()]


def _series(fields: Sequence[Field], form: Form, name: str) -> list[dict[str, Any]]:
    found = places(form, name)
    taken = {form.get(f"{name}[{place}].key", "") for place in found}
    tables = []
    for place in found:
        prefix = f"{name}[{place}]."
        table = entered(fields, form, prefix=prefix)
        key = form.get(f"{prefix}key", "") or new_key(str(table.get("title", "")), taken, "item")
        tables.append({"key": key, **table})
    return tables


def _is_default(field: Field, value: Any) -> bool:
    if field.is_required:
        return value == []
    read = field.kind.read(value, "", Notes())
    return read is not WRONG and read == field.default
