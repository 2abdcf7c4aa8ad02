"""Delivers webhooks to the app: signed, retried, and as unreliable as a test asks for.

Retries follow Shopify's schedule (eight over four hours, exponential), multiplied by `time_scale`.
It keeps a bounded log of deliveries and never looks at what the app does with them beyond the status.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import requests

from sandbox.shopify import signatures
from sandbox.shopify.clock import zulu
from sandbox.shopify.config import AppConfig, Subscription
from sandbox.shopify.shop import Shop

TIMEOUT = (1.0, 5.0)
RETRIES = 8
RETRY_WINDOW = 4 * 3600.0
LOG_LENGTH = 20_000


@dataclass
class Modes:
    """How unreliable delivery is."""

    copies: int = 1
    shuffle: bool = False
    drop_percent: float = 0.0
    corrupt_signature: bool = False
    hold: bool = False
    events_headers: bool = False
    seed: int = 1


@dataclass
class Delivery:
    """One message to one address, with every attempt made."""

    id: str
    event_id: str
    shop: str
    topic: str
    uri: str
    body: bytes
    headers: dict[str, str]
    triggered_at: str
    state: str = "waiting"
    attempts: list[dict[str, Any]] = field(default_factory=list)

    def summary(self, *, body: bool) -> dict[str, Any]:
        """Describe the delivery for the control API."""
        shown: dict[str, Any] = {
            "id": self.id,
            "event_id": self.event_id,
            "shop": self.shop,
            "topic": self.topic,
            "uri": self.uri,
            "state": self.state,
            "triggered_at": self.triggered_at,
            "attempts": list(self.attempts),
        }
        if body:
            shown["body"] = json.loads(self.body)
            shown["headers"] = dict(self.headers)
        return shown


class Sender:
    """A queue of deliveries and the threads that empty it."""

    def __init__(
        self, *, time_scale: float = 1.0, workers: int = 4, timeout: tuple[float, float] = TIMEOUT
    ) -> None:
        self.time_scale = time_scale
        self.timeout = timeout
        self.modes = Modes()
        self.log: deque[Delivery] = deque(maxlen=LOG_LENGTH)
        self._random = random.Random(1)
        self._due: list[tuple[float, int, Delivery]] = []
        self._held: list[Delivery] = []
        self._order = itertools.count()
        self._busy = 0
        self._wake = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def set_modes(self, **changes: Any) -> Modes:
        """Change how unreliable delivery is; leaving hold releases what was held."""
        with self._wake:
            for name, value in changes.items():
                kind = type(getattr(self.modes, name))  # an unknown name is the caller's mistake
                setattr(self.modes, name, kind(value))
            if "seed" in changes:
                self._random = random.Random(self.modes.seed)
            if not self.modes.hold:
                self._release()
            return self.modes

    def _release(self) -> None:
        held, self._held = self._held, []
        if self.modes.shuffle:
            self._random.shuffle(held)
        for delivery in held:
            self._push(delivery, 0.0)
        self._wake.notify_all()

    def send(
        self, config: AppConfig, shop: Shop, topic: str, payload: Any, *, event_id: str, now: datetime
    ) -> list[Delivery]:
        """Queue a delivery for every subscription of the topic."""
        made = []
        for subscription in config.subscriptions:
            if subscription.topic == topic:
                made.append(self._make(config, subscription, shop, payload, event_id=event_id, now=now))
        return made

    def _make(
        self,
        config: AppConfig,
        subscription: Subscription,
        shop: Shop,
        payload: Any,
        *,
        event_id: str,
        now: datetime,
    ) -> Delivery:
        chosen = payload
        if subscription.include_fields:
            chosen = {key: payload[key] for key in subscription.include_fields if key in payload}
        body = json.dumps(chosen, separators=(",", ":"), ensure_ascii=False).encode()
        named = {
            "Topic": subscription.topic,
            "Shop-Domain": shop.domain,
            "API-Version": config.webhook_version,
            "Webhook-Id": str(uuid.uuid4()),
            "Event-Id": event_id,
            "Triggered-At": zulu(now) or "",
        }
        if subscription.name:
            named["Name"] = subscription.name
        named["Hmac-Sha256"] = self._signature(config, body)
        prefix = "shopify-" if self.modes.events_headers else "X-Shopify-"
        headers = {prefix + key: value for key, value in named.items()}
        if self.modes.events_headers:
            headers = {key.lower(): value for key, value in headers.items()}
        headers["Content-Type"] = "application/json"
        headers["User-Agent"] = "Shopify-Captain-Hook"
        delivery = Delivery(
            id=named["Webhook-Id"],
            event_id=event_id,
            shop=shop.domain,
            topic=subscription.topic,
            uri=config.absolute(subscription.uri),
            body=body,
            headers=headers,
            triggered_at=named["Triggered-At"],
        )
        self._accept(delivery)
        return delivery

    def _signature(self, config: AppConfig, body: bytes) -> str:
        secret = config.client_secret
        return signatures.webhook(f"not {secret}" if self.modes.corrupt_signature else secret, body)

    def _accept(self, delivery: Delivery) -> None:
        with self._wake:
            self.log.append(delivery)
            if self.modes.drop_percent and self._random.uniform(0, 100) < self.modes.drop_percent:
                delivery.state = "dropped"
                return
            for _ in range(max(1, self.modes.copies)):
                if self.modes.hold:
                    delivery.state = "held"
                    self._held.append(delivery)
                else:
                    delay = self._random.uniform(0, 0.2) if self.modes.shuffle else 0.0
                    self._push(delivery, delay)
            self._wake.notify_all()

    def _push(self, delivery: Delivery, delay: float) -> None:
        delivery.state = "waiting"
        heapq.heappush(self._due, (time.monotonic() + delay, next(self._order), delivery))

    def retry_delay(self, failures: int) -> float:
        """Seconds until the next try after this many failures: doubling, four hours in all."""
        first = RETRY_WINDOW / (2**RETRIES - 1)
        return first * 2 ** (failures - 1) * self.time_scale

    def _work(self) -> None:
        session = requests.Session()
        session.trust_env = False
        while (delivery := self._next()) is not None:
            try:
                self._attempt(session, delivery)
            finally:
                with self._wake:
                    self._busy -= 1
                    self._wake.notify_all()

    def _next(self) -> Delivery | None:
        with self._wake:
            while not self._closed:
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    self._busy += 1
                    return heapq.heappop(self._due)[2]
                self._wake.wait(self._due[0][0] - now if self._due else None)
        return None

    def _attempt(self, session: requests.Session, delivery: Delivery) -> None:
        started = time.monotonic()
        outcome: dict[str, Any] = {"at": time.time()}
        try:
            answer = session.post(
                delivery.uri,
                data=delivery.body,
                headers=delivery.headers,
                timeout=self.timeout,
                allow_redirects=False,
            )
            outcome["status"] = answer.status_code
        except requests.RequestException as error:
            outcome["error"] = type(error).__name__
        seconds = time.monotonic() - started
        # The library's limit begins anew with every byte; Shopify's is for the whole of it.
        if seconds > self.timeout[1] and outcome.pop("status", None) is not None:
            outcome["error"] = "TooLate"
        outcome["seconds"] = round(seconds, 4)
        with self._wake:
            delivery.attempts.append(outcome)
            if 200 <= outcome.get("status", 0) < 300:
                delivery.state = "delivered"
                return
            failures = sum(1 for attempt in delivery.attempts if not 200 <= attempt.get("status", 0) < 300)
            if failures > RETRIES:
                delivery.state = "given_up"
                return
            self._push(delivery, self.retry_delay(failures))
            self._wake.notify_all()

    def redeliver(self, delivery_id: str) -> bool:
        """Send a logged delivery once more, with the same ids, as Shopify sometimes does."""
        with self._wake:
            for delivery in self.log:
                if delivery.id == delivery_id:
                    self._push(delivery, 0.0)
                    self._wake.notify_all()
                    return True
        return False

    def idle(self, timeout: float) -> bool:
        """Wait until nothing is due or under way; held deliveries do not count."""
        deadline = time.monotonic() + timeout
        with self._wake:
            while self._due or self._busy:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._wake.wait(left)
        return True

    def deliveries(self, *, topic: str | None = None, shop: str | None = None) -> list[Delivery]:
        """The logged deliveries, oldest first."""
        with self._wake:
            rows = list(self.log)
        return [d for d in rows if topic in (None, d.topic) and shop in (None, d.shop)]

    def clear(self) -> None:
        """Forget the log and everything that still waits."""
        with self._wake:
            self.log.clear()
            self._due.clear()
            self._held.clear()
            self._wake.notify_all()

    def close(self) -> None:
        """Stop the threads; what waits is forgotten."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join(timeout=6)
