"""One batch of profiles into as few import jobs as Klaviyo allows. Klaviyo checks a batch whole: the profiles that it blames are taken
out and the rest is sent at once; when it blames nobody, the batch is halved until the one is found.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from klaviyo_oauth import connections, payloads, pointers
from klaviyo_oauth.answers import Answer, NotConnected, Reply, Trouble, Wait
from klaviyo_oauth.gateway import Gateway
from loyalty.runs import Step

_CAN_BE_HALVED = frozenset((400, 413, 500))
_SERVER_ERRORS_IN_A_ROW = 3
_WHILE_DISCONNECTED = 60.0
NOT_CONNECTED = "not_connected"

Pair = tuple[int, bytes]


class Taken(NamedTuple):
    """A job that a part of a batch became, and the members in it, who are in the order of their ids."""

    job_id: str
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Posted:
    """Klaviyo took the batch: the jobs it became, and the members (id, reason) that it would not take."""

    jobs: tuple[Taken, ...]
    refused: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """The batch has to be sent again after ``seconds``, for a ``reason``; with ``error`` there is no point in that. ``jobs`` and ``refused``
    are as far as it came."""

    seconds: float
    error: str | None = None
    reason: str = "server errors"
    jobs: tuple[Taken, ...] = ()
    refused: tuple[tuple[int, str], ...] = ()

    @property
    def came_far(self) -> bool:
        """Whether a part of the batch was dealt with before it stopped."""
        return bool(self.jobs or self.refused)

    def as_step(self) -> Step:
        """The same, as a run is told it."""
        return Step(error=self.error) if self.error is not None else Step(wait=max(self.seconds, 0.05))


def post(gateway: Gateway, shop_id: int, pairs: Sequence[Pair]) -> Posted | Stopped:
    """Send member ids with their encoded profiles. Sending them again is harmless: every profile is an upsert."""
    parts = deque(parts_of(pairs))
    jobs: list[Taken] = []
    refused: list[tuple[int, str]] = []
    server_errors = 0
    while parts:
        part = parts.popleft()
        body = payloads.bulk_profiles([entry for _, entry in part])
        answer = gateway.call(
            shop_id, "POST profile-bulk-import-jobs", "/api/profile-bulk-import-jobs", raw_body=body
        )
        if isinstance(answer, Reply) and answer.ok:
            server_errors = 0
            jobs.append(Taken(_job_id(answer), tuple(id_ for id_, _ in part)))
            continue
        if not isinstance(answer, Reply) or answer.status not in _CAN_BE_HALVED:
            return replace(stopped(answer), jobs=tuple(jobs), refused=tuple(refused))
        server_errors += answer.status == 500
        if server_errors >= _SERVER_ERRORS_IN_A_ROW:
            return Stopped(gateway.step_back(shop_id), jobs=tuple(jobs), refused=tuple(refused))
        if answer.status == 500 and len(part) == 1 and not jobs:
            # Nobody else was taken either, so nothing says that it is this profile's fault.
            parts.append(part)
            continue
        parts.extend(_without_blamed(part, answer, refused))
    return Posted(tuple(jobs), tuple(refused))


def parts_of(pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
    """Cut into requests that keep Klaviyo's limit of bytes: what a profile weighs depends on the program and on the dialects."""
    part: list[Pair] = []
    size = 0
    for pair in pairs:
        if part and size + len(pair[1]) + 1 > payloads.MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(pair)
        size += len(pair[1]) + 1
    if part:
        yield part


def stopped(answer: Answer) -> Stopped:
    """When to go on after an answer that was no success."""
    match answer:
        case Wait(seconds=seconds, reason=reason) | Trouble(seconds=seconds, reason=reason):
            return Stopped(seconds, reason=reason)
        case NotConnected(problem=None):
            return Stopped(0.0, NOT_CONNECTED)
        case NotConnected(problem=connections.UNINSTALLED):
            return Stopped(0.0, connections.UNINSTALLED)
        case NotConnected(problem=problem):
            return Stopped(_WHILE_DISCONNECTED, reason=f"disconnected: {problem}")
        case Reply(status=status) if status >= 500:
            return Stopped(_WHILE_DISCONNECTED)
        case Reply():
            return Stopped(0.0, f"forbidden: {answer.reason}" if answer.status == 403 else answer.reason)


def _without_blamed(
    part: Sequence[Pair], reply: Reply, refused: list[tuple[int, str]]
) -> list[Sequence[Pair]]:
    blamed = pointers.blamed(reply, len(part)) if reply.status == 400 else {}
    if blamed:
        refused.extend((part[index][0], reason) for index, reason in blamed.items())
        rest = [pair for index, pair in enumerate(part) if index not in blamed]
        return [rest] if rest else []
    if len(part) == 1:
        refused.append((part[0][0], reply.reason))
        return []
    return _halves(part)


def _halves(part: Sequence[Pair]) -> list[Sequence[Pair]]:
    middle = len(part) // 2
    return [part[:middle], part[middle:]]


def _job_id(answer: Reply) -> str:
    return str(answer.data.get("id")) if isinstance(answer.data, Mapping) else ""
