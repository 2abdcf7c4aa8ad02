"""Gift cards and store credit: what there is, what shoppers spend of it, and what the merchant gives by hand."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from sandbox.shopify import describe
from sandbox.shopify.actions import customers, money
from sandbox.shopify.control.common import body, shop, world

routes = Blueprint("money", __name__)


@routes.get("/shops/<domain>/gift_cards")
def gift_cards(domain: str) -> dict[str, Any]:
    """The gift cards, codes and all."""
    with world().lock:
        return {"gift_cards": [describe.gift_card(card) for card in shop(domain).gift_cards.values()]}


@routes.post("/shops/<domain>/gift_cards/<code>/spend")
def spend(domain: str, code: str) -> dict[str, Any]:
    """Somebody pays `amount` with a gift card."""
    with world().lock:
        return describe.gift_card(money.spend_card(shop(domain), code, body().get("amount")))


@routes.get("/shops/<domain>/customers/<who>/store_credit")
def store_credit(domain: str, who: str) -> dict[str, Any]:
    """A customer's store credit, one account for each currency."""
    with world().lock:
        person = customers.find(shop(domain), who)
        mine = [item for item in shop(domain).store_credit.values() if item.customer_id == person.id]
        return {"accounts": [describe.store_credit(item) for item in mine]}


@routes.post("/shops/<domain>/customers/<who>/store_credit")
def give_credit(domain: str, who: str) -> tuple[dict[str, Any], int]:
    """The merchant gives a customer `amount` by hand."""
    with world().lock:
        person = customers.find(shop(domain), who)
        return describe.store_credit(
            money.give_credit(world(), shop(domain), person, body().get("amount"))
        ), 201
