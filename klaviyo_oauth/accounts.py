"""Asks Klaviyo whose credentials these are."""

from collections.abc import Mapping

from klaviyo_oauth.answers import NoReply, Reply
from klaviyo_oauth.client import Client
from klaviyo_oauth.connections import Account

_KEPT = ("timezone", "preferred_currency", "public_api_key", "test_account")


def identify(client: Client, authorization: str) -> Account | Reply | NoReply:
    """The account behind a header, or the answer that was none."""
    answer = client.send(authorization, "GET", "/api/accounts")
    if isinstance(answer, NoReply) or not answer.ok:
        return answer
    first = answer.data[0] if isinstance(answer.data, list) and answer.data else None
    if not isinstance(first, Mapping) or not isinstance(first.get("id"), str):
        return NoReply("no account in the answer")
    attributes = first.get("attributes")
    attributes = attributes if isinstance(attributes, Mapping) else {}
    contact = attributes.get("contact_information")
    name = contact.get("organization_name") if isinstance(contact, Mapping) else None
    kept = {key: attributes[key] for key in _KEPT if attributes.get(key) is not None}
    return Account(first["id"], name if isinstance(name, str) else "", kept)
