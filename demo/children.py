"""Child processes with a log each, tied to us. It knows nothing of what they do."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engines.lifeline import end, tied_to_us

_TAIL_BYTES = 3_000
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Child:
    """A process of ours."""

    name: str
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self.process.poll() is not None

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")


class Children:
    """Starts them in ``root`` with one environment, and keeps their logs in ``directory``."""

    def __init__(self, root: Path, directory: Path, environment: Mapping[str, str]) -> None:
        self._root = root
        self._directory = directory
        self._environment = dict(environment)
        self._running: list[Child] = []

    def start(self, name: str, command: Sequence[str]) -> Child:
        """Start one. A second of the same name goes on with the first one's log."""
        log = self._directory / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=self._root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in a terminal is for us, and we end them in their order
                preexec_fn=tied_to_us(signal.SIGTERM),  # noqa: PLW1509  # it only makes two plain calls
            )
        child = Child(name, log, process)
        self._running.append(child)
        return child

    def ended(self) -> Child | None:
        """One that ended by itself, if any did."""
        return next((child for child in self._running if child.has_ended), None)

    def stop(self, child: Child) -> None:
        """Ask it to end, and wait until it and whatever it started have."""
        end(child.process, signal.SIGTERM)
        self._forget(child)

    def kill(self, child: Child) -> None:
        """End it at once, as a crash or a power cut does."""
        self._forget(child)
        child.process.wait()

    def stop_all(self) -> None:
        """End all of them. They are asked at once, since each takes a moment, and once only: twice means "drop everything"."""
        for child in reversed(self._running):
            if not child.has_ended:
                child.process.send_signal(signal.SIGTERM)
        while self._running:
            child = self._running[-1]
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(_PATIENCE)
            self.kill(child)

    def _forget(self, child: Child) -> None:
        # It leads a group of its own: nothing that it started may outlive it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)
        if child in self._running:
            self._running.remove(child)
