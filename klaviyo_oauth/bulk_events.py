"""Many events in few requests. Klaviyo takes a batch whole or not at all, so refused entries are taken out and the rest goes at
once; when nobody says which entry it was, the batch is halved until it is found.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from klaviyo_oauth import payloads, pointers, verdicts
from klaviyo_oauth.answers import Reply
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.payloads import Teller
from loyalty.delivery import Delivered, Later, Message, Outcome, Refused

_CAN_BE_HALVED = frozenset((400, 413, 500))
# With one poison entry among good ones, every other part succeeds; this many failures in a row are Klaviyo's own.
_SERVER_ERRORS_IN_A_ROW = 3


class Entry(NamedTuple):
    """One message as a part of a request: its bytes, and the names under which it is told, each of which is an event."""

    message: Message
    body: bytes
    told: tuple[str, ...] = ("",)


Part = Sequence[Entry]


class BulkEvents:
    """One sending of one batch of messages."""

    def __init__(
        self, gateway: Gateway, shop_id: int, teller: Teller, *, out_of_time: Callable[[], bool]
    ) -> None:
        self._gateway = gateway
        self._shop_id = shop_id
        self._teller = teller
        self._out_of_time = out_of_time
        self._outcomes: dict[int, Outcome] = {}
        self._server_errors = 0
        self._stopped: Later | None = None

    def send(self, messages: Sequence[Message]) -> dict[int, Outcome]:
        """An outcome for every message; all have recipients that can be written to."""
        choice = self._teller.choice
        entries = [
            Entry(message, self._teller.bulk_entry(message), choice.names(message)) for message in messages
        ]
        parts = deque(parts_of(entries))
        while parts:
            part = parts.popleft()
            if self._stopped is None and self._out_of_time():
                self._stopped = Later(0.0, "continued", counts=False)
            if self._stopped is not None:
                self._settle(part, self._stopped)
                continue
            parts.extend(self._send(part))
        return self._outcomes

    def _send(self, part: Part) -> list[Part]:
        """Send one part. Returns what of it is still to be sent, in other cuts."""
        body = payloads.bulk_events([entry.body for entry in part])
        answer = self._gateway.call(
            self._shop_id, "POST event-bulk-create-jobs", "/api/event-bulk-create-jobs", raw_body=body
        )
        if isinstance(answer, Reply) and answer.ok:
            self._server_errors = 0
            self._settle(part, Delivered(answer.status))
            return []
        if isinstance(answer, Reply) and answer.status in _CAN_BE_HALVED:
            return self._divide(part, answer)
        outcome = verdicts.outcome(answer, attempts=0)
        self._settle(part, outcome)
        if isinstance(outcome, Later):
            self._stopped = outcome
        return []

    def _divide(self, part: Part, reply: Reply) -> list[Part]:
        if reply.status == 500:
            self._server_errors += 1
            if self._server_errors >= _SERVER_ERRORS_IN_A_ROW:
                seconds = self._gateway.step_back(self._shop_id)
                self._stopped = Later(seconds, reply.reason, reply.status, counts=False)
                self._settle(part, self._stopped)
                return []
        blamed = pointers.blamed(reply, len(part)) if reply.status == 400 else {}
        if blamed:
            for index, reason in blamed.items():
                self._outcomes[part[index].message.id] = Refused(reason, reply.status)
            rest = [entry for index, entry in enumerate(part) if index not in blamed]
            return [rest] if rest else []
        if len(part) == 1:
            message = part[0].message
            self._outcomes[message.id] = verdicts.outcome(reply, attempts=message.attempts)
            return []
        middle = len(part) // 2
        return [part[:middle], part[middle:]]

    def _settle(self, part: Part, outcome: Outcome) -> None:
        for entry in part:
            told = replace(outcome, told=entry.told) if isinstance(outcome, Delivered) else outcome
            self._outcomes[entry.message.id] = told


def parts_of(entries: Part) -> Iterator[Part]:
    """Cut into requests that keep Klaviyo's limits, none of which names a unique id twice: a repeat can spoil its whole request."""
    waiting: list[Entry] = list(entries)
    while waiting:
        part: list[Entry] = []
        left: list[Entry] = []
        size, count, seen = 0, 0, set[str]()
        for index, entry in enumerate(waiting):
            too_many = count + len(entry.told) > payloads.MOST_EVENTS
            if part and (too_many or size + len(entry.body) + 1 > payloads.MOST_BYTES):
                left.extend(waiting[index:])
                break
            if entry.message.unique_id in seen:
                left.append(entry)
                continue
            part.append(entry)
            seen.add(entry.message.unique_id)
            size += len(entry.body) + 1
            count += len(entry.told)
        yield part
        waiting = left
