"""Compact storage of many small dictionaries that mostly share their keys.

A million profiles as plain dictionaries would take gigabytes. Here the keys are kept once per distinct set
("shape") and the values as bytes. Refuses to interpret what it keeps.
"""

from __future__ import annotations

import marshal
from array import array
from typing import Any


class PackedDicts:
    """A growing list of dictionaries of JSON values, each with an optional side dictionary."""

    def __init__(self) -> None:
        self._shapes: list[tuple[str, ...]] = []
        self._numbers: dict[tuple[str, ...], int] = {}
        self._shape_of = array("L")
        self._values: list[bytes] = []

    def __len__(self) -> int:
        return len(self._values)

    def append(self, items: dict[str, Any], side: dict[str, Any] | None = None) -> None:
        """Add one dictionary at the end."""
        self._shape_of.append(self._shape(items))
        self._values.append(marshal.dumps([*items.values(), side]))

    def replace(self, row: int, items: dict[str, Any], side: dict[str, Any] | None = None) -> None:
        """Put another dictionary in the place of one."""
        self._shape_of[row] = self._shape(items)
        self._values[row] = marshal.dumps([*items.values(), side])

    def get(self, row: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """The dictionary at a row and its side dictionary, as fresh copies."""
        values = marshal.loads(self._values[row])  # noqa: S302 - the bytes are only ever our own
        side = values.pop()
        return dict(zip(self._shapes[self._shape_of[row]], values, strict=True)), side or {}

    def _shape(self, items: dict[str, Any]) -> int:
        keys = tuple(items)
        number = self._numbers.get(keys)
        if number is None:
            number = self._numbers[keys] = len(self._shapes)
            self._shapes.append(keys)
        return number
