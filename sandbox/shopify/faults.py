"""Faults on demand: the next calls at a place fail in the way that was asked for.

A fault never changes what the shop would have done; it only changes what the caller gets to see.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify, request

PLACES = ("graphql", "oauth", "bulk")
KINDS = ("status", "throttled", "timeout", "reset_before", "reset_after", "slow")


@dataclass
class Fault:
    """One way in which the next `times` calls at a place go wrong."""

    place: str
    kind: str
    times: int = 1
    status: int = 500
    retry_after: float | None = None
    seconds: float = 1.0
    shop: str | None = None
    match: str | None = None


class Faults:
    """The faults still to come, in order."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Queue a fault."""
        if fault.place not in PLACES or fault.kind not in KINDS:
            raise ValueError(f"place is one of {', '.join(PLACES)}; kind is one of {', '.join(KINDS)}")
        numbers = (fault.times, fault.status, fault.seconds, fault.retry_after or 0)
        if any(isinstance(each, bool) or not isinstance(each, int | float) or each < 0 for each in numbers):
            raise ValueError("times, status, seconds and retry_after are numbers, not below zero")
        if fault.times < 1 or not isinstance(fault.times, int) or not 100 <= fault.status <= 599:
            raise ValueError("times is a whole number above zero, and status one of HTTP's")
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._waiting.clear()

    def listed(self) -> list[dict[str, Any]]:
        """The faults still to come, for the control API."""
        with self._lock:
            return [dict(vars(fault)) for fault in self._waiting]

    def take(self, place: str, shop: str, body: str) -> Fault | None:
        """Use up one fault that fits this call, if there is one."""
        with self._lock:
            for fault in self._waiting:
                fits = fault.place == place and fault.shop in (None, shop)
                if fits and (fault.match is None or fault.match in body):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    return fault
        return None


def drop_connection() -> None:
    """Cut the caller's connection with a TCP reset; no answer is ever written."""
    connection: socket.socket | None = request.environ.get("werkzeug.socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
    raise ConnectionResetError("the sandbox cut this connection on purpose")


def answer(fault: Fault | None, handle: Callable[[], Response]) -> Response:
    """Answer a call as the fault demands, or as `handle` does when there is none."""
    if fault is None or fault.kind == "throttled":
        return handle()
    if fault.kind == "slow":
        time.sleep(fault.seconds)
        return handle()
    if fault.kind == "timeout":
        time.sleep(fault.seconds)
        drop_connection()
    if fault.kind == "reset_before":
        drop_connection()
    if fault.kind == "reset_after":
        handle()
        drop_connection()
    response = jsonify({"errors": f"Sandbox fault {fault.status}"})
    response.status_code = fault.status
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response
