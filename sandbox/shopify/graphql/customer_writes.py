"""Tags, gift cards and store credit: the writes about customers that a loyalty app needs."""

from __future__ import annotations

import secrets
from typing import Any

from sandbox.shopify.actions import customers
from sandbox.shopify.clock import parse_instant, zulu
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.customer_fields import credit_move
from sandbox.shopify.graphql.queries import find_node
from sandbox.shopify.graphql.registry import fields
from sandbox.shopify.ids import number
from sandbox.shopify.money import parse
from sandbox.shopify.order import Order
from sandbox.shopify.people import Customer
from sandbox.shopify.shop import GiftCard, StoreCredit
from sandbox.shopify.webhooks import payloads


def _error(path: list[str] | None, code: str, message: str) -> dict[str, Any]:
    return {"field": path, "code": code, "message": message}


def _tags(context: Context, global_id: str, given: list[str], *, add: bool) -> dict[str, Any]:
    """Tags are split at commas; adding one that is there changes nothing and tells nobody."""
    wanted = {part.strip() for text in given for part in text.split(",") if part.strip()}
    node = find_node(None, context, global_id)
    if not isinstance(node, (Customer, Order)):
        return {"node": None, "userErrors": [{"field": ["id"], "message": "does not exist"}]}
    scope = "write_customers" if isinstance(node, Customer) else "write_orders"
    context.demand(scope, "tagsAdd" if add else "tagsRemove")
    if isinstance(node, Customer):
        node = customers.find(context.shop, node.id)
    before = set(node.tags)
    after = before | wanted if add else before - wanted
    node.tags = sorted(after)
    changed = sorted(after ^ before)
    if changed and isinstance(node, Customer):
        node.touch(context.now)
        topic = "customer.tags_added" if add else "customer.tags_removed"
        body = payloads.tags(node, changed, zulu(context.now) or "")
        update = payloads.customer(context.shop, node)
        context.world.fire(context.shop, [(topic, body), ("customers/update", update)])
    return {"node": node, "userErrors": []}


def _gift_card(_root: Any, context: Context, input: dict[str, Any]) -> dict[str, Any]:
    refused = _gift_card_error(context, input)
    if refused is not None:
        return {"giftCard": None, "giftCardCode": None, "userErrors": [refused]}
    amount = input.get("initialAmount")
    given = input.get("customerId")
    card = GiftCard(
        id=context.world.ids.next("GiftCard"),
        code=(input.get("code") or secrets.token_hex(8)).lower(),
        initial=parse(amount["amount"] if amount else input["initialValue"]),
        currency=amount["currencyCode"] if amount else context.shop.currency,
        created_at=context.now,
        customer_id=number(given, "Customer") if given else None,
        expires_on=input.get("expiresOn"),
        note=input.get("note"),
    )
    context.shop.gift_cards[card.id] = card
    return {"giftCard": card, "giftCardCode": card.code, "userErrors": []}


def _gift_card_error(context: Context, given: dict[str, Any]) -> dict[str, Any] | None:
    amount = given["initialAmount"]["amount"] if given.get("initialAmount") else given.get("initialValue")
    if amount is None:
        return _error(["input", "initialAmount"], "MISSING_ARGUMENT", "Initial amount can't be blank")
    if parse(amount) <= 0:
        return _error(["input", "initialAmount"], "GREATER_THAN", "must be greater than 0")
    code = (given.get("code") or "").lower()
    if code and len(code) < 8:
        return _error(["input", "code"], "TOO_SHORT", "Code is too short (minimum is 8 characters)")
    if len(code) > 20:
        return _error(["input", "code"], "TOO_LONG", "Code is too long (maximum is 20 characters)")
    if code and not code.isalnum():
        return _error(["input", "code"], "INVALID", "Code may only hold letters and numbers")
    if code and any(card.code == code for card in context.shop.gift_cards.values()):
        return _error(["input", "code"], "TAKEN", "Code has already been taken")
    person = given.get("customerId")
    if person and context.shop.customers.get(number(person, "Customer") or 0) is None:
        return _error(["input", "customerId"], "CUSTOMER_NOT_FOUND", "Customer not found")
    return None


def _close_card(_root: Any, context: Context, id: str) -> dict[str, Any]:
    card = context.shop.gift_cards.get(number(id, "GiftCard") or 0)
    if card is None:
        return {
            "giftCard": None,
            "userErrors": [_error(["id"], "GIFT_CARD_NOT_FOUND", "Gift card not found")],
        }
    card.disabled_at = context.now
    return {"giftCard": card, "userErrors": []}


def _account(context: Context, global_id: str, currency: str, *, make: bool) -> StoreCredit | dict[str, Any]:
    """Find an account by its own id or its owner's; a first credit to an owner makes one."""
    book = context.shop.store_credit
    own = number(global_id, "StoreCreditAccount")
    if own is not None:
        account = book.get(own)
        if account is None:
            return _error(["id"], "ACCOUNT_NOT_FOUND", "The store credit account was not found.")
        if account.currency != currency:
            return _error(["id"], "MISMATCHING_CURRENCY", "The currency does not match the account's.")
        return account
    owner = number(global_id, "Customer")
    if owner is None or context.shop.customers.get(owner) is None:
        code = "OWNER_NOT_FOUND" if make else "ACCOUNT_NOT_FOUND"
        return _error(["id"], code, "The owner does not exist.")
    if currency != context.shop.currency and currency not in context.shop.rates:
        return _error(["id"], "UNSUPPORTED_CURRENCY", "The shop does not support this currency.")
    for account in book.values():
        if account.customer_id == owner and account.currency == currency:
            return account
    if not make:
        return _error(["id"], "ACCOUNT_NOT_FOUND", "The store credit account was not found.")
    fresh = StoreCredit(context.world.ids.next("StoreCreditAccount"), owner, currency)
    book[fresh.id] = fresh
    return fresh


def _move(context: Context, global_id: str, given: dict[str, Any], *, kind: str) -> dict[str, Any]:
    credit = kind == "Credit"
    asked = given["creditAmount" if credit else "debitAmount"]
    amount = parse(asked["amount"])
    expires = parse_instant(given["expiresAt"]) if given.get("expiresAt") else None
    path = [f"{kind.lower()}Input", f"{kind.lower()}Amount", "amount"]
    refused = None
    if amount <= 0:
        refused = _error(path, "NEGATIVE_OR_ZERO_AMOUNT", "The amount must be positive.")
    elif expires is not None and expires <= context.now:
        refused = _error(["creditInput", "expiresAt"], "EXPIRES_AT_IN_PAST", "The expiry is in the past.")
    account = refused or _account(context, global_id, asked["currencyCode"], make=credit)
    if isinstance(account, dict):
        return {"storeCreditAccountTransaction": None, "userErrors": [account]}
    if not credit and account.balance < amount:
        short = _error(path, "INSUFFICIENT_FUNDS", "The account does not hold enough.")
        return {"storeCreditAccountTransaction": None, "userErrors": [short]}
    account.balance += amount if credit else -amount
    # Debits are written as negative amounts.
    signed = amount if credit else -amount
    identity = context.world.ids.next("StoreCreditAccountTransaction")
    account.moves.append((identity, kind, signed, account.balance, context.now, expires))
    return {"storeCreditAccountTransaction": credit_move(account, account.moves[-1]), "userErrors": []}


fields(
    "Mutation",
    {
        "tagsAdd": lambda _r, c, id, tags: _tags(c, id, tags, add=True),
        "tagsRemove": lambda _r, c, id, tags: _tags(c, id, tags, add=False),
        "giftCardCreate": _gift_card,
        "giftCardDeactivate": _close_card,
        "storeCreditAccountCredit": lambda _r, c, id, creditInput: _move(c, id, creditInput, kind="Credit"),
        "storeCreditAccountDebit": lambda _r, c, id, debitInput: _move(c, id, debitInput, kind="Debit"),
    },
)
