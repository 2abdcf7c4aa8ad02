"""Reads what a shop says of itself (name, currency and how it is written, time zone, plan, customer accounts, granted scopes) and keeps it."""

from collections.abc import Mapping
from typing import Any

import requests

from loyalty import runs
from loyalty.models import Shop
from loyalty.runtime import Runtime
from shopify_app import documents
from shopify_app.admin_api import AdminClient
from shopify_app.config import ShopifyConfig
from shopify_app.gids import number_of
from shopify_app.granting import take_scopes
from shopify_app.lifecycle import take_details

_CLASSIC = "CLASSIC"


def read_details(runtime: Runtime, config: ShopifyConfig, shop_id: int, session: requests.Session) -> None:
    """Ask and keep. Raises ``ShopifyError``."""
    data = AdminClient(runtime, config, shop_id, session).query(documents.SHOP).data
    found = data["shop"]
    with runtime.transaction() as database:
        shop = database.get(Shop, shop_id, with_for_update=True)
        if shop is None:
            return
        take_details(
            database,
            shop,
            {
                "shopify_id": number_of(found["id"], "Shop"),
                "name": found["name"],
                "contact_email": found["contactEmail"],
                "currency": found["currencyCode"],
                "money_format": found["currencyFormats"]["moneyFormat"],
                "timezone": found["ianaTimezone"],
                "plan": found["plan"]["publicDisplayName"],
            },
            now=runtime.clock(),
        )
        take_scopes(database, shop, ",".join(granted(data)), now=runtime.clock())
        shop.classic_accounts = found["customerAccountsV2"]["customerAccountsVersion"] == _CLASSIC
        database.add(shop)
        runs.permitted(database, shop_id, now=runtime.clock())


def granted(data: Mapping[str, Any]) -> list[str]:
    """The scopes that an answer to ``documents.SHOP`` names."""
    return [scope["handle"] for scope in data["currentAppInstallation"]["accessScopes"]]
