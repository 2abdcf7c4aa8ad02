"""Customers, their consent, store credit and gift cards."""

from __future__ import annotations

from typing import Any

from sandbox.shopify import addresses
from sandbox.shopify.clock import zulu
from sandbox.shopify.graphql import connections
from sandbox.shopify.graphql.approval import personal, protected
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.money_fields import money
from sandbox.shopify.graphql.registry import fields, represents
from sandbox.shopify.graphql.search import matcher
from sandbox.shopify.graphql.shop_fields import metafield, metafields
from sandbox.shopify.ids import gid
from sandbox.shopify.people import Customer
from sandbox.shopify.shop import GiftCard, StoreCredit


def _email(person: Customer, _context: Context) -> dict[str, Any] | None:
    if not person.email:
        return None
    return {
        "emailAddress": person.email,
        "marketingState": person.email_consent.upper(),
        "marketingOptInLevel": "SINGLE_OPT_IN" if person.email_consent == "subscribed" else None,
        "marketingUpdatedAt": zulu(person.consent_at),
        "validFormat": True,
    }


def _phone(person: Customer, _context: Context) -> dict[str, Any] | None:
    if not person.phone:
        return None
    state = person.sms_consent.upper()
    level = "SINGLE_OPT_IN" if state == "SUBSCRIBED" else None
    # The newer object has a word of its own for people who never agreed.
    known = "NEVER_SUBSCRIBED" if state == "NOT_SUBSCRIBED" else state
    consent = {"state": known, "optInLevel": level, "updatedAt": zulu(person.consent_at)}
    return {"phoneNumber": person.phone, "marketingState": state, "smsMarketingConsent": consent}


def _address(person: Customer, _context: Context) -> dict[str, Any] | None:
    """The default address."""
    return addresses.node(person.address, gid("MailingAddress", person.id + 5))


def _accounts(person: Customer, context: Context, **page: Any) -> dict[str, Any]:
    mine = [item for item in context.shop.store_credit.values() if item.customer_id == person.id]
    return connections.page(mine, lambda item: item.id, **page)


def _addresses(person: Customer, context: Context, **page: Any) -> dict[str, Any]:
    where = _address(person, context)
    return connections.page([where] if where else [], lambda item: item["id"], **page)


fields(
    "Customer",
    {
        "id": lambda p, c: gid("Customer", p.id),
        "legacyResourceId": lambda p, c: str(p.id),
        "firstName": protected("name")(lambda p, c: p.first_name),
        "lastName": protected("name")(lambda p, c: p.last_name),
        "displayName": protected("name")(lambda p, c: p.display_name),
        "email": protected("email")(lambda p, c: p.email),
        "phone": protected("phone")(lambda p, c: p.phone),
        "defaultEmailAddress": protected("email")(_email),
        "defaultPhoneNumber": protected("phone")(_phone),
        "state": lambda p, c: p.state.upper(),
        "verifiedEmail": lambda p, c: p.verified_email,
        "createdAt": lambda p, c: zulu(p.created_at),
        "updatedAt": lambda p, c: zulu(p.updated_at),
        "numberOfOrders": lambda p, c: str(p.orders),
        "amountSpent": lambda p, c: money(p.spent, c.shop.currency),
        "lastOrder": lambda p, c: c.shop.orders.get(p.last_order_id) if p.last_order_id else None,
        "defaultAddress": personal(_address),
        "addressesV2": personal(_addresses),
        "storeCreditAccounts": _accounts,
        "metafield": lambda p, c, key, namespace=None: metafield(gid("Customer", p.id), c, key, namespace),
        "metafields": lambda p, c, **page: metafields(gid("Customer", p.id), c, page),
        "taxExempt": lambda p, c: False,
        "statistics": lambda p, c: {"predictedSpendTier": None},
        "canDelete": lambda p, c: p.orders == 0,
    },
)


def credit_move(account: StoreCredit, move: tuple[Any, ...]) -> dict[str, Any]:
    """One movement of store credit."""
    number, kind, amount, after, at, expires = move
    return {
        "__typename": f"StoreCreditAccount{kind}Transaction",
        "id": gid(f"StoreCreditAccount{kind}Transaction", number),
        "amount": money(amount, account.currency),
        "balanceAfterTransaction": money(after, account.currency),
        "createdAt": zulu(at),
        "event": "ADJUSTMENT",
        "account": account,
        "expiresAt": zulu(expires),
    }


def _moves(account: StoreCredit, _context: Context, **page: Any) -> dict[str, Any]:
    """The movements, the oldest first unless asked otherwise."""
    keep = matcher(
        page.pop("query", None), {"type": lambda move: move[1].lower(), "id": lambda move: move[0]}
    )
    kept = [move for move in account.moves if keep is None or keep(move)]
    if page.pop("reverse", False):
        kept.reverse()
    page.pop("sortKey", None)
    return connections.page([credit_move(account, move) for move in kept], lambda item: item["id"], **page)


fields(
    "StoreCreditAccount",
    {
        "id": lambda a, c: gid("StoreCreditAccount", a.id),
        "balance": lambda a, c: money(a.balance, a.currency),
        "owner": lambda a, c: c.shop.customers.get(a.customer_id),
        "transactions": _moves,
    },
)
fields(
    "GiftCard",
    {
        "id": lambda g, c: gid("GiftCard", g.id),
        "maskedCode": lambda g, c: f"•••• •••• •••• {g.code[-4:]}",
        "lastCharacters": lambda g, c: g.code[-4:],
        "balance": lambda g, c: money(g.balance, g.currency),
        "initialValue": lambda g, c: money(g.initial, g.currency),
        "createdAt": lambda g, c: zulu(g.created_at),
        "expiresOn": lambda g, c: g.expires_on,
        "customer": lambda g, c: c.shop.customers.get(g.customer_id) if g.customer_id else None,
        "enabled": lambda g, c: g.disabled_at is None,
        "deactivatedAt": lambda g, c: zulu(g.disabled_at),
    },
)
represents(StoreCredit, "StoreCreditAccount")
represents(GiftCard, "GiftCard")
