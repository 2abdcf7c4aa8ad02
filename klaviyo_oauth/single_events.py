"""One message in requests of its own: the road with the least delay. The first request refreshes the profile's properties as well."""

from dataclasses import replace

from klaviyo_oauth import verdicts
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.payloads import Teller
from loyalty.delivery import Delivered, Later, Message, Outcome, Refused


def send_single(gateway: Gateway, shop_id: int, teller: Teller, message: Message) -> Outcome:
    """Send one message whose recipient can be written to and that the chosen dialects have a name for, under each of its names. Those that
    Klaviyo has already are sent again with the rest when it has to wait: their unique ids make that harmless."""
    found: Outcome = Delivered()
    names = teller.choice.names(message)
    for name, body in zip(names, teller.events(message), strict=True):
        answer = gateway.call(shop_id, "POST events", "/api/events", json_body=body)
        outcome = verdicts.outcome(answer, attempts=message.attempts)
        if isinstance(outcome, Refused) and len(names) > 1:
            outcome = replace(outcome, reason=f"{name}: {outcome.reason}")
        if isinstance(outcome, Later) or not isinstance(outcome, Refused | Delivered):
            return outcome
        # What Klaviyo refuses under one name it may take under another; the refusal is what is told.
        found = found if isinstance(found, Refused) else outcome
    return replace(found, told=names) if isinstance(found, Delivered) else found
