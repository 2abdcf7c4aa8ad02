"""A document as text: read from TOML or JSON. It is written as TOML outside the core (``loyalty.program_text``)."""

import json
import tomllib
from collections.abc import Mapping
from datetime import date
from typing import Any


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


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!a} is there twice in one table")
    return table
