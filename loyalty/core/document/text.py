"""A document as text: read from TOML or JSON, written as TOML for people. Comments in the text are not kept: the document is what it
says."""

import json
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_LINE = 100


class Unreadable(ValueError):
    """A text is neither TOML nor JSON; the message says where it ceases to be."""


def read_text(text: str) -> dict[str, Any]:
    """The document in a text. What begins with a brace is JSON, anything else TOML. Raises ``Unreadable``."""
    is_json = text.lstrip("\ufeff \t\r\n").startswith("{")
    try:
        if is_json:
            found = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_once)
        else:
            found = tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except ValueError as error:
        raise Unreadable(f"not {'JSON' if is_json else 'TOML'}: {error}") from None
    return dict(found)


def plain(value: Any) -> Any:
    """A document as JSON can hold it: dates as text, nothing that is null."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def write_text(document: Mapping[str, Any]) -> str:
    """The document as TOML. Small tables stand on one line, lists of large ones under headings of their own."""
    return "\n\n".join(_sections(plain(document), ())) + "\n"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!a} is there twice in one table")
    return table


def _sections(table: Mapping[str, Any], path: tuple[str, ...], *, heading: str = "") -> list[str]:
    """The lines of a table, and after them its parts that need headings of their own."""
    inline: list[str] = []
    parts: list[tuple[str, Any]] = []
    # Tables keep their order: when one of them needs a heading of its own, all of this level get one.
    tables_inline = all(_fits(key, value) for key, value in table.items())
    for key, value in table.items():
        if _has_tables(value) or (isinstance(value, Mapping) and not tables_inline):
            parts.append((key, value))
        else:
            line = f"{_key(key)} = {_value(value)}"
            inline.append(line if len(line) <= _LONGEST_LINE else f"{_key(key)} = {_lines(value)}")
    own = [heading] if heading and (inline or not parts) else []
    sections = ["\n".join([*own, *inline])] if own or inline else []
    for key, value in parts:
        name = ".".join(_key(step) for step in (*path, key))
        if isinstance(value, Mapping):
            sections += _sections(value, (*path, key), heading=f"[{name}]")
        else:
            for each in value:
                sections += _element(each, (*path, key), f"[[{name}]]")
    return sections


def _element(table: Mapping[str, Any], path: tuple[str, ...], heading: str) -> list[str]:
    found = _sections(table, path, heading=heading)
    # An element of a list begins with its own heading, whatever it holds.
    return found if found[0].startswith(heading) else [heading, *found]


def _fits(key: str, value: Any) -> bool:
    """Whether a value may stand on its key's line, as far as it is a table or holds some."""
    if isinstance(value, Mapping):
        nested = any(isinstance(inner, Mapping) or _has_tables(inner) for inner in value.values())
        return not nested and len(f"{_key(key)} = {_value(value)}") <= _LONGEST_LINE
    return not _has_tables(value)


def _has_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _quoted(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_value(each) for each in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _lines(value: Any) -> str:
    """A long list, one item a line."""
    if not isinstance(value, list):
        return _value(value)
    return "[\n" + "".join(f"  {_value(each)},\n" for each in value) + "]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
