"""The checks that every request body shares: JSON:API nesting, known members, types, dates.

Each check appends what it finds to a list of problems, so that one answer names them all. Refuses to change
what it checks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.klaviyo.errors import Problem, Refused

MAX_STRING = 100 * 1024
# So few characters are never more bytes than that, whatever they are.
SURELY_SMALL = MAX_STRING // 4
MAX_NESTING = 10
MAX_ARRAY = 4000
_DATA = frozenset(("data",))
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse_json(body: bytes) -> dict[str, Any]:
    """The body as a JSON object, or a 400."""
    try:
        parsed = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(400, [Problem("The body is not valid JSON.", code="parse_error")]) from error
    if not isinstance(parsed, dict):
        raise Refused(400, [Problem("The body must be a JSON object.", pointer="/", code="parse_error")])
    return parsed


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def wrong(problems: list[Problem], at: str, detail: str) -> None:
    """Note one problem at a pointer."""
    problems.append(Problem(detail, pointer=at))


def known_members(
    value: Any,
    allowed: frozenset[str],
    at: str,
    problems: list[Problem],
    kind: str,
    required: tuple[str, ...] = (),
) -> bool:
    """Whether `value` is an object that has the required members; unknown ones are problems too."""
    if not isinstance(value, dict):
        wrong(problems, at, f"{kind} must be an object.")
        return False
    if not allowed.issuperset(value):
        for name in sorted(value.keys() - allowed):
            wrong(problems, f"{at}/{name}", f"'{name}' is not a valid field for the resource '{kind}'.")
    complete = True
    for name in required:
        if name not in value:
            wrong(problems, f"{at}/{name}", f"The field '{name}' is required.")
            complete = False
    return complete


def resource(
    value: Any,
    kind: str,
    at: str,
    problems: list[Problem],
    *,
    members: frozenset[str] = frozenset(("type", "attributes")),
    required: tuple[str, ...] = ("type", "attributes"),
) -> bool:
    """Whether `value` is a JSON:API resource of that type, with no members other than those named."""
    if not known_members(value, members, at, problems, kind, required):
        return False
    if value["type"] != kind:
        wrong(problems, f"{at}/type", f"'{value['type']}' is not the type expected here: '{kind}'.")
        return False
    if not isinstance(value.get("attributes", {}), dict):
        wrong(problems, f"{at}/attributes", "attributes must be an object.")
        return False
    return True


def only_data(value: Any, at: str, problems: list[Problem]) -> Any:
    """What stands under the single member `data`, or None with a problem noted."""
    if not known_members(value, _DATA, at, problems, "document", ("data",)):
        return None
    if value["data"] is None:
        wrong(problems, f"{at}/data", "This may not be null.")
    return value["data"]


def nullable_string(value: Any, at: str, problems: list[Problem]) -> None:
    """A string no longer than 100 KB, or null."""
    if value is None:
        return
    if not isinstance(value, str):
        wrong(problems, at, "This must be a string or null.")
    elif len(value) > SURELY_SMALL and len(value.encode()) > MAX_STRING:
        wrong(problems, at, "A string may not be larger than 100 KB.")


def json_value(value: Any, at: str, problems: list[Problem], depth: int = 1) -> None:
    """Limits on free-form values: string size, array length, nesting."""
    if isinstance(value, str):
        nullable_string(value, at, problems)
    elif isinstance(value, dict | list):
        if depth > MAX_NESTING:
            wrong(problems, at, f"Properties may be nested {MAX_NESTING} levels deep at most.")
        elif isinstance(value, dict):
            for key, inner in value.items():
                json_value(inner, f"{at}/{key}", problems, depth + 1)
        elif len(value) > MAX_ARRAY:
            wrong(problems, at, f"An array may hold {MAX_ARRAY} values at most.")
        else:
            for index, inner in enumerate(value):
                json_value(inner, f"{at}/{index}", problems, depth + 1)


def instant(value: Any) -> datetime | None:
    """An RFC 3339 instant with its offset, or None when it is not one."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.upper())
    except ValueError:
        return None


def relationship_ids(
    container: Mapping[str, Any], name: str, kind: str, at: str, problems: list[Problem]
) -> list[str]:
    """The ids under relationships.<name>.data, each of the given type."""
    data = only_data(container.get(name), f"{at}/{name}", problems)
    if data is None:
        return []
    return resource_ids(data, kind, f"{at}/{name}/data", problems)


def resource_ids(data: Any, kind: str, at: str, problems: list[Problem]) -> list[str]:
    """The ids of a list of resource identifiers."""
    if not isinstance(data, list):
        wrong(problems, at, "This must be an array.")
        return []
    found = []
    for index, item in enumerate(data):
        here = f"{at}/{index}"
        if resource(item, kind, here, problems, members=frozenset(("type", "id")), required=("type", "id")):
            if isinstance(item["id"], str) and item["id"]:
                found.append(item["id"])
            else:
                wrong(problems, f"{here}/id", "An id must be a string.")
    return found
