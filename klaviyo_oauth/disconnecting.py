"""Ends a shop's link on our side, at once. Klaviyo is told by a job (``klaviyo_oauth.goodbye``)."""

from klaviyo_oauth import connections
from loyalty.runtime import Runtime


def disconnect(runtime: Runtime, shop_id: int) -> bool:
    """Forget tokens and webhook, so that nothing is sent or taken any more. False when there never was a link."""
    with runtime.transaction() as session:
        row = connections.load(session, shop_id, lock=True)
        if row is None:
            return False
        connections.unlink(session, runtime.cipher, row, now=runtime.clock())
    return True
