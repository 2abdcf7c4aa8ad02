"""Turns Shopify's webhooks into facts. It asks nobody and decides nothing; what it does not understand it says so.

A message about the shop itself is passed on with the few values that its handler needs, and never with a person's.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from loyalty.core.email import normal_email
from loyalty.core.facts import (
    CustomerDeleted,
    CustomerSeen,
    CustomersMerged,
    Fact,
    Identity,
    OrderChanged,
    OrderSeen,
    ShopMessage,
)
from loyalty.inbox import Malformed
from loyalty.models import InboxMessage
from shopify_app import reading
from shopify_app.config import canonical_domain
from shopify_app.consent import CONSENT_TOPIC
from shopify_app.customer_node import has_account, subscribed_since
from shopify_app.gids import number_of
from shopify_app.order_payload import snapshot_of_payload

_Payload = Mapping[str, Any]
_Translator = Callable[[InboxMessage, _Payload], Sequence[Fact]]


def translate(message: InboxMessage) -> Sequence[Fact]:
    """The facts of a delivery; none for a topic that nobody asked for. Raises ``Malformed``."""
    translator = TOPICS.get(message.topic)
    # A delivery may have been emptied, after it was claimed, by one before it that asked to forget its person.
    if translator is None or message.state == "ignored":
        return ()
    return translator(message, reading.document(message.body))


def order(_message: InboxMessage, payload: _Payload) -> Sequence[Fact]:
    """The order as it was when the message was made, and its customer."""
    snapshot = snapshot_of_payload(payload)
    buyer = payload.get("customer")
    if not isinstance(buyer, dict):
        identity = Identity(None, normal_email(reading.optional_text(payload, "email")))
        return (OrderSeen(snapshot, identity),)
    seen = OrderSeen(snapshot, _identity(buyer))
    if buyer.get("created_at") is None or buyer.get("updated_at") is None:
        return (seen,)
    return (_customer_seen(buyer, locale=reading.optional_text(payload, "customer_locale")), seen)


def order_signal(message: InboxMessage, payload: _Payload) -> Sequence[Fact]:
    """Something about an order moved. A refund's own figures are not to be summed: they come before, and without, the money."""
    if message.topic == "orders/edited":
        edit = reading.table(payload, "order_edit")
        return (OrderChanged(reading.number(edit, "order_id"), f"edit:{reading.number(edit, 'id')}"),)
    return (OrderChanged(reading.number(payload, "order_id"), f"refund:{reading.number(payload, 'id')}"),)


def customer(message: InboxMessage, payload: _Payload) -> Sequence[Fact]:
    """A customer as it was when the message was made, or that it is gone."""
    if message.topic == "customers/delete":
        return (CustomerDeleted(reading.number(payload, "id")),)
    seen = _customer_seen(payload, locale=None)
    if message.topic == "customers/create" and seen.subscribed_at is None:
        # A box may have been ticked with the account, of which this message says nothing.
        return (seen, _agreed(seen.identity.customer_id, "created"))
    return (seen,)


def consent(message: InboxMessage, payload: _Payload) -> Sequence[Fact]:
    """A customer agreed to marketing e-mail. That somebody does no longer is not asked for: points once earned for it are theirs."""
    told = reading.table(payload, "email_marketing_consent")
    if (reading.optional_text(told, "state") or "").lower() != "subscribed":
        return ()
    since = reading.optional_instant(told, "consent_updated_at") or message.received_at
    return (_agreed(reading.number(payload, "customer_id"), since.isoformat()),)


def customer_merge(message: InboxMessage, payload: _Payload) -> Sequence[Fact]:
    """Two customers became one. A merge that is under way or failed has not happened."""
    if reading.text(payload, "status") != "completed":
        return ()
    return (
        CustomersMerged(
            kept_customer_id=_gid(payload, "admin_graphql_api_customer_kept_id", "Customer"),
            deleted_customer_id=_gid(payload, "admin_graphql_api_customer_deleted_id", "Customer"),
            merged_at=message.received_at,
        ),
    )


def shop(message: InboxMessage, _payload: _Payload) -> Sequence[Fact]:
    """The app's or the shop's own affairs."""
    if message.topic == "app/uninstalled":
        return (ShopMessage(message.topic, {"received_at": message.received_at.isoformat()}),)
    # What has changed is not taken from here: Shopify is asked.
    return (ShopMessage(message.topic, {"delivery": message.delivery_id}),)


def bulk_operation(message: InboxMessage, payload: _Payload) -> Sequence[Fact]:
    """A bulk query of ours has ended, well or badly."""
    return (ShopMessage(message.topic, {"operation": reading.text(payload, "admin_graphql_api_id")}),)


def privacy(message: InboxMessage, payload: _Payload) -> Sequence[Fact]:
    """What the law asks for. The customer is named by id; an address only finds those who never had an id."""
    if canonical_domain(reading.text(payload, "shop_domain")) != message.shop_domain:
        raise Malformed("shop_domain is not the sender's")
    if message.topic == "shop/redact":
        return (ShopMessage(message.topic, {}),)
    person = payload.get("customer") or {}
    if not isinstance(person, dict):
        raise Malformed("customer is not an object")
    details: dict[str, Any] = {
        "customer_id": reading.optional_number(person, "id"),
        "email": normal_email(reading.optional_text(person, "email")),
        "inbox_id": message.id,
    }
    if message.topic == "customers/data_request":
        details["request"] = str(reading.number(reading.table(payload, "data_request"), "id"))
    return (ShopMessage(message.topic, details),)


TOPICS: Mapping[str, _Translator] = {
    "orders/create": order,
    "orders/updated": order,
    "orders/paid": order,
    "orders/cancelled": order,
    "orders/edited": order_signal,
    "refunds/create": order_signal,
    "customers/create": customer,
    "customers/update": customer,
    "customers/enable": customer,
    "customers/delete": customer,
    "customers/merge": customer_merge,
    CONSENT_TOPIC: consent,
    "app/uninstalled": shop,
    "app/scopes_update": shop,
    "shop/update": shop,
    "bulk_operations/finish": bulk_operation,
    "customers/data_request": privacy,
    "customers/redact": privacy,
    "shop/redact": privacy,
}


def _customer_seen(person: _Payload, *, locale: str | None) -> CustomerSeen:
    return CustomerSeen(
        identity=_identity(person),
        first_name=reading.optional_text(person, "first_name"),
        last_name=reading.optional_text(person, "last_name"),
        locale=locale,
        created_at=reading.instant(person, "created_at"),
        updated_at=reading.instant(person, "updated_at"),
        subscribed_at=_subscribed_since(person),
        has_account=has_account(person),
    )


def _subscribed_since(person: _Payload) -> datetime | None:
    """Versions of the API before 2025-01 told it with the customer; nothing keeps a later one from telling it again."""
    if person.get("email_marketing_consent") is None:
        return None
    told = reading.table(person, "email_marketing_consent")
    return subscribed_since(told, state="state", at="consent_updated_at")


def _agreed(customer_id: int | None, occasion: str) -> ShopMessage:
    return ShopMessage(CONSENT_TOPIC, {"customer_id": customer_id, "occasion": occasion})


def _identity(person: _Payload) -> Identity:
    return Identity(
        reading.number(person, "id"),
        normal_email(reading.optional_text(person, "email")),
        verified=person.get("verified_email") is not False,
    )


def _gid(payload: _Payload, key: str, kind: str) -> int:
    try:
        return number_of(payload.get(key), kind)
    except ValueError:
        raise Malformed(f"{key} is not an id of {kind}") from None
