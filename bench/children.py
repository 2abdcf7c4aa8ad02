"""Child processes of a benchmark: started on a free port of this machine, waited for, read, and ended by their own id."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engines.lifeline import end, tied_to_us

ROOT = Path(__file__).resolve().parent.parent
_READY = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


class NotServing(RuntimeError):
    """A server did not come up; the message ends with what it said last."""


def free_port() -> int:
    """A port of this machine that nobody used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def child(
    command: Sequence[str], environment: Mapping[str, str], *, port: int | None = None, folder: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that lasts as long as the block; with a ``port``, the block begins when something listens there."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            preexec_fn=tied_to_us(signal.SIGTERM),  # noqa: PLW1509  # it only makes two plain calls
        )
        try:
            if port is not None and not _listens(process, port):
                said.seek(0)
                raise NotServing(f"{command[0]}: {said.read()[-2000:].decode(errors='replace')}")
            yield process
        finally:
            end(process, signal.SIGTERM)


def answer_of(module: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a module answers that is run in a process of its own: it is given JSON on standard input, and gives JSON back."""
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(asked),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def cpu_seconds(pid: int) -> float:
    """The processor time that a process and its children have used."""
    return sum(_ticks(each) for each in family(pid)) / _TICKS


def resident_mb(pid: int) -> float:
    """The memory of a process alone, as the kernel counts it now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def family(pid: int) -> list[int]:
    """A process and its children, theirs included."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # a thread or a child that ended since it was listed
        for child_pid in children:
            found.extend(family(int(child_pid)))
    return found


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # a child that ended since it was listed: its parent has its time
    return sum(
        map(int, fields[11:15])
    )  # in user and kernel mode, its own and that of children that have ended


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _READY
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.02)
    return False
