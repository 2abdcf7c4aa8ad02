"""Identifiers that look like Shopify's: per-kind sequences far above 32 bits, and global ids.

Nothing here is random: two runs of the same actions give the same ids.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from zlib import crc32

# Each kind starts at its own place so that an id of the wrong kind never resolves by luck.
LOWEST = 4_000_000_000_000


class Ids:
    """One rising sequence for each kind of object."""

    def __init__(self) -> None:
        self._sequences: dict[str, Iterator[int]] = defaultdict()

    def next(self, kind: str) -> int:
        """Return the next id of this kind."""
        if kind not in self._sequences:
            start = LOWEST + (crc32(kind.encode()) % 4000) * 1_000_000_000
            self._sequences[kind] = itertools.count(start + 17, 32)
        return next(self._sequences[kind])

    def block(self, kind: str, count: int) -> int:
        """Reserve `count` consecutive steps of the sequence and return the first id."""
        first = self.next(kind)
        self._sequences[kind] = itertools.count(first + 32 * count, 32)
        return first


def gid(kind: str, number: int | str) -> str:
    """Return the global id of an object."""
    return f"gid://shopify/{kind}/{number}"


def number(global_id: str, kind: str) -> int | None:
    """Return the numeric part of a global id, or None when it is not of this kind."""
    prefix = f"gid://shopify/{kind}/"
    tail = global_id.removeprefix(prefix)
    if tail == global_id or not tail.isdigit():
        return None
    return int(tail)
