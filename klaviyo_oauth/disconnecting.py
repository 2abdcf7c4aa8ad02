"""Ends a shop's link: at once on our side, and as far as Klaviyo answers also on theirs."""

import requests

from klaviyo_oauth import connections, oauth
from klaviyo_oauth.client import Client
from klaviyo_oauth.config import KlaviyoConfig
from loyalty.encryption import SealBroken
from loyalty.models import KlaviyoConnection
from loyalty.runtime import Runtime

# The merchant waits for this page: what Klaviyo does not do in a few seconds is left undone there.
_BOUNDED = (2.0, 4.0)


def disconnect(runtime: Runtime, config: KlaviyoConfig, http: requests.Session, shop_id: int) -> bool:
    """Forget tokens and webhook, then delete the webhook and revoke the grant at Klaviyo. False when there was no link."""
    with runtime.transaction() as session:
        row = connections.load(session, shop_id, lock=True)
        if row is None:
            return False
        webhook_id, road = row.webhook_id, row.road
        access = _opened(runtime, row, row.api_key if road == connections.PRIVATE_KEY else row.access_token)
        refresh = _opened(runtime, row, row.refresh_token)
        connections.unlink(row, now=runtime.clock())
    if access is not None and webhook_id is not None:
        scheme = "Klaviyo-API-Key" if road == connections.PRIVATE_KEY else "Bearer"
        path = f"/api/webhooks/{webhook_id}"
        # Whatever the answer: deliveries to a forgotten address are answered 404, and Klaviyo gives up on them.
        Client(config, http).send(f"{scheme} {access}", "DELETE", path, timeout=_BOUNDED)
    if refresh is not None and config.offers_oauth:
        oauth.revoke(config, refresh, timeout=_BOUNDED)
    return True


def _opened(runtime: Runtime, row: KlaviyoConnection, sealed: str | None) -> str | None:
    if sealed is None:
        return None
    try:
        return runtime.cipher.open(sealed, row=connections.seal_row(row.shop_id))
    except SealBroken:
        return None
