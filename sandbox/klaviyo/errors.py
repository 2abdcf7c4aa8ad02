"""The shape in which the local Klaviyo refuses: a JSON:API error document, one entry for each problem.

Refuses to know any endpoint: the callers say what is wrong and where.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CONTENT_TYPE = "application/vnd.api+json"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: a `pointer` into the body, or a `parameter` of the query or the headers."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    code: str = "invalid"
    title: str = "Invalid input."
    meta: Mapping[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """A request that is answered with an error status and a list of problems."""

    def __init__(
        self, status: int, problems: Sequence[Problem], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status}: {problems[0].code}")
        self.status = status
        self.problems = tuple(problems)
        self.headers = dict(headers or {})


class NotUnderstood(ValueError):
    """An order to the sandbox itself that makes no sense; the text says why."""


def refuse_when(problems: Sequence[Problem]) -> None:
    """Raise one 400 with every problem that was found, or do nothing when there is none."""
    if problems:
        raise Refused(400, problems)


def not_found(kind: str, ident: str) -> Refused:
    """A 404 for a resource that is not there."""
    detail = f"A {kind} with id {ident} does not exist."
    return Refused(404, [Problem(detail, code="not_found", title="Not found.")])


def document(status: int, problems: Sequence[Problem]) -> bytes:
    """The error document as bytes."""
    errors = []
    for problem in problems:
        source: dict[str, str] = {}
        if problem.pointer is not None:
            source["pointer"] = problem.pointer
        if problem.parameter is not None:
            source["parameter"] = problem.parameter
        errors.append(
            {
                "id": str(uuid.uuid4()),
                "status": status,
                "code": problem.code,
                "title": problem.title,
                "detail": problem.detail,
                "source": source,
                "links": {},
                "meta": dict(problem.meta),
            }
        )
    return json.dumps({"errors": errors}).encode()
