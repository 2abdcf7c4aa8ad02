"""Keeps what was expensive to read for a while. A small shop's figures are always fresh, a big one's at most seconds old."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")

# Reading takes at most this share of the time of whoever keeps reloading the page.
_SHARE = 0.02
_MOST_KEPT = 500


class FreshEnough(Generic[_Value]):
    """Values by key, each kept for fifty times as long as it took to read."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[object, tuple[float, _Value]] = {}
        self._lock = threading.Lock()

    def get(self, key: object, read: Callable[[], _Value]) -> _Value:
        """The value of ``key``: a kept one that is fresh enough, or a new one."""
        began = self._clock()
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and began < kept[0]:
            return kept[1]
        value = read()
        ended = self._clock()
        with self._lock:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (ended + (ended - began) / _SHARE, value)
        return value
