"""An application that serves the merchant's pages and nothing else, for tests of the pages."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, abort
from jinja2 import StrictUndefined

from klaviyo_oauth import dialect_pages
from klaviyo_oauth import pages as klaviyo_pages
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.wording import reason
from loyalty.runtime import Runtime
from shopify_app import admin
from shopify_app.config import ShopifyConfig
from shopify_app.merchant import Merchant

ROOT = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
SHOPIFY = ShopifyConfig(
    api_key="laurel-client-id", api_secret="not-a-secret", cdn_url="https://cdn.shopify.test"
)


@dataclass
class Bell:
    """Notes the nudges."""

    rung: list[tuple[Any, ...]] = field(default_factory=list)

    def __call__(self, job: str, *args: int | str, delay: float = 0) -> None:
        self.rung.append((job, *args))


@dataclass
class Door:
    """Lets everybody in as staff of one shop, or nobody."""

    shop_id: int = 1
    domain: str = "fern-and-fig.myshopify.com"
    closed: bool = False

    def __call__(self) -> Merchant:
        if self.closed:
            abort(401)
        return Merchant(self.shop_id, self.domain, "81001", "YWRtaW4")


def make_app(
    runtime: Runtime,
    door: Door,
    *,
    shopify: ShopifyConfig = SHOPIFY,
    klaviyo: KlaviyoConfig | None = None,
) -> Flask:
    """All the merchant's pages behind ``door``."""
    app = Flask("laurel", root_path=str(ROOT), template_folder="templates", static_folder="static")
    app.jinja_env.undefined = StrictUndefined
    pages = admin.Pages(runtime, shopify, door, in_words=reason)
    app.register_blueprint(admin.create_blueprint(pages))
    config = klaviyo or KlaviyoConfig(
        app_url="https://laurel.test", client_id="id", client_secret="not-a-secret"
    )
    app.register_blueprint(klaviyo_pages.create_blueprint(runtime, config, pages))
    app.register_blueprint(dialect_pages.create_blueprint(runtime, pages))
    return app
