"""Takes our properties off the profile of an address that is nobody's any more: its person asked to be forgotten, or has another address now.
The profile itself is the merchant's, and stays.

It looks for the profile first: an upsert would create one for the very person who wants to be gone.
"""

from collections.abc import Mapping

from sqlalchemy import exists
from sqlmodel import col, select

from klaviyo_oauth import payloads, verdicts
from klaviyo_oauth.answers import Reply
from klaviyo_oauth.dialects import Choice
from klaviyo_oauth.gateway import Gateway
from loyalty import outbox
from loyalty.delivery import Delivered, Message, Outcome, Refused
from loyalty.encryption import SealBroken
from loyalty.models import Member
from loyalty.runtime import Runtime


def forget(runtime: Runtime, gateway: Gateway, shop_id: int, choice: Choice, message: Message) -> Outcome:
    """Handle one message ``outbox.FORGET``. An address that is a member's again has what is true of that member on its profile."""
    sealed = message.payload.get("sealed")
    if not isinstance(sealed, str):
        return Refused("no sealed address")
    try:
        email = runtime.cipher.open(sealed, row=outbox.forgotten(shop_id))
    except SealBroken:
        return Refused("the sealed address cannot be opened")
    with runtime.reading() as session:
        mine = (col(Member.shop_id) == shop_id, col(Member.email) == email)
        if session.exec(select(exists().where(*mine))).one():
            return Delivered()
    params = {"filter": f"equals(email,{payloads.quoted(email)})", "fields[profile]": "email"}
    found = gateway.call(shop_id, "GET profiles", "/api/profiles", params=params)
    if not (isinstance(found, Reply) and found.ok):
        return verdicts.outcome(found, attempts=message.attempts)
    profiles = found.data if isinstance(found.data, list) else []
    ids = [profile.get("id") for profile in profiles if isinstance(profile, Mapping)]
    outcome: Outcome = Delivered(found.status)
    for profile_id in ids:
        outcome = _clean(gateway, shop_id, choice, str(profile_id), message)
        if not isinstance(outcome, Delivered):
            break
    return outcome


def _clean(gateway: Gateway, shop_id: int, choice: Choice, profile_id: str, message: Message) -> Outcome:
    body = payloads.forget(choice, profile_id)
    answer = gateway.call(shop_id, "PATCH profiles", f"/api/profiles/{profile_id}", json_body=body)
    if isinstance(answer, Reply) and answer.status == 404:
        return Delivered(answer.status)
    return verdicts.outcome(answer, attempts=message.attempts)
