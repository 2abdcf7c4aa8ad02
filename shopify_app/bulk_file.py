"""Reads the result of a bulk query line by line, from any place in it, without ever holding more than a few lines.

Children follow their parent; a group is a parent with its children. The file is gigabytes for a big shop and its address runs out,
so every group tells where it ends: reading can go on from there after a kill, a lost connection or a new address.
"""

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import requests

from shopify_app.errors import RequestInvalid, Unreachable

TIMEOUT = (3.05, 30)
_CHUNK = 64 * 1024
_LONGEST_LINE = 4 * 1024 * 1024
_RAN_OUT = frozenset({400, 401, 403, 404, 410})


class AddressRanOut(Exception):
    """The address of the file is no longer good; the operation has to be asked for it again."""


@dataclass(frozen=True, slots=True)
class Group:
    """A parent with its children; ``end`` is the place in the file behind them."""

    parent: dict[str, Any] = field(repr=False)
    children: tuple[dict[str, Any], ...] = field(repr=False)
    end: int


def groups(session: requests.Session, address: str, *, offset: int) -> Generator[Group, None, None]:
    """The groups that begin at ``offset`` or behind it. Raises ``AddressRanOut``, ``Unreachable`` and ``RequestInvalid``."""
    parent: dict[str, Any] | None = None
    children: list[dict[str, Any]] = []
    end = offset
    for line, behind in _lines(session, address, offset=offset):
        value = _object(line)
        if "__parentId" not in value:
            if parent is not None:
                yield Group(parent, tuple(children), end)
            parent, children = value, []
        elif parent is None or value["__parentId"] != parent.get("id"):
            raise RequestInvalid("ungrouped_result")
        else:
            children.append(value)
        end = behind
    if parent is not None:
        yield Group(parent, tuple(children), end)


def _lines(session: requests.Session, address: str, *, offset: int) -> Iterator[tuple[bytes, int]]:
    """Each line with the place behind it."""
    rest = b""
    place = offset
    for chunk in _chunks(session, address, offset=offset):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise RequestInvalid("line_too_long")
        for line in whole:
            place += len(line) + 1
            if line.strip():
                yield line, place
    if rest.strip():
        yield rest, place + len(rest)


def _chunks(session: requests.Session, address: str, *, offset: int) -> Iterator[bytes]:
    # A compressed answer would count its places otherwise.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={offset}-"} if offset else {})}
    try:
        with session.get(
            address, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False
        ) as response:
            if response.status_code == 416:
                return
            if response.status_code in _RAN_OUT:
                raise AddressRanOut
            if response.status_code not in (200, 206):
                raise Unreachable("bulk_file", status=response.status_code)
            # A server that knows no ranges sends everything: what was read already is passed over.
            skip = offset if response.status_code == 200 else 0
            for chunk in response.iter_content(_CHUNK):
                kept = chunk[skip:] if skip < len(chunk) else b""
                skip = max(skip - len(chunk), 0)
                if kept:
                    yield kept
    except requests.RequestException as error:
        raise Unreachable(type(error).__name__) from None


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_float=Decimal)
    except ValueError:
        raise RequestInvalid("unreadable_line") from None
    if not isinstance(value, dict):
        raise RequestInvalid("unreadable_line")
    return value
