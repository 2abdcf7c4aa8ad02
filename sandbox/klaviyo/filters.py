"""Klaviyo's filter language: `equals(email,"a@b.shop"),greater-or-equal(created,2026-01-01T00:00:00Z)`.

Parses and checks against what a resource allows. Refuses to apply: the views know their data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.klaviyo.checks import instant
from sandbox.klaviyo.errors import Problem, Refused

_CALL = re.compile(r"\s*([a-z-]+)\(\s*([A-Za-z0-9_.\-\[\]]+)\s*,")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_BARE = re.compile(r"[^,()\[\]\"']+")


@dataclass(frozen=True)
class Clause:
    """One comparison of a filter."""

    operator: str
    field: str
    value: Any


def parse_filter(text: str | None, allowed: Mapping[str, tuple[str, ...]]) -> list[Clause]:
    """The clauses of a filter, all of which must hold; a 400 for what the resource does not know."""
    if not text:
        return []
    clauses, position = [], 0
    while True:
        match = _CALL.match(text, position)
        if not match:
            raise _bad("The filter could not be parsed.")
        operator, field = match.groups()
        value, position = _value(text, match.end())
        position = _expect(text, position, ")")
        _check(operator, field, value, allowed)
        clauses.append(Clause(operator, field, value))
        if not text[position:].strip():
            return clauses
        position = _expect(text, position, ",")


def _value(text: str, position: int) -> tuple[Any, int]:
    while position < len(text) and text[position] == " ":
        position += 1
    if text[position : position + 1] == "[":
        return _list(text, position + 1)
    quoted = _STRING.match(text, position)
    if quoted:
        return _unquote(quoted.group()), quoted.end()
    bare = _BARE.match(text, position)
    if not bare:
        raise _bad("The filter has no value.")
    return _bare(bare.group().strip()), bare.end()


def _list(text: str, position: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    while True:
        value, position = _value(text, position)
        found.append(value)
        while text[position : position + 1] == " ":
            position += 1
        if text[position : position + 1] == "]":
            return found, position + 1
        position = _expect(text, position, ",")


def _unquote(text: str) -> str:
    inner = text[1:-1]
    if text[0] == "'":
        inner = inner.replace("\\'", "'").replace('"', '\\"')
    try:
        return str(json.loads(f'"{inner}"'))
    except ValueError as error:
        raise _bad("A string of the filter could not be read.") from error


def _bare(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    moment = instant(text)
    if moment is None:
        raise _bad(f"'{text}' is neither a quoted string, a number nor a date and time.")
    return moment


def _expect(text: str, position: int, letter: str) -> int:
    while text[position : position + 1] == " ":
        position += 1
    if text[position : position + 1] != letter:
        raise _bad(f"The filter lacks a '{letter}'.")
    return position + 1


def _check(operator: str, field: str, value: Any, allowed: Mapping[str, tuple[str, ...]]) -> None:
    if field not in allowed:
        raise _bad(f"'{field}' is not a filterable field for this resource.")
    if operator not in allowed[field]:
        raise _bad(f"The operator '{operator}' is not allowed for the field '{field}'.")
    if (operator == "any") != isinstance(value, list):
        raise _bad(f"The operator '{operator}' takes {'a list' if operator == 'any' else 'one value'}.")


def _bad(detail: str) -> Refused:
    return Refused(400, [Problem(detail, parameter="filter", title="Invalid filter provided.")])
