"""shopify.app.toml against Shopify's rules for it: Shopify itself checks only after a login.

The topics and the scopes they need are Shopify's, kept here so that a typing error or a missing
scope fails before a deploy does.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from shopify_app.config import OPTIONAL_SCOPES

FILE = Path(__file__).resolve().parent.parent.parent / "shopify.app.toml"
API_VERSION = re.compile(r"20\d\d-(01|04|07|10)")
RELATIVE_OR_REMOTE = re.compile(r"/\S*|https://\S+|pubsub://\S+|kafka://\S+|arn:aws:events:\S+")
COMPLIANCE = {"customers/data_request", "customers/redact", "shop/redact"}

# Topic -> the scope without which Shopify refuses or never sends it (None: no scope needed).
TOPICS: dict[str, str | None] = {
    "orders/create": "read_orders",
    "orders/updated": "read_orders",
    "orders/paid": "read_orders",
    "orders/cancelled": "read_orders",
    "orders/edited": "read_orders",
    "orders/fulfilled": "read_orders",
    "orders/partially_fulfilled": "read_orders",
    "orders/delete": "read_orders",
    "refunds/create": "read_orders",
    "customers/create": "read_customers",
    "customers/update": "read_customers",
    "customers/enable": "read_customers",
    "customers/delete": "read_customers",
    "customers/merge": "read_customer_merge",
    "customers/purchasing_summary": "read_customers",
    "customers_email_marketing_consent/update": "read_customers",
    "fulfillments/create": "read_fulfillments",
    "fulfillments/update": "read_fulfillments",
    "disputes/create": "read_shopify_payments_disputes",
    "disputes/update": "read_shopify_payments_disputes",
    "discounts/create": "read_discounts",
    "discounts/update": "read_discounts",
    "discounts/delete": "read_discounts",
    "app/uninstalled": None,
    "app/scopes_update": None,
    "app_subscriptions/update": None,
    "shop/update": None,
    "bulk_operations/finish": None,
}
NEEDED = {
    "orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/edited", "refunds/create",
    "customers/create", "customers/update", "customers/enable", "customers/delete", "customers/merge", "app/uninstalled",
    "customers_email_marketing_consent/update",
    "app/scopes_update", "shop/update", "bulk_operations/finish",
}  # fmt: skip
SECTIONS = {
    "client_id", "name", "handle", "application_url", "embedded", "extension_directories", "web_directories", "build",
    "access_scopes", "access", "auth", "webhooks", "events", "app_proxy", "pos", "app_preferences",
    "customer_authentication", "sidekick", "customer", "order", "product", "variant", "collection", "shop",
    "metaobjects",
}  # fmt: skip


@pytest.fixture(name="config", scope="module")
def _config() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text())


@pytest.fixture(name="subscriptions", scope="module")
def _subscriptions(config: dict[str, Any]) -> list[dict[str, Any]]:
    subscriptions: list[dict[str, Any]] = config["webhooks"]["subscriptions"]
    return subscriptions


@pytest.fixture(name="scopes", scope="module")
def _scopes(config: dict[str, Any]) -> list[str]:
    return [scope.strip() for scope in config["access_scopes"]["scopes"].split(",")]


class TestApp:
    def test_sections(self, config: dict[str, Any]) -> None:
        """Only sections that Shopify knows: an unknown one stops a deploy."""
        assert SECTIONS >= set(config)

    def test_identity(self, config: dict[str, Any]) -> None:
        """The app has a client id of Shopify's form, a name of at most 30 characters and a valid handle."""
        assert re.fullmatch(r"[0-9a-f]{32}", config["client_id"])
        assert config["name"] == "Laurel"
        assert len(config["name"]) <= 30
        assert len(config["handle"]) <= 256
        assert re.fullmatch(r"\w*(?!-)[_a-z0-9-]+(?<!-)", config["handle"])

    def test_address(self, config: dict[str, Any]) -> None:
        """The app is embedded and served over https from the root of an address."""
        address = urlsplit(config["application_url"])

        assert config["embedded"] is True
        assert (address.scheme, address.query, address.fragment) == ("https", "", "")
        assert address.netloc

    def test_extensions(self, config: dict[str, Any]) -> None:
        """The folders named for extensions hold one."""
        found = [e for pattern in config["extension_directories"] for e in FILE.parent.glob(pattern)]

        assert any((folder / "shopify.extension.toml").is_file() for folder in found)

    def test_redirects(self, config: dict[str, Any]) -> None:
        """Each redirect address is absolute, secure and on the app's own host."""
        host = urlsplit(config["application_url"]).netloc
        urls = [urlsplit(url) for url in config["auth"]["redirect_urls"]]

        assert urls
        assert {("https", host)} == {(url.scheme, url.netloc) for url in urls}

    def test_no_secret(self) -> None:
        """Nothing in the file looks like a Shopify secret or token."""
        assert re.findall(r"shp(ss|at|ua|ca|pa|rt)_\w+|secret\s*=", FILE.read_text()) == []


class TestScopes:
    def test_form(self, scopes: list[str]) -> None:
        """Scopes are known in form and named once."""
        assert [] == [scope for scope in scopes if not re.fullmatch(r"(read|write)_[a-z_]+", scope)]
        assert sorted(set(scopes)) == sorted(scopes)

    def test_required(self, scopes: list[str]) -> None:
        """Exactly the scopes the app uses are asked for at install, merges included."""
        assert set(scopes) == {
            "read_customers", "write_customers", "read_orders", "read_products", "read_discounts",
            "write_discounts", "write_app_proxy", "read_customer_merge",
        }  # fmt: skip

    def test_optional(self, config: dict[str, Any], scopes: list[str]) -> None:
        """Older orders, gift cards and store credit are asked for at the moment of use; nothing is both required and optional."""
        optional = config["access_scopes"]["optional_scopes"]

        assert tuple(optional) == OPTIONAL_SCOPES
        assert set(scopes).isdisjoint(optional)

    def test_managed_install(self, config: dict[str, Any]) -> None:
        """The old install flow is off: with it, subscriptions of this file are forbidden."""
        assert not config["access_scopes"].get("use_legacy_install_flow", False)
        assert "read_script_tags" not in str(config["access_scopes"])


class TestWebhooks:
    def test_version(self, config: dict[str, Any]) -> None:
        """Webhooks use a stable API version, the one the app is built on."""
        assert API_VERSION.fullmatch(config["webhooks"]["api_version"])
        assert config["webhooks"]["api_version"] == "2026-10"

    def test_something_subscribed(self, subscriptions: list[dict[str, Any]]) -> None:
        """Each subscription names topics, and only keys that Shopify knows."""
        known = {
            "topics", "compliance_topics", "uri", "include_fields", "filter", "payload_query", "actions", "name"
        }  # fmt: skip

        assert all(s.get("topics") or s.get("compliance_topics") for s in subscriptions)
        assert [] == [s for s in subscriptions if not known >= set(s)]

    def test_address(self, subscriptions: list[dict[str, Any]]) -> None:
        """Every webhook comes to the app's one door."""
        assert {"/webhooks/shopify"} == {s["uri"] for s in subscriptions}
        assert all(RELATIVE_OR_REMOTE.fullmatch(s["uri"]) for s in subscriptions)

    def test_topics_known(self, subscriptions: list[dict[str, Any]]) -> None:
        """Every topic is one that Shopify sends."""
        assert set(TOPICS) >= {topic for s in subscriptions for topic in s.get("topics", [])}

    def test_topics_needed(self, subscriptions: list[dict[str, Any]]) -> None:
        """What the points depend on is subscribed, and no more."""
        assert NEEDED == {topic for s in subscriptions for topic in s.get("topics", [])}

    def test_topics_permitted(self, subscriptions: list[dict[str, Any]], scopes: list[str]) -> None:
        """Each topic's scope is among the required ones."""
        needed = {TOPICS[topic] for s in subscriptions for topic in s.get("topics", [])} - {None}

        assert set(scopes) >= needed

    def test_no_duplicates(self, subscriptions: list[dict[str, Any]]) -> None:
        """No topic is subscribed twice to the same address with the same filter."""
        keys = [(topic, s["uri"], s.get("filter")) for s in subscriptions for topic in s.get("topics", [])]

        assert len(set(keys)) == len(keys)

    def test_compliance(self, config: dict[str, Any], subscriptions: list[dict[str, Any]]) -> None:
        """All three privacy topics are answered, each once, and not in the old way beside it."""
        assert sorted(COMPLIANCE) == sorted(t for s in subscriptions for t in s.get("compliance_topics", []))
        assert "privacy_compliance" not in config["webhooks"]

    def test_handlers_named(self, subscriptions: list[dict[str, Any]]) -> None:
        """Above each subscription a comment says what handles it."""
        lines = FILE.read_text().splitlines()
        heads = [number for number, line in enumerate(lines) if line == "[[webhooks.subscriptions]]"]

        assert len(subscriptions) == len(heads)
        assert [] == [
            number
            for number in heads
            if not lines[number - 1].startswith("# Handled by shopify_app/translate.py: ")
        ]


class TestProxy:
    def test_form(self, config: dict[str, Any]) -> None:
        """The proxy has a prefix Shopify offers and a subpath it accepts, leading to the app's proxy routes."""
        proxy = config["app_proxy"]

        assert proxy["url"] == "/proxy"
        assert proxy["prefix"] in {"apps", "a", "community", "tools"}
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,30}", proxy["subpath"])
        assert proxy["subpath"] not in {"admin", "services", "password", "login"}
        assert f"/{proxy['prefix']}/{proxy['subpath']}" == "/apps/laurel"

    def test_scope(self, scopes: list[str]) -> None:
        """The proxy's scope is asked for."""
        assert "write_app_proxy" in scopes


class TestMetafield:
    def test_points(self, config: dict[str, Any]) -> None:
        """The balance is a whole number that themes may read and only the app may write."""
        points = config["customer"]["metafields"]["app"]["points"]

        assert points["type"] == "number_integer"
        assert points["access"]["storefront"] == "public_read"
        assert points["access"]["admin"] == "merchant_read"
        assert points["access"]["customer_account"] in {"read", "none"}
        assert {"admin_filterable", "unique_values"} >= set(points["capabilities"])
        assert {"type", "name", "description", "access", "capabilities"} >= set(points)

    def test_read_by_theme(self) -> None:
        """The theme blocks read the very metafield that is declared here."""
        blocks = (FILE.parent / "extensions" / "laurel-loyalty" / "blocks").glob("*.liquid")

        assert all("customer.metafields['$app'].points.value" in block.read_text() for block in blocks)
