"""Sends test events to the merchant's own profile, so that Klaviyo's editor has every field to show before the first real event.

They carry ``laurel_test`` and ``backfill``: they can be told from real ones, and they start no flow. The profile of a member shows what is true
of that member; any other profile gets made-up properties, so that a campaign to oneself shows them.
"""

from dataclasses import replace
from datetime import datetime

from sqlmodel import Session

from klaviyo_oauth import addresses, payloads, samples, verdicts
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.payloads import Teller
from loyalty import outbox
from loyalty.delivery import Delivered, Dropped, Message, Outcome, Refused
from loyalty.encryption import Cipher, SealBroken
from loyalty.statement.members import member_by_email

KIND = "sample_events"


def want(
    session: Session, cipher: Cipher, shop_id: int, email: str, *, key: str, now: datetime
) -> str | None:
    """Queue test events for an address, or say why it can have none. ``key`` makes each press of the button one of its kind. The address of
    a member is not kept with the message, and any other one is sealed."""
    problem = addresses.problem(email)
    if problem is not None:
        return problem
    member_id = member_by_email(session, shop_id, email)
    payload = {} if member_id is not None else {"sealed": cipher.seal(email, row=_place(shop_id))}
    outbox.put(
        session,
        shop_id,
        outbox.KLAVIYO,
        KIND,
        f"samples:{key}",
        payload,
        member_id=member_id,
        occurred_at=now,
        now=now,
        backfill=True,
    )
    return None


def addressed(cipher: Cipher, message: Message) -> Message | Refused | Dropped:
    """The message with somebody to go to: the member, or a stranger of whom everything is made up."""
    if message.recipient is not None:
        return message if message.recipient.email else Dropped("no_recipient")
    sealed = message.payload.get("sealed")
    if not isinstance(sealed, str):
        return Refused("no sealed address")
    try:
        email = cipher.open(sealed, row=_place(message.shop_id))
    except SealBroken:
        return Refused("the sealed address cannot be opened")
    return replace(message, recipient=samples.stranger(email, now=message.occurred_at))


def send(gateway: Gateway, teller: Teller, message: Message) -> Outcome:
    """Send the test events of a message that is addressed, all in one request."""
    assert message.recipient is not None
    told = samples.events(teller, message)
    entry = {
        "type": "event-bulk-create",
        "attributes": {
            "backfill": True,
            "profile": {"data": teller.profile(message.recipient)},
            "events": {
                "data": [
                    {"type": "event", "attributes": payloads.event_attributes(message, event)}
                    for event in told
                ]
            },
        },
    }
    body = payloads.bulk_events([payloads.encode(entry)])
    answer = gateway.call(
        message.shop_id, "POST event-bulk-create-jobs", "/api/event-bulk-create-jobs", raw_body=body
    )
    outcome = verdicts.outcome(answer, attempts=message.attempts)
    if isinstance(outcome, Delivered):
        return replace(outcome, told=tuple(event.metric for event in told))
    return outcome


def _place(shop_id: int) -> str:
    return f"samples:{shop_id}"
