"""The local Klaviyo in a process of its own, and what a process of ours needs to speak to it."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests

from bench.children import child, free_port
from klaviyo_oauth.config import KlaviyoConfig

ACCOUNT = "FernFg"
KEY = f"pk_sandbox_{ACCOUNT}"


@dataclass(frozen=True, slots=True)
class LocalKlaviyo:
    """A running local Klaviyo."""

    url: str
    pid: int

    def config(self) -> KlaviyoConfig:
        """How to speak to it."""
        return KlaviyoConfig(app_url="http://127.0.0.1:5000", api_url=self.url, production=False)

    def counts(self) -> dict[str, Any]:
        """What it has taken."""
        answer = requests.get(f"{self.url}/_sandbox/counts", params={"account": ACCOUNT}, timeout=60)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def seconds_answering(self, path: str) -> float:
        """How long it worked on the requests to a path, of its latest twenty thousand."""
        answer = requests.get(f"{self.url}/_sandbox/requests", params={"limit": 20_000}, timeout=60)
        answer.raise_for_status()
        return sum(each["seconds"] for each in answer.json()["requests"] if each["path"].startswith(path))


@contextlib.contextmanager
def serving(*, limits: str) -> Iterator[LocalKlaviyo]:
    """A local Klaviyo for as long as the block lasts; ``limits`` is real or off."""
    port = free_port()
    command = [sys.executable, "-m", "sandbox", "--klaviyo-port", str(port), "--klaviyo-limits", limits]
    with child(command, {}, port=port) as process:
        yield LocalKlaviyo(f"http://127.0.0.1:{port}", process.pid)
