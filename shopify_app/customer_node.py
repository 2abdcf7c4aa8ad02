"""A customer as the Admin API answers it: the only place that tells whether they agree to marketing e-mail. Webhooks about customers do not."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from loyalty.core.email import normal_email
from loyalty.core.facts import CustomerSeen, Identity
from loyalty.inbox import Malformed
from shopify_app import reading
from shopify_app.gids import number_of


def customer_of_node(person: Mapping[str, Any], *, history: bool = False) -> CustomerSeen:
    """The customer as a fact; ``history`` if an import asked. Raises ``Malformed``."""
    address = person.get("defaultEmailAddress") or {}
    if not isinstance(address, dict):
        raise Malformed("defaultEmailAddress is not an object")
    return CustomerSeen(
        identity=Identity(
            _id(person),
            normal_email(reading.optional_text(address, "emailAddress")),
            verified=is_verified(person),
        ),
        first_name=reading.optional_text(person, "firstName"),
        last_name=reading.optional_text(person, "lastName"),
        locale=reading.optional_text(person, "locale"),
        created_at=reading.instant(person, "createdAt"),
        updated_at=reading.instant(person, "updatedAt"),
        history=history,
        subscribed_at=subscribed_since(address, state="marketingState", at="marketingUpdatedAt"),
        has_account=has_account(person),
    )


def is_verified(person: Mapping[str, Any]) -> bool:
    """Whether the customer has shown that the address is theirs. Only who is known not to have shown it, has not."""
    return person.get("verifiedEmail") is not False


def has_account(person: Mapping[str, Any]) -> bool:
    """Whether the customer has an account, as the record says; it means something in shops with classic accounts only. There Shopify makes a
    record of everybody who orders with an address, too."""
    state = reading.optional_text(person, "state")
    return state is None or state.lower() == "enabled"


def subscribed_since(consent: Mapping[str, Any], *, state: str, at: str) -> datetime | None:
    """Since when somebody agrees. Nobody agrees who was only asked, left again, or of whom Shopify does not say since when."""
    if (reading.optional_text(consent, state) or "").lower() != "subscribed":
        return None
    return reading.optional_instant(consent, at)


def _id(person: Mapping[str, Any]) -> int:
    try:
        return number_of(person.get("id"), "Customer")
    except ValueError as error:
        raise Malformed(str(error)) from None
