"""All that a running local Klaviyo remembers, and the one lock around it.

Refuses to keep anything on disk: a new start is a new Klaviyo.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.klaviyo.account import Account, AccountSpec
from sandbox.klaviyo.deliveries import Dispatcher
from sandbox.klaviyo.faults import Faults
from sandbox.klaviyo.grants import Client, Grants
from sandbox.klaviyo.limits import Limiter
from sandbox.klaviyo.operations import SCOPES
from sandbox.klaviyo.settings import Settings

DEFAULT_ACCOUNTS = (
    AccountSpec("FernFg", "Fern & Fig"),
    AccountSpec("FernTs", "Fern & Fig Staging", test_account=True),
    AccountSpec("HarbCf", "Harbour Coffee", currency="EUR", timezone="Europe/Berlin"),
)


@dataclass(frozen=True)
class LoggedRequest:
    """One request that arrived: never its body, its query or its headers."""

    at: float
    method: str
    path: str
    status: int | None
    seconds: float
    account: str | None


def system_clock() -> datetime:
    return datetime.now(UTC)


class State:
    """The whole of it."""

    def __init__(
        self,
        client: Client,
        accounts: Sequence[AccountSpec] = DEFAULT_ACCOUNTS,
        limits: str | dict[str, float] = "real",
        clock: Callable[[], datetime] = system_clock,
    ) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.clock_offset = 0.0
        self.client = client
        self.specs = tuple(accounts)
        self.settings = Settings()
        self.limiter = Limiter(limits)
        self.faults = Faults()
        self.dispatcher = Dispatcher(self)
        self.requests: deque[LoggedRequest] = deque(maxlen=20_000)
        self.statuses: Counter[tuple[str, str, int | None]] = Counter()
        self.grants = Grants(client, self.settings)
        self.accounts: dict[str, Account] = {}
        self._fill()

    def now(self) -> float:
        """Seconds since the epoch by the sandbox's own clock."""
        return self.clock().timestamp() + self.clock_offset

    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)

    def account(self, ident: str) -> Account:
        """The account, with its asynchronous work brought up to now; KeyError when unknown."""
        found = self.accounts[ident]
        found.advance(self.now())
        return found

    def log(self, entry: LoggedRequest, operation: str) -> None:
        """Remember one request."""
        with self.lock:
            self.requests.append(entry)
            self.statuses[(entry.account or "", operation, entry.status)] += 1

    def reset(self, *, keep_grants: bool = False) -> None:
        """Back to an empty Klaviyo; grants may be kept so that a connected app stays connected."""
        with self.lock:
            kept = self.grants
            self._fill()
            if keep_grants:
                self.grants = kept
            self.faults.clear()
            self.limiter.reset()
            self.requests.clear()
            self.statuses.clear()
            self.dispatcher.log.clear()
            self.clock_offset = 0.0

    def _fill(self) -> None:
        now = self.now()
        self.grants = Grants(self.client, self.settings)
        self.accounts = {
            spec.ident: Account(spec, self.settings, now, self.dispatcher.wake) for spec in self.specs
        }
        for spec in self.specs:
            self.grants.add_key(f"pk_sandbox_{spec.ident}", spec.ident, SCOPES)
