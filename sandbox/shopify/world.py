"""The whole sandbox in one object: shops, clock, ids, faults and the webhooks on their way.

One lock guards all of it; whoever changes or reads shops holds `lock`.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.shopify.clock import Clock
from sandbox.shopify.config import COMPLIANCE_TOPICS, TOPIC_SCOPES, AppConfig
from sandbox.shopify.errors import NotFound
from sandbox.shopify.faults import Faults
from sandbox.shopify.ids import Ids
from sandbox.shopify.shop import Shop
from sandbox.shopify.webhooks.sender import Sender

REQUEST_LOG_LENGTH = 5000


@dataclass
class Limits:
    """Numbers that a test may set."""

    bucket_size: float = 2000.0
    restore_rate: float = 100.0
    bulk_url_seconds: int = 7 * 24 * 3600
    usage_count_lag_seconds: float = 0.0
    bulk_hold: bool = False
    # A personal field that is not approved: the operation fails ("fail"), the field is null ("null"), or the query is refused ("refuse").
    bulk_unapproved: str = "fail"


@dataclass
class World:
    """Everything the sandbox knows."""

    config: AppConfig
    sender: Sender
    clock: Clock = field(default_factory=Clock)
    ids: Ids = field(default_factory=Ids)
    faults: Faults = field(default_factory=Faults)
    limits: Limits = field(default_factory=Limits)
    lock: threading.RLock = field(default_factory=threading.RLock)
    shops: OrderedDict[str, Shop] = field(default_factory=OrderedDict)
    requests: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=REQUEST_LOG_LENGTH))
    # Known only once the servers listen.
    base_url: str = ""
    storefronts: dict[str, str] = field(default_factory=dict)
    # Where the results of bulk operations are written.
    directory: str = ""
    closing: threading.Event = field(default_factory=threading.Event)
    # Bulk operations on their way; whoever closes waits for them.
    background: list[threading.Thread] = field(default_factory=list)

    def in_background(self, work: Callable[[], None]) -> None:
        """Do something in a thread of its own, which ends soon after `closing` is set."""
        thread = threading.Thread(target=work, name="shopify-bulk", daemon=True)
        self.background = [other for other in self.background if other.is_alive()] + [thread]
        thread.start()

    def now(self) -> datetime:
        """The sandbox's present."""
        return self.clock.now()

    def shop(self, name: str) -> Shop:
        """Find a shop by domain or handle."""
        domain = name if "." in name else f"{name}.myshopify.com"
        if domain not in self.shops:
            raise NotFound("shop")
        return self.shops[domain]

    def fire(self, shop: Shop, events: list[tuple[str, Any]]) -> str:
        """Send the webhooks that one action caused; they share an event id."""
        event_id = str(uuid.uuid4())
        for topic, payload in events:
            if self.may_receive(shop, topic):
                self.sender.send(self.config, shop, topic, payload, event_id=event_id, now=self.now())
        return event_id

    def may_receive(self, shop: Shop, topic: str) -> bool:
        """Whether the app gets this topic from this shop: installed, and with the scope granted."""
        if topic in COMPLIANCE_TOPICS or topic == "app/uninstalled":
            return True
        installation = shop.installation
        return installation is not None and installation.grants(TOPIC_SCOPES.get(topic, ""))
