"""One event in one request: the road with the least delay. The request refreshes the profile's properties as well."""

from klaviyo_oauth import payloads, verdicts
from klaviyo_oauth.dialect import Dialect
from klaviyo_oauth.gateway import Gateway
from loyalty.delivery import Message, Outcome


def send_single(gateway: Gateway, shop_id: int, dialect: Dialect, message: Message) -> Outcome:
    """Send one message whose recipient can be written to."""
    assert message.recipient is not None
    body = payloads.event(dialect, message, message.recipient)
    answer = gateway.call(shop_id, "POST events", "/api/events", json_body=body)
    return verdicts.outcome(answer, attempts=message.attempts)
