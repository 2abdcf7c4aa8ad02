"""A program document as TOML that people like to read. Keys, values and headings are tomlkit's; here is only decided what stands where:
small tables on one line, larger ones and lists of tables under headings of their own.

Reading is the core's, with the standard library (``loyalty.core.document.text``). Comments are not kept: the document is what it says.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import tomlkit
from tomlkit.items import InlineTable, Table

from loyalty.core.document import plain

_LONGEST_LINE = 100
_Place = TypeVar("_Place", tomlkit.TOMLDocument, Table)


def write_text(document: Mapping[str, Any]) -> str:
    """The document as TOML, in its own order, with the values of each table before what needs headings."""
    return tomlkit.dumps(_filled(tomlkit.document(), plain(document)))


def _filled(place: _Place, values: Mapping[str, Any]) -> _Place:
    """The place with these values: what fits on a line first, then what needs headings."""
    # Tables keep their order: when one of them needs a heading of its own, all of this level get one.
    on_lines = all(_fits(key, value) for key, value in values.items())
    below = {key: value for key, value in values.items() if _needs_headings(value, on_lines=on_lines)}
    for key, value in values.items():
        if key not in below:
            place.add(key, _on_a_line(key, value))
    for key, value in below.items():
        if isinstance(value, Mapping):
            place.add(key, _filled(tomlkit.table(is_super_table=_is_headings_alone(value)), value))
        else:
            tables = tomlkit.aot()
            for each in value:
                tables.append(_filled(tomlkit.table(), each))
            place.add(key, tables)
    return place


def _on_a_line(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return _inline(value)
    item = tomlkit.item(value)
    if isinstance(item, tomlkit.items.Array) and len(f"{key} = {item.as_string()}") > _LONGEST_LINE:
        item.multiline(True)  # noqa: FBT003  # the library's own way to say it
    return item


def _inline(table: Mapping[str, Any]) -> InlineTable:
    made = tomlkit.inline_table()
    made.update(table)
    return made


def _fits(key: str, value: Any) -> bool:
    """Whether a value may stand on its key's line, as far as it is a table or holds some."""
    if isinstance(value, Mapping):
        nested = any(isinstance(inner, Mapping) or _has_tables(inner) for inner in value.values())
        return not nested and len(f"{key} = {_inline(value).as_string()}") <= _LONGEST_LINE
    return not _has_tables(value)


def _needs_headings(value: Any, *, on_lines: bool) -> bool:
    return _has_tables(value) or (isinstance(value, Mapping) and not on_lines)


def _is_headings_alone(table: Mapping[str, Any]) -> bool:
    """Whether a table says nothing itself, so that its own heading would be an empty line of noise."""
    return bool(table) and all(isinstance(value, Mapping) or _has_tables(value) for value in table.values())


def _has_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)
