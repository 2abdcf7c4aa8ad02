"""Customers sign up, change, merge, are deleted, and ask for their data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.shopify import addresses
from sandbox.shopify.clock import parse_instant, zulu
from sandbox.shopify.errors import ActionRefused, NotFound
from sandbox.shopify.ids import gid
from sandbox.shopify.people import Customer, SyntheticRange
from sandbox.shopify.shop import Shop
from sandbox.shopify.webhooks import payloads
from sandbox.shopify.world import World

MOST_SYNTHETIC = 1_000_000
CONSENTS = ("not_subscribed", "pending", "subscribed", "unsubscribed")
PLAIN = ("first_name", "last_name", "phone", "note", "locale", "state", "verified_email")


def find(shop: Shop, who: int | str) -> Customer:
    """Find a customer by id or e-mail, ready to be changed."""
    found = shop.customers.by_email(who) if isinstance(who, str) and not who.isdigit() else None
    person = shop.customers.keep(found.id if found else int(who) if str(who).isdigit() else 0)
    if person is None:
        raise NotFound("customer")
    return person


def make(world: World, shop: Shop, *, state: str, at: datetime | None = None, **fields: Any) -> Customer:
    """Add a customer without telling anyone."""
    email = (fields.pop("email", None) or "").strip() or None
    if email is not None:
        if "@" not in email:
            raise ActionRefused("bad_email", "That is not an e-mail address.")
        if shop.customers.by_email(email):
            raise ActionRefused("taken", "A customer with this e-mail exists.", status=409)
    now = (at or world.now()).replace(microsecond=0)
    person = Customer(
        id=world.ids.next("Customer"),
        email=email,
        first_name=fields.pop("first_name", None),
        last_name=fields.pop("last_name", None),
        created_at=now,
        updated_at=now,
        state=state,
    )
    _change(world, person, fields)
    shop.customers.add(person)
    return person


def _change(world: World, person: Customer, fields: dict[str, Any]) -> None:
    for key, value in fields.items():
        if key in PLAIN:
            setattr(person, key, value)
        elif key == "address":
            where = addresses.read(value)
            person.address = where.of(person.first_name, person.last_name) if where else None
        elif key == "tags":
            person.tags = sorted({str(tag) for tag in value})
        elif key in ("email_consent", "sms_consent"):
            if value not in CONSENTS:
                raise ActionRefused("bad_consent", f"{key} is one of {', '.join(CONSENTS)}.")
            setattr(person, key, str(value))
            person.consent_at = world.now().replace(microsecond=0)
        else:
            raise ActionRefused("unknown_field", f"A customer has no field {key}.")


def sign_up(world: World, shop: Shop, **fields: Any) -> Customer:
    """A shopper opens an account; a guest with the same address gets one instead of a second record."""
    silent = bool(fields.pop("silent", False))
    created = fields.pop("created_at", None)
    existing = shop.customers.by_email(str(fields.get("email") or ""))
    if existing is not None and existing.state == "disabled":
        person = find(shop, existing.id)
        person.state = "enabled"
        person.touch(world.now())
        _change(world, person, {key: value for key, value in fields.items() if key != "email"})
        body = payloads.customer(shop, person)
        if not silent:
            agreed = _agreed(shop, person, fields)
            world.fire(shop, [("customers/enable", body), ("customers/update", body), *agreed])
        return person
    at = parse_instant(created) if created else None
    person = make(world, shop, state="enabled", at=at, **fields)
    if not silent:
        body = payloads.customer(shop, person)
        agreed = _agreed(shop, person, fields)
        world.fire(shop, [("customers/create", body), ("customers/enable", body), *agreed])
    return person


def _agreed(shop: Shop, person: Customer, fields: dict[str, Any]) -> list[tuple[str, Any]]:
    """Whoever ticks the box for e-mail while signing up says so on the topic of consent, too."""
    if not fields.get("email_consent"):
        return []
    return [("customers_email_marketing_consent/update", payloads.email_consent(shop, person))]


def update(world: World, shop: Shop, who: int | str, fields: dict[str, Any]) -> Customer:
    """Change a customer; consent and tags travel on their own topics, as since 2025-01."""
    person = find(shop, who)
    before = (set(person.tags), person.email_consent, person.sms_consent, person.state)
    if "email" in fields:
        email = fields.pop("email") or None
        other = shop.customers.by_email(email) if email else None
        if other is not None and other.id != person.id:
            raise ActionRefused("taken", "A customer with this e-mail exists.", status=409)
        shop.customers.rename(person, email)
    _change(world, person, fields)
    person.touch(world.now())
    world.fire(shop, _update_events(world, shop, person, before))
    return person


def _update_events(
    world: World, shop: Shop, person: Customer, before: tuple[set[str], str, str, str]
) -> list[tuple[str, Any]]:
    at = zulu(world.now()) or ""
    tags, email_consent, sms_consent, state = before
    events: list[tuple[str, Any]] = [("customers/update", payloads.customer(shop, person))]
    added, removed = sorted(set(person.tags) - tags), sorted(tags - set(person.tags))
    if added:
        events.append(("customer.tags_added", payloads.tags(person, added, at)))
    if removed:
        events.append(("customer.tags_removed", payloads.tags(person, removed, at)))
    if person.email_consent != email_consent:
        events.append(("customers_email_marketing_consent/update", payloads.email_consent(shop, person)))
    if person.sms_consent != sms_consent:
        events.append(("customers_marketing_consent/update", payloads.sms_consent(shop, person)))
    if person.state != state and person.state in ("enabled", "disabled"):
        topic = "customers/enable" if person.state == "enabled" else "customers/disable"
        events.append((topic, payloads.customer(shop, person)))
    return events


def delete(world: World, shop: Shop, who: int | str) -> int:
    """Delete a customer; one with orders cannot be deleted."""
    person = find(shop, who)
    if person.orders:
        raise ActionRefused("has_orders", "A customer with orders cannot be deleted, only redacted.")
    forget(shop, person.id)
    world.fire(shop, [("customers/delete", payloads.customer_deleted(person.id))])
    return person.id


def forget(shop: Shop, customer_id: int) -> None:
    """Take a customer and what belongs to them out of the shop."""
    shop.customers.remove(customer_id)
    owner = gid("Customer", customer_id)
    shop.metafields = {key: value for key, value in shop.metafields.items() if key[0] != owner}


def _check_free(shop: Shop, person: Customer) -> None:
    """Shopify merges nobody who holds store credit or a gift card."""
    if any(item.customer_id == person.id for item in shop.store_credit.values()):
        raise ActionRefused("has_credit", "A customer with store credit cannot be merged.")
    if any(card.customer_id == person.id for card in shop.gift_cards.values()):
        raise ActionRefused("has_card", "A customer with a gift card cannot be merged.")


def merge(world: World, shop: Shop, kept: int | str, gone: int | str, *, fail: bool = False) -> Customer:
    """Merge two customers: the orders move to the one kept; a failed merge changes nothing but is announced."""
    keeper, other = find(shop, kept), find(shop, gone)
    if keeper.id == other.id:
        raise ActionRefused("same_customer", "A customer cannot be merged with itself.")
    for person in (keeper, other):
        _check_free(shop, person)
    if fail:
        errors = [
            {"customer_ids": [keeper.id], "field": "merge_in_progress", "message": "A merge is under way."}
        ]
        body = payloads.merge(keeper.id, other.id, status="failed", errors=errors)
        world.fire(shop, [("customers/merge", body)])
        return keeper
    for order in shop.orders.values():
        if order.customer_id == other.id:
            order.customer_id = keeper.id
    for discount in shop.discounts.values():
        if discount.customers and other.id in discount.customers:
            discount.customers = (discount.customers - {other.id}) | {keeper.id}
    keeper.orders += other.orders
    keeper.spent += other.spent
    keeper.tags = sorted({*keeper.tags, *other.tags})
    keeper.touch(world.now())
    forget(shop, other.id)
    events = [
        ("customers/merge", payloads.merge(keeper.id, other.id, status="completed", errors=[])),
        ("customers/update", payloads.customer(shop, keeper)),
        ("customers/delete", payloads.customer_deleted(other.id)),
    ]
    world.fire(shop, events)
    return keeper


def _identity(shop: Shop, person: Customer) -> dict[str, Any]:
    return {
        "shop_id": shop.id,
        "shop_domain": shop.domain,
        "customer": {"id": person.id, "email": person.email, "phone": person.phone},
    }


def _orders_of(shop: Shop, person: Customer) -> list[int]:
    return [order.id for order in shop.orders.values() if order.customer_id == person.id]


def request_data(world: World, shop: Shop, who: int | str) -> None:
    """A customer asks the store owner for their data."""
    person = find(shop, who)
    body = _identity(shop, person) | {
        "orders_requested": _orders_of(shop, person),
        "data_request": {"id": world.ids.next("DataRequest")},
    }
    world.fire(shop, [("customers/data_request", body)])


def redact(world: World, shop: Shop, who: int | str) -> None:
    """A customer's data is to be erased; Shopify's own copy loses the person too."""
    person = find(shop, who)
    body = _identity(shop, person) | {"orders_to_redact": _orders_of(shop, person)}
    world.fire(shop, [("customers/redact", body)])
    shop.customers.rename(person, None)
    person.first_name = person.last_name = person.phone = person.note = person.address = None
    person.touch(world.now())
    for order in shop.orders.values():
        if order.customer_id == person.id:
            order.email = order.phone = None
            order.shipping_address = order.billing_address = None


def synthesize(world: World, shop: Shop, count: int, *, label: str = "person") -> SyntheticRange:
    """Add up to a million customers that are computed when looked at; no webhooks are sent."""
    if not 1 <= count <= MOST_SYNTHETIC:
        raise ActionRefused("bad_count", f"count is between 1 and {MOST_SYNTHETIC}.")
    first = world.ids.block("Customer", count)
    if label in shop.customers.labels():
        label = f"{label}{first}"
    made = SyntheticRange(first, count, label, world.now().replace(microsecond=0))
    shop.customers.add_range(made)
    return made
