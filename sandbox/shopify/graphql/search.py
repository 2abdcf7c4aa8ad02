"""The search syntax of list queries: `field:value`, `field:>=value`, quotes, and AND by juxtaposition.

Fields that the resource does not know are ignored, as the real API does, and reported as warnings.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.shopify.clock import parse_instant

TERM = re.compile(
    r"""(?P<not>-|NOT\s+)?(?P<field>[a-z_]+):(?P<op>>=|<=|>|<)?(?P<value>"[^"]*"|'[^']*'|\S+)"""
)
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class Term:
    """One condition."""

    field: str
    op: str
    value: str
    negated: bool


def parse(query: str | None) -> list[Term]:
    """Split a query into its conditions."""
    found = []
    for match in TERM.finditer(query or ""):
        value = match["value"].strip("'\"").replace("\\:", ":")
        found.append(Term(match["field"], match["op"] or "", value, bool(match["not"])))
    return found


def _holds(term: Term, actual: Any) -> bool:
    if isinstance(actual, (list, tuple, set)):
        return any(_holds(Term(term.field, term.op, term.value, negated=False), item) for item in actual)
    if actual is None:
        return False
    if isinstance(actual, datetime):
        wanted: Any = parse_instant(term.value)
        have: Any = actual
    elif isinstance(actual, bool):
        wanted, have = term.value.lower(), str(actual).lower()
    elif isinstance(actual, int):
        wanted, have = int(term.value.rsplit("/", 1)[-1]), actual
    else:
        wanted, have = term.value.lower(), str(actual).lower()
        if wanted.endswith("*") and not term.op:
            return bool(have.startswith(wanted[:-1]))
    return OPERATORS[term.op](have, wanted) if term.op else bool(have == wanted)


def matcher(query: str | None, fields: Mapping[str, Callable[[Any], Any]]) -> Callable[[Any], bool] | None:
    """Return a predicate for the query, or None when it says nothing."""
    terms = [term for term in parse(query) if term.field in fields]
    if not terms:
        return None
    return lambda item: all(_holds(term, fields[term.field](item)) != term.negated for term in terms)
