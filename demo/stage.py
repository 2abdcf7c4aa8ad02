"""Everything that runs while the story is played: the local Shopify and Klaviyo, the queue server, and the app's own processes.

It starts and ends them and knows their addresses. What is done with them is the story's.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from demo import ports
from demo.children import Child, Children
from engines import valkey

ROOT = Path(__file__).resolve().parent.parent
SHOP = "fern-and-fig.myshopify.com"
CLIENT_ID, CLIENT_SECRET = "laurel-client-id", "laurel-client-secret"
KLAVIYO_CLIENT_ID, KLAVIYO_CLIENT_SECRET = "laurel-sandbox", "sandbox-secret-of-the-klaviyo-app"
APP, SHOPIFY, STOREFRONT, KLAVIYO = 5000, 5001, 5002, 5003

_READY_SECONDS = 60.0
# Of the machine's environment, what would lead our children elsewhere is not handed on.
_OURS = ("FLASK_", "LAUREL_", "SHOPIFY_", "KLAVIYO_", "GRANIAN_")
_OURS_EXACTLY = frozenset(
    {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "TOKEN_KEYS", "LOG_LEVEL", "METRICS_TOKEN"}
)


class StageFailed(Exception):
    """Something did not start or ended; the text says what, and where its log is."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything listens."""

    app: str
    shopify: str
    storefront: str
    klaviyo: str

    @property
    def admin(self) -> str:
        """The merchant's admin."""
        return f"{self.shopify}/store/{SHOP.partition('.')[0]}"


class Stage:
    """Use it as a context: on leaving, whatever was started is ended. ``directory`` keeps the data and the logs."""

    def __init__(
        self,
        directory: Path,
        *,
        wanted_ports: tuple[int, int, int, int] = (APP, SHOPIFY, STOREFRONT, KLAVIYO),
        database_url: str | None = None,
        redis_url: str | None = None,
        settings: Mapping[str, str] | None = None,
        retry_scale: float = 0.05,
    ) -> None:
        self.directory = directory
        self._ports = ports.pick(wanted_ports)
        self.at = Addresses(*(f"http://{ports.HOST}:{port}" for port in self._ports))
        self._retry_scale = retry_scale
        self._stack = ExitStack()
        directory.mkdir(parents=True, exist_ok=True)
        self._redis_url = redis_url or self._stack.enter_context(valkey.running(directory / "valkey"))
        database = database_url or f"sqlite:///{directory / 'laurel.db'}"
        self.environment = environment(
            self.at, directory, database_url=database, redis_url=self._redis_url
        ) | dict(settings or {})
        self.children = Children(ROOT, directory, self.environment)
        self._stack.callback(self.children.stop_all)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started."""
        self._stack.close()

    def start_sandbox(self) -> Child:
        """The local Shopify and Klaviyo."""
        _app, shopify, storefront, klaviyo = self._ports
        given = {
            "--shopify-port": shopify,
            "--storefront-port": storefront,
            "--klaviyo-port": klaviyo,
            "--app-url": self.at.app,
            "--client-id": CLIENT_ID,
            "--client-secret": CLIENT_SECRET,
            "--toml": ROOT / "shopify.app.toml",
            "--extension": ROOT / "extensions" / "laurel-loyalty",
            "--shop": SHOP,
            "--time-scale": self._retry_scale,
            "--klaviyo-client-id": KLAVIYO_CLIENT_ID,
            "--klaviyo-client-secret": KLAVIYO_CLIENT_SECRET,
            "--klaviyo-redirect-uri": f"{self.at.app}/klaviyo/callback",
        }
        options = [str(word) for pair in given.items() for word in pair]
        return self.children.start("sandbox", [sys.executable, "-m", "sandbox", *options])

    def start_web(self) -> Child:
        """The web process."""
        return self._flask("web", "run", "--port", str(self._ports[0]))

    def start_worker(self, name: str = "worker") -> Child:
        """A worker."""
        return self._flask(name, "worker")

    def start_cron(self) -> Child:
        """The process that rings for periodic work."""
        return self._flask("cron", "cron")

    def wait_sandbox(self, child: Child) -> None:
        """Until both local services answer."""
        self._wait(child, f"{self.at.shopify}/_sandbox/shops")
        self._wait(child, f"{self.at.klaviyo}/_sandbox/health")

    def wait_web(self, child: Child) -> None:
        """Until the app says that it is ready."""
        self._wait(child, f"{self.at.app}/readyz")

    def command(self, *arguments: str) -> str:
        """What one of the app's own commands prints. Raises ``StageFailed`` when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StageFailed(f"`flask {' '.join(arguments)}` failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def check_alive(self) -> None:
        """Raise ``StageFailed`` when a process ended that should be running."""
        gone = self.children.ended()
        if gone is not None:
            raise StageFailed(f"the {gone.name} process ended ({gone.log}):\n{gone.tail()}")

    def _flask(self, name: str, *arguments: str) -> Child:
        return self.children.start(name, [sys.executable, "-m", "flask", *arguments])

    def _wait(self, child: Child, address: str) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        with requests.Session() as http:
            http.trust_env = False
            while not _answers(http, address):
                if child.has_ended:
                    raise StageFailed(
                        f"the {child.name} process did not start ({child.log}):\n{child.tail()}"
                    )
                if time.monotonic() > deadline:
                    raise StageFailed(f"{address} does not answer; see {child.log}")
                time.sleep(0.05)


def shifted_ports(shift: int) -> tuple[int, int, int, int]:
    """The pleasant ports of one of several demos: between looking for a free port and using it, another could take it."""
    return APP + shift, SHOPIFY + shift, STOREFRONT + shift, KLAVIYO + shift


def environment(at: Addresses, directory: Path, *, database_url: str, redis_url: str) -> dict[str, str]:
    """The environment of the app's processes."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OURS) and name not in _OURS_EXACTLY
    }
    return kept | {
        # Everything is on this machine: no proxy may come between.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "FLASK_SKIP_DOTENV": "1",
        "LAUREL_VAR": str(directory),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SHOPIFY_API_KEY": CLIENT_ID,
        "SHOPIFY_API_SECRET": CLIENT_SECRET,
        "SHOPIFY_APP_URL": at.app,
        "SHOPIFY_SHOP_URL": f"{at.shopify}/shops/{{shop}}",
        "SHOPIFY_ADMIN_URL": at.shopify,
        "SHOPIFY_CDN_URL": at.shopify,
        "KLAVIYO_CLIENT_ID": KLAVIYO_CLIENT_ID,
        "KLAVIYO_CLIENT_SECRET": KLAVIYO_CLIENT_SECRET,
        "KLAVIYO_AUTHORIZE_URL": f"{at.klaviyo}/oauth/authorize",
        "KLAVIYO_API_URL": at.klaviyo,
    }


def _answers(http: requests.Session, address: str) -> bool:
    try:
        return http.get(address, timeout=5).status_code == 200
    except requests.RequestException:
        return False
