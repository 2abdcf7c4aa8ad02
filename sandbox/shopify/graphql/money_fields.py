"""Money as GraphQL shows it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.shopify import totals
from sandbox.shopify.money import graph_text
from sandbox.shopify.order import Order


def money(amount: Decimal, currency: str) -> dict[str, Any]:
    """A MoneyV2."""
    return {"__typename": "MoneyV2", "amount": graph_text(amount), "currencyCode": currency}


def bag(order: Order, amount: Decimal) -> dict[str, Any]:
    """A MoneyBag: the amount in the shop's and in the customer's currency."""
    return {
        "shopMoney": money(amount, order.currency),
        "presentmentMoney": money(totals.in_presentment(order, amount), order.presentment_currency),
    }
