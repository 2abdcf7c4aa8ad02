"""Trouble on order: the next calls at a place fail in a chosen way.

Refuses to act by itself: the door asks before each request whether one is due.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.klaviyo.errors import NotUnderstood

KINDS = ("429", "500", "502", "503", "reset", "lost_reply", "slow")


@dataclass
class Fault:
    """What goes wrong, where, and how many times more (None: until it is cleared)."""

    ident: int
    place: str
    kind: str
    times: int | None
    skip: int
    retry_after: int
    seconds: float
    account: str | None
    hit: int = 0

    def matches(self, method: str, path: str, account: Callable[[], str | None]) -> bool:
        wanted_method, _, wanted_path = self.place.rpartition(" ")
        if wanted_method and wanted_method != method:
            return False
        if wanted_path.endswith("*"):
            there = path.startswith(wanted_path[:-1])
        else:
            there = path.rstrip("/") == wanted_path.rstrip("/")
        return there and (self.account is None or self.account == account())


class Faults:
    """The faults that are on order, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._made = 0

    def order(self, given: Mapping[str, Any]) -> Fault:
        """Add one; ValueError says what is wrong with the order."""
        known = {"place", "kind", "times", "skip", "retry_after", "seconds", "account"}
        if unknown := given.keys() - known:
            raise NotUnderstood(f"unknown: {', '.join(sorted(unknown))}")
        place, kind = given.get("place", "/api/*"), str(given.get("kind", ""))
        if kind not in KINDS:
            raise NotUnderstood(f"kind must be one of {', '.join(KINDS)}")
        if not isinstance(place, str) or "/" not in place:
            raise NotUnderstood('place is a path such as "/api/events", "POST /api/events" or "/api/*"')
        times = given.get("times", 1)
        if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
            raise NotUnderstood("times is a number above zero, or null for ever")
        with self._lock:
            self._made += 1
            fault = Fault(
                ident=self._made,
                place=place,
                kind=kind,
                times=times,
                skip=_number(given, "skip", 0),
                retry_after=_number(given, "retry_after", 1),
                seconds=_seconds(given.get("seconds", 1.0)),
                account=given.get("account"),
            )
            self._faults.append(fault)
            return fault

    def take(self, method: str, path: str, account: Callable[[], str | None]) -> Fault | None:
        """The fault that strikes this call, used up by it. Whose call it is, is only asked when it matters."""
        with self._lock:
            for fault in self._faults:
                if not fault.matches(method, path, account):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    return None
                fault.hit += 1
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                return fault
        return None

    def listed(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise NotUnderstood("seconds must be a number")
    return float(value)


def _number(given: Mapping[str, Any], name: str, default: int) -> int:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise NotUnderstood(f"{name} must be a number")
    return value
