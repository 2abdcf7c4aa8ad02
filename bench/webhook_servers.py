"""The servers that webhooks are sent to: ours, and the two peers, each in two processes on a database of its own."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from bench.children import ROOT, child, free_port
from bench.ground import Ground

PEERS = ROOT / "bench" / "peers"
PROCESSES = 2
SECRET = "a-secret-that-only-benchmarks-know"

OURS = "laurel"
LIBRARY = "shopify-app-express"
PLAIN = "plain express"


@dataclass(frozen=True, slots=True)
class Serving:
    """A server under test."""

    name: str
    port: int
    pid: int
    database_url: str


class PeersMissing(RuntimeError):
    """The peers cannot be installed here; the message says what is missing."""


def install_peers() -> None:
    """Install the peers from their lock, unless they are there."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise PeersMissing("node and npm are needed for the peers: sudo apt-get install nodejs npm")
    installed = PEERS / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= (PEERS / "package-lock.json").stat().st_mtime:
        return
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts"], cwd=PEERS, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PeersMissing(f"npm ci failed: {done.stderr[-1000:]}")


@contextlib.contextmanager
def serving(name: str, ground: Ground) -> Iterator[Serving]:
    """One of the servers, for as long as the block lasts."""
    port = free_port()
    with ground.database() as url:
        start = _ours(ground, url, port) if name == OURS else _peer(name, url, port)
        with start as process:
            yield Serving(name, port, process.pid, url)


def app_environment(ground: Ground, database_url: str, **more: str) -> dict[str, str]:
    """The environment of a process of ours."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": ground.redis_url,
        "TOKEN_KEYS": ground.token_key,
        "SECRET_KEY": SECRET,
        "SHOPIFY_API_KEY": "bench",
        "SHOPIFY_API_SECRET": SECRET,
        "LOG_LEVEL": "WARNING",
    } | more


def _ours(ground: Ground, url: str, port: int) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    flask = Path(sys.executable).with_name("flask")
    command = [str(flask), "run", "--port", str(port), "--workers", str(PROCESSES)]
    return child(command, app_environment(ground, url), port=port)


def _peer(name: str, url: str, port: int) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    address = make_url(url)
    script = {LIBRARY: "library.js", PLAIN: "plain.js"}[name]
    environment = {
        "NODE_ENV": "production",
        "BENCH_WORKERS": str(PROCESSES),
        "BENCH_PORT": str(port),
        "BENCH_SECRET": SECRET,
        "BENCH_PG_HOST": str(address.query["host"]),
        "BENCH_PG_USER": str(address.username),
        "BENCH_PG_DATABASE": str(address.database),
    }
    return child(["node", script], environment, port=port, folder=PEERS)
