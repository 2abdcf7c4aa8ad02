"""Sends messages one by one, several at a time. The first goes alone: what stops it would stop the others as well."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from loyalty.delivery import Later, Message, Outcome

_SIDE_BY_SIDE = 8
# One poison message meets a server error alone; this many in a row are Klaviyo's own.
_ERRORS_IN_A_ROW = 3


class Lane:
    """One sending. ``send`` gives the outcome of one message, ``step_back`` leaves the account in peace and says for how long."""

    def __init__(
        self,
        send: Callable[[Message], Outcome],
        *,
        step_back: Callable[[], float],
        out_of_time: Callable[[], bool],
    ) -> None:
        self._send_one = send
        self._step_back = step_back
        self._out_of_time = out_of_time
        self._stopped: Later | None = None
        self._errors = 0

    def send(self, messages: Sequence[Message]) -> dict[int, Outcome]:
        """An outcome for every message."""
        if not messages:
            return {}
        first, rest = messages[0], messages[1:]
        outcomes = {first.id: self._one(first)}
        if rest:
            with ThreadPoolExecutor(min(_SIDE_BY_SIDE, len(rest))) as pool:
                outcomes |= {m.id: found for m, found in zip(rest, pool.map(self._one, rest), strict=True)}
        return outcomes

    def _one(self, message: Message) -> Outcome:
        if self._stopped is None and self._out_of_time():
            self._stopped = Later(0.0, "continued", counts=False)
        if self._stopped is not None:
            return self._stopped
        outcome = self._send_one(message)
        if not isinstance(outcome, Later):
            self._errors = 0
            return outcome
        self._errors += 1
        if not outcome.counts:
            # Not this message's fault, so the next one would fare no better.
            self._stopped = Later(outcome.seconds, outcome.reason, counts=False)
        elif self._errors >= _ERRORS_IN_A_ROW:
            self._stopped = Later(self._step_back(), "server errors", counts=False)
        return outcome
