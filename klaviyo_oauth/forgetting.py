"""Takes our properties off the profile of a person who asked to be forgotten. The profile itself is the merchant's, and stays.

It looks for the profile first: an upsert would create one for the very person who wants to be gone.
"""

from collections.abc import Mapping

from klaviyo_oauth import payloads, verdicts
from klaviyo_oauth.answers import Reply
from klaviyo_oauth.dialects import Choice
from klaviyo_oauth.gateway import Gateway
from loyalty.delivery import Delivered, Message, Outcome, Refused
from loyalty.encryption import Cipher, SealBroken


def forget(gateway: Gateway, cipher: Cipher, shop_id: int, choice: Choice, message: Message) -> Outcome:
    """Handle one ``forget_profile`` message; its address is sealed for ``forget:{shop_id}``."""
    sealed = message.payload.get("sealed")
    if not isinstance(sealed, str):
        return Refused("no sealed address")
    try:
        email = cipher.open(sealed, row=f"forget:{shop_id}")
    except SealBroken:
        return Refused("the sealed address cannot be opened")
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
