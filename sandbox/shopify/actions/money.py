"""Money that is neither an order's nor a refund's: gift cards that are spent, store credit that a merchant gives."""

from __future__ import annotations

from typing import Any

from sandbox.shopify.errors import ActionRefused, NotFound
from sandbox.shopify.money import parse
from sandbox.shopify.people import Customer
from sandbox.shopify.shop import GiftCard, Shop, StoreCredit
from sandbox.shopify.world import World


def spend_card(shop: Shop, code: str, amount: Any) -> GiftCard:
    """Pay with a gift card."""
    card = next((card for card in shop.gift_cards.values() if card.code == code.lower()), None)
    if card is None:
        raise NotFound("gift card")
    wanted = parse(amount)
    if card.disabled_at is not None or wanted <= 0 or wanted > card.balance:
        raise ActionRefused("gift_card_refused", "The gift card does not pay for that.")
    card.spent += wanted
    return card


def give_credit(world: World, shop: Shop, person: Customer, amount: Any) -> StoreCredit:
    """Credit a customer in the shop's currency."""
    wanted = parse(amount)
    if wanted <= 0:
        raise ActionRefused("bad_amount", "A credit is more than nothing.")
    mine = (item for item in shop.store_credit.values() if item.customer_id == person.id)
    account = next((item for item in mine if item.currency == shop.currency), None)
    if account is None:
        account = StoreCredit(world.ids.next("StoreCreditAccount"), person.id, shop.currency)
        shop.store_credit[account.id] = account
    account.balance += wanted
    identity = world.ids.next("StoreCreditAccountTransaction")
    account.moves.append((identity, "Credit", wanted, account.balance, world.now(), None))
    return account
