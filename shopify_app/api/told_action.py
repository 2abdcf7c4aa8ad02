"""An action as a shop's own program tells of it: read with every mistake named, and turned into a fact.

What is wrong is named by its field; its value is never told.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from loyalty.core.email import normal_email
from loyalty.core.facts import ActionDone, Fact, Identity
from loyalty.inbox import Malformed
from loyalty.models import InboxMessage
from shopify_app import reading

TOPIC = "action"
FIELDS = ("rule", "id", "email", "customer_id", "occurred_at")
# Clocks differ; what is further ahead has not happened.
MOST_AHEAD = timedelta(minutes=5)
_ID = re.compile(r"[!-~]{1,100}")
_RULE = re.compile(r"[a-z0-9_]{1,50}")


class Mistaken(Exception):
    """An action cannot be taken: ``errors`` says for each field what is wrong with it."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class ToldAction:
    """An action that was told of in good form."""

    rule: str
    key: str
    identity: Identity
    occurred_at: datetime | None


def read_action(body: Mapping[str, Any], *, now: datetime) -> ToldAction:
    """The action of a request. Raises ``Mistaken``."""
    errors = dict.fromkeys(sorted(set(body) - set(FIELDS)), "is not a field of an action")
    rule, key = body.get("rule"), body.get("id")
    if not isinstance(rule, str) or not _RULE.fullmatch(rule):
        errors["rule"] = "must be the key of an earning rule"
    if not isinstance(key, str) or not _ID.fullmatch(key):
        errors["id"] = "must be your own id of this action: 1 to 100 printable characters without spaces"
    email, customer_id = _email(body, errors), _customer_id(body, errors)
    if "email" not in body and "customer_id" not in body:
        errors["email"] = "or customer_id must say who it was"
    occurred_at = _instant(body, errors, now)
    if errors:
        raise Mistaken(errors)
    return ToldAction(str(rule), str(key), Identity(customer_id, email), occurred_at)


def kept_body(told: ToldAction) -> bytes:
    """The action as the inbox keeps it: in one spelling, so that whoever is to be forgotten is found in it."""
    identity = told.identity
    fields = {
        "rule": told.rule,
        "id": told.key,
        "email": identity.email,
        "customer_id": identity.customer_id,
        "occurred_at": told.occurred_at.isoformat() if told.occurred_at else None,
    }
    said = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(said, ensure_ascii=False).encode()


def translate(message: InboxMessage) -> Sequence[Fact]:
    """The fact of a delivery of the source ``api``. Raises ``Malformed``."""
    if message.state == "ignored":
        return ()
    try:
        told = read_action(reading.document(message.body), now=message.received_at)
    except Mistaken as mistaken:
        raise Malformed(f"wrong: {mistaken}") from None
    return (ActionDone(told.rule, told.key, told.identity, told.occurred_at or message.received_at),)


def _email(body: Mapping[str, Any], errors: dict[str, str]) -> str | None:
    given = body.get("email")
    email = normal_email(given) if isinstance(given, str) and given.strip().isprintable() else None
    if "email" in body and email is None:
        errors["email"] = "must be an e-mail address"
    return email


def _customer_id(body: Mapping[str, Any], errors: dict[str, str]) -> int | None:
    given = body.get("customer_id")
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) <= 18:
        given = int(given)
    if "customer_id" not in body:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or not 0 < given < 2**63:
        errors["customer_id"] = "must be Shopify's number of the customer"
        return None
    return given


def _instant(body: Mapping[str, Any], errors: dict[str, str], now: datetime) -> datetime | None:
    if body.get("occurred_at") is None:
        return None
    try:
        found = reading.instant(body, "occurred_at")
    except Malformed:
        errors["occurred_at"] = "must be a time with its zone, for example 2026-11-22T10:00:00Z"
        return None
    if found > now + MOST_AHEAD:
        errors["occurred_at"] = "must not lie ahead"
    return found
