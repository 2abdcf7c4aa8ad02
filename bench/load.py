"""The load: a process of its own that sends signed webhooks to one address of this machine and times the answers.

Run as ``python -m bench.load`` with a plan as JSON on standard input; it answers with JSON on standard output. With a ``rate`` the
deliveries arrive at that rate whether or not the server keeps up, and an answer's time counts from the moment at which its
delivery was due; without one every connection sends its next delivery as soon as the last one is answered.
"""

import base64
import hashlib
import hmac
import json
import select
import socket
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from bench.figures import percentiles

MOST_CONNECTIONS = 2_000
# Shopify waits five seconds for an answer; whoever is not answered by then counts as unanswered.
PATIENCE = 6.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send. ``tag`` keeps the ids of this plan apart from those of any other."""

    port: int
    path: str
    secret: str
    shop: str
    topic: str
    body: str
    tag: str
    seconds: float
    connections: int = 16
    rate: float | None = None


@dataclass(eq=False, slots=True)
class Line:
    """One connection; ``due`` is when the delivery under way was due, or None while it rests."""

    socket: socket.socket
    due: float | None = None
    received: bytearray = field(default_factory=bytearray)


class Load:
    """One plan being carried out."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        body = plan.body.encode()
        digest = hmac.new(plan.secret.encode(), body, hashlib.sha256).digest()
        self._head = (
            f"POST {plan.path} HTTP/1.1\r\nHost: 127.0.0.1:{plan.port}\r\nContent-Type: application/json\r\n"
            f"X-Shopify-Topic: {plan.topic}\r\nX-Shopify-Shop-Domain: {plan.shop}\r\nX-Shopify-API-Version: 2026-10\r\n"
            f"X-Shopify-Hmac-Sha256: {base64.b64encode(digest).decode()}\r\nContent-Length: {len(body)}\r\n"
            f"X-Shopify-Webhook-Id: {plan.tag}-"
        ).encode()
        self._tail = b"\r\n\r\n" + body
        self._poll = select.epoll()
        self._lines: dict[int, Line] = {}
        self._resting: list[Line] = []
        self._waiting: deque[float] = deque()
        self._sent = 0
        self._answers: dict[int, list[float]] = {}
        self._faults: Counter[str] = Counter()

    def run(self) -> dict[str, Any]:
        """Send for the planned time, then wait for what is still under way."""
        for _ in range(self._plan.connections):
            self._resting.append(self._open())
        start = time.perf_counter()
        end = start + self._plan.seconds
        step = 1 / self._plan.rate if self._plan.rate else 0.0
        arrived = 0
        while (now := time.perf_counter()) < end:
            if step:
                while (due := start + arrived * step) <= now:
                    self._waiting.append(due)
                    arrived += 1
                self._send_waiting()
                pause = max(0.0, start + arrived * step - now)
            else:
                while self._resting:
                    self._send(self._resting.pop(), now)
                pause = 0.1
            self._listen(min(pause, end - now))
        seconds = time.perf_counter() - start
        taken_in_time = len(self._answers.get(200, ()))
        self._finish(end)
        return self._report(seconds, taken_in_time)

    def _finish(self, end: float) -> None:
        while self._under_way() and time.perf_counter() < end + PATIENCE:
            if self._plan.rate:
                self._send_waiting()
            self._listen(0.1)
        self._faults["unanswered"] += self._under_way()

    def _under_way(self) -> int:
        return len(self._waiting) + sum(line.due is not None for line in self._lines.values())

    def _send_waiting(self) -> None:
        while self._waiting and (self._resting or len(self._lines) < MOST_CONNECTIONS):
            line = self._resting.pop() if self._resting else self._open()
            self._send(line, self._waiting.popleft())

    def _send(self, line: Line, due: float) -> None:
        self._sent += 1
        request = b"%b%d%b" % (self._head, self._sent, self._tail)
        line.due = due
        try:
            sent = line.socket.send(request)
            if sent < len(request):
                line.socket.settimeout(PATIENCE)
                line.socket.sendall(request[sent:])
                line.socket.settimeout(0)
        except OSError as error:
            self._lose(line, type(error).__name__)

    def _listen(self, seconds: float) -> None:
        for number, _ in self._poll.poll(max(seconds, 0)):
            line = self._lines[number]
            try:
                data = line.socket.recv(65536)
            except BlockingIOError:
                continue
            except OSError as error:
                self._lose(line, type(error).__name__)
                continue
            if not data:
                self._lose(line, "closed")
                continue
            line.received += data
            if is_whole(line.received):
                self._answered(line)

    def _answered(self, line: Line) -> None:
        status = int(line.received[9:12])
        assert line.due is not None
        self._answers.setdefault(status, []).append(time.perf_counter() - line.due)
        closing = b"connection: close" in bytes(line.received).lower()
        line.received.clear()
        line.due = None
        if closing:
            self._close(line)
            line = self._open()
        self._resting.append(line)

    def _open(self) -> Line:
        line = Line(socket.create_connection(("127.0.0.1", self._plan.port), timeout=PATIENCE))
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.socket.settimeout(0)
        self._lines[line.socket.fileno()] = line
        self._poll.register(line.socket.fileno(), select.EPOLLIN)
        return line

    def _lose(self, line: Line, reason: str) -> None:
        if line.due is not None:
            self._faults[reason] += 1
        else:
            self._resting.remove(line)
        self._close(line)
        if len(self._lines) < self._plan.connections:
            self._resting.append(self._open())

    def _close(self, line: Line) -> None:
        number = line.socket.fileno()
        self._poll.unregister(number)
        del self._lines[number]
        line.socket.close()

    def _report(self, seconds: float, taken_in_time: int) -> dict[str, Any]:
        everything = [value for values in self._answers.values() for value in values]
        return {
            "seconds": seconds,
            "per_second": taken_in_time / seconds,
            "statuses": {str(status): len(values) for status, values in sorted(self._answers.items())},
            "faults": {reason: count for reason, count in self._faults.items() if count},
            "taken_ms": percentiles(self._answers.get(200, [])),
            "answer_ms": percentiles(everything),
            "connections": len(self._lines),
        }


def is_whole(received: bytearray) -> bool:
    """Whether an answer has arrived with its body."""
    head, found, body = bytes(received).partition(b"\r\n\r\n")
    if not found:
        return False
    head = head.lower()
    if b"transfer-encoding: chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    _, told, rest = head.partition(b"content-length:")
    return len(body) >= (int(rest.split(b"\r\n", 1)[0]) if told else 0)


def main() -> None:
    """Carry out the plan on standard input."""
    json.dump(Load(Plan(**json.load(sys.stdin))).run(), sys.stdout)


if __name__ == "__main__":
    main()
