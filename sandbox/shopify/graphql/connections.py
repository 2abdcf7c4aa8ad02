"""Connections: cursors, page limits, and the 25,000-object ceiling of the real API."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from graphql import GraphQLError

LARGEST_PAGE = 250
CEILING = 25_000
# A page size that no GraphQL Int can express: bulk operations read a connection in whole.
EVERYTHING = 2**40


def encode(identity: Any, seen: int) -> str:
    """Make an opaque cursor from where a node stands and how many came before it."""
    return base64.b64encode(json.dumps({"last_id": identity, "seen": seen}).encode()).decode()


def decode(cursor: str) -> tuple[Any, int]:
    """Read a cursor or refuse it."""
    try:
        data = json.loads(base64.b64decode(cursor, validate=True))
        return data["last_id"], int(data["seen"])
    except (ValueError, KeyError, TypeError) as error:
        raise GraphQLError("Invalid cursor for current pagination sort.") from error


def size(first: int | None, last: int | None) -> int:
    """Check the page size, which every list query must give."""
    if (first is None) == (last is None):
        raise GraphQLError("you must provide one of first or last", extensions={"code": "BAD_REQUEST"})
    wanted = first if first is not None else last
    if wanted == EVERYTHING:
        return wanted
    if wanted is None or not 0 < wanted <= LARGEST_PAGE:
        raise GraphQLError(
            f"The page size must be between 1 and {LARGEST_PAGE}.", extensions={"code": "BAD_REQUEST"}
        )
    return wanted


def page(
    items: Iterable[Any],
    key: Callable[[Any], Any],
    *,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    **_ignored: Any,
) -> dict[str, Any]:
    """Cut one page out of the items, which come in their final order."""
    wanted = size(first, last)
    rows = list(items)
    start, stop = 0, len(rows)
    if after:
        mark, _ = decode(after)
        start = next((i + 1 for i, item in enumerate(rows) if key(item) == mark), len(rows))
    if before:
        mark, _ = decode(before)
        stop = next((i for i, item in enumerate(rows) if key(item) == mark), 0)
    if first is not None:
        low, high = start, min(stop, start + wanted)
    else:
        low, high = max(start, stop - wanted), stop
    if high > CEILING and wanted != EVERYTHING:
        raise GraphQLError("Pagination stops at 25,000 objects. Use a filter or a bulk operation.")
    edges = [
        {"node": item, "cursor": encode(key(item), low + n + 1)} for n, item in enumerate(rows[low:high])
    ]
    return _connection(edges, more=high < len(rows), before=low > 0)


def walked(source: Iterator[Any], key: Callable[[Any], Any], wanted: int, seen: int) -> dict[str, Any]:
    """Cut the first page out of a walk that already starts at the right place."""
    rows = list(itertools.islice(source, wanted + 1))
    if seen + len(rows[:wanted]) > CEILING:
        raise GraphQLError("Pagination stops at 25,000 objects. Use a filter or a bulk operation.")
    edges = [
        {"node": item, "cursor": encode(key(item), seen + n + 1)} for n, item in enumerate(rows[:wanted])
    ]
    return _connection(edges, more=len(rows) > wanted, before=seen > 0)


def _connection(edges: list[dict[str, Any]], *, more: bool, before: bool) -> dict[str, Any]:
    return {
        "edges": edges,
        "nodes": [edge["node"] for edge in edges],
        "pageInfo": {
            "hasNextPage": more,
            "hasPreviousPage": before,
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": edges[-1]["cursor"] if edges else None,
        },
    }
