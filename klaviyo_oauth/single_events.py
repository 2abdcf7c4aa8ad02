"""One event in one request: the road with the least delay. The request refreshes the profile's properties as well."""

from klaviyo_oauth import verdicts
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.payloads import Teller
from loyalty.delivery import Message, Outcome


def send_single(gateway: Gateway, shop_id: int, teller: Teller, message: Message) -> Outcome:
    """Send one message whose recipient can be written to."""
    answer = gateway.call(shop_id, "POST events", "/api/events", json_body=teller.event(message))
    return verdicts.outcome(answer, attempts=message.attempts)
