"""What the sandbox knows of the app: its credentials, address, scopes and webhook subscriptions.

Read from a `shopify.app.toml` when one is given; otherwise the defaults of a loyalty app.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

API_VERSION = "2026-10"
DEFAULT_SCOPES = (
    "read_customers,write_customers,read_orders,read_products,read_discounts,write_discounts,"
    "write_app_proxy,read_customer_merge"
)
COMPLIANCE_TOPICS = ("customers/data_request", "customers/redact", "shop/redact")
# Topic to the scope without which Shopify does not send it.
TOPIC_SCOPES = {
    "orders/create": "read_orders",
    "orders/paid": "read_orders",
    "orders/updated": "read_orders",
    "orders/cancelled": "read_orders",
    "orders/edited": "read_orders",
    "orders/delete": "read_orders",
    "orders/fulfilled": "read_orders",
    "orders/partially_fulfilled": "read_orders",
    "refunds/create": "read_orders",
    "order_transactions/create": "read_orders",
    "customers/create": "read_customers",
    "customers/update": "read_customers",
    "customers/enable": "read_customers",
    "customers/disable": "read_customers",
    "customers/delete": "read_customers",
    "customers/merge": "read_customer_merge",
    "customers/purchasing_summary": "read_customers",
    "customer.tags_added": "read_customers",
    "customer.tags_removed": "read_customers",
    "customers_email_marketing_consent/update": "read_customers",
    "customers_marketing_consent/update": "read_customers",
    "disputes/create": "read_shopify_payments_disputes",
    "disputes/update": "read_shopify_payments_disputes",
    "discounts/create": "read_discounts",
    "discounts/update": "read_discounts",
    "discounts/delete": "read_discounts",
    "fulfillments/create": "read_fulfillments",
    "products/create": "read_products",
    "products/update": "read_products",
    "app/uninstalled": "",
    "app/scopes_update": "",
    "app_subscriptions/update": "",
    "shop/update": "",
    "bulk_operations/finish": "",
}


@dataclass(frozen=True)
class Subscription:
    """One topic that goes to one address."""

    topic: str
    uri: str
    name: str | None = None
    include_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class MetafieldDefinition:
    """A metafield declared by the app for an owner type in the reserved `$app` namespace."""

    owner: str
    key: str
    type: str
    storefront: bool


@dataclass
class AppConfig:
    """The app as Shopify's side knows it."""

    client_id: str
    client_secret: str
    app_url: str
    name: str = "Laurel"
    handle: str = "laurel"
    scopes: tuple[str, ...] = ()
    optional_scopes: tuple[str, ...] = ()
    webhook_version: str = API_VERSION
    subscriptions: list[Subscription] = field(default_factory=list)
    definitions: list[MetafieldDefinition] = field(default_factory=list)
    proxy_prefix: str = "apps"
    proxy_subpath: str = "laurel"
    proxy_url: str = "/proxy"

    def absolute(self, uri: str) -> str:
        """Resolve an address of the TOML against the app's present URL."""
        return uri if "://" in uri else urljoin(self.app_url.rstrip("/") + "/", uri.lstrip("/"))


def scope_list(text: str) -> tuple[str, ...]:
    """Split a comma-separated scope list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def default_subscriptions(uri: str = "/webhooks/shopify") -> list[Subscription]:
    """Subscribe to every topic that the sandbox can fire."""
    return [Subscription(topic, uri) for topic in (*TOPIC_SCOPES, *COMPLIANCE_TOPICS)]


def _subscriptions(document: dict[str, Any]) -> list[Subscription]:
    found: list[Subscription] = []
    for entry in document.get("subscriptions", []):
        topics = [*entry.get("topics", []), *entry.get("compliance_topics", [])]
        if not topics or "uri" not in entry:
            raise ValueError("every [[webhooks.subscriptions]] needs topics or compliance_topics, and a uri")
        for topic in topics:
            compliance = topic in entry.get("compliance_topics", [])
            if compliance and topic not in COMPLIANCE_TOPICS:
                raise ValueError(f"{topic} is not a compliance topic")
            if not compliance and topic in COMPLIANCE_TOPICS:
                raise ValueError(f"{topic} must be listed under compliance_topics")
            if entry.get("filter"):
                raise ValueError(f"the sandbox does not apply filters: {topic}")
            fields = tuple(entry.get("include_fields", []))
            found.append(Subscription(topic, entry["uri"], entry.get("name"), fields))
    seen = {(item.topic, item.uri) for item in found}
    if len(seen) != len(found):
        raise ValueError("the same topic and uri is subscribed twice")
    return found


def _definitions(document: dict[str, Any]) -> list[MetafieldDefinition]:
    found = []
    for owner in ("customer", "order", "product", "shop"):
        for key, spec in document.get(owner, {}).get("metafields", {}).get("app", {}).items():
            public = spec.get("access", {}).get("storefront") == "public_read"
            found.append(MetafieldDefinition(owner.upper(), key, spec["type"], public))
    return found


def read(
    toml_path: str | Path | None,
    *,
    client_id: str,
    client_secret: str,
    app_url: str,
    scopes: str | None = None,
) -> AppConfig:
    """Build the app's configuration; the TOML's client id is ignored in favour of the one given."""
    config = AppConfig(client_id=client_id, client_secret=client_secret, app_url=app_url)
    document: dict[str, Any] = {}
    if toml_path is not None:
        document = tomllib.loads(Path(toml_path).read_text(encoding="utf-8"))
    access = document.get("access_scopes", {})
    config.scopes = scope_list(scopes or access.get("scopes") or DEFAULT_SCOPES)
    config.optional_scopes = tuple(access.get("optional_scopes", ()))
    webhooks = document.get("webhooks", {})
    config.subscriptions = _subscriptions(webhooks) if webhooks else default_subscriptions()
    config.webhook_version = webhooks.get("api_version", API_VERSION)
    config.definitions = _definitions(document) or [
        MetafieldDefinition("CUSTOMER", "points", "number_integer", storefront=True)
    ]
    config.name = document.get("name", config.name)
    config.handle = document.get("handle", config.handle)
    proxy = document.get("app_proxy", {})
    config.proxy_prefix = proxy.get("prefix", config.proxy_prefix)
    config.proxy_subpath = proxy.get("subpath", config.proxy_subpath)
    config.proxy_url = proxy.get("url", config.proxy_url)
    return config
