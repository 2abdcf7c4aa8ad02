"""The thread that carries webhook batches to their endpoints, signed, with retries.

Refuses to hold the state's lock while a socket is open, and to follow redirects.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from sandbox.klaviyo.account import Account, moment
from sandbox.klaviyo.webhooks import MAX_BATCH, Webhook, batch_body, batch_headers

if TYPE_CHECKING:
    from sandbox.klaviyo.state import State

_TAKEN = (200, 201, 202)


@dataclass(frozen=True)
class Attempt:
    """One try to deliver, for those who watch."""

    account: str
    webhook: str
    events: int
    status: int | None
    at: float


class Dispatcher:
    """Delivers what is due, in one thread of its own or when `pump` is called."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._http = requests.Session()
        # No proxy of the environment stands between this and an endpoint on loopback.
        self._http.trust_env = False
        self.log: deque[Attempt] = deque(maxlen=1000)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="klaviyo-webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def wake(self) -> None:
        self._wake.set()

    def pump(self) -> int:
        """Try every batch that is due now; says how many tries were made."""
        tried = 0
        for account, webhook, items in self._due():
            self._deliver(account, webhook, items)
            tried += 1
        return tried

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            self.pump()
            self._wake.wait(0.02 if self._anything_waits() else 1.0)

    def _anything_waits(self) -> bool:
        with self._state.lock:
            return any(
                hook.waiting for acc in self._state.accounts.values() for hook in acc.webhooks.values()
            )

    def _due(self) -> list[tuple[Account, Webhook, list[dict[str, Any]]]]:
        now = self._state.now()
        with self._state.lock:
            return [
                (account, hook, hook.waiting[:MAX_BATCH])
                for account in self._state.accounts.values()
                for hook in account.webhooks.values()
                if hook.enabled and hook.waiting and hook.due <= now
            ]

    def _deliver(self, account: Account, webhook: Webhook, items: list[dict[str, Any]]) -> None:
        settings = self._state.settings
        now = moment(self._state.now())
        body = batch_body(webhook, account.spec.ident, items, now)
        headers = batch_headers(webhook, body, now)
        status: int | None
        began = time.monotonic()
        try:
            reply = self._http.post(
                webhook.endpoint_url,
                data=body,
                headers=headers,
                timeout=settings.webhook_timeout_seconds,
                allow_redirects=False,
            )
            status = reply.status_code
        except requests.RequestException:
            # Whatever kept the endpoint from answering, the batch waits and is tried again.
            status = None
        if time.monotonic() - began > settings.webhook_timeout_seconds:
            # The library's limit begins anew with every byte; this one is for the whole answer.
            status = None
        with self._state.lock:
            done = self._state.now()
            webhook.attempts += 1
            if status in _TAKEN:
                webhook.succeed(items, status)
            else:
                webhook.fail(status, done, settings)
            self.log.append(Attempt(account.spec.ident, webhook.ident, len(items), status, done))
