"""Tells Klaviyo that a link has ended: removes the webhook, then gives the grant back, which uninstalls the app there.

It works from a row that was written when the link ended here, in a job, as often as it takes within a day. Both acts may be repeated, so
it may be killed at any line. What a link of today uses, it leaves alone.
"""

import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import requests
import structlog
from redis import Redis

from klaviyo_oauth import farewells, oauth
from klaviyo_oauth.client import Client
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.limits import Limiter
from klaviyo_oauth.webhook_removal import TIMEOUT, Farewell, Later, Means, WebhookRemoval
from loyalty import leases
from loyalty.encryption import SealBroken
from loyalty.runtime import Runtime

JOB = "say_goodbye_to_klaviyo"
# Secrets of an ended link are not kept for longer than this, whatever Klaviyo does.
GIVE_UP_AFTER = timedelta(days=1)
_SHORTEST_WAIT = 1.0
_FIRST_WAIT = 15.0
_LONGEST_WAIT = 3_600.0
_WHILE_CONNECTING = 60.0
# Longer than all requests of one farewell together may take.
_LEASE_SECONDS = 240

log = structlog.get_logger(__name__)


def say_goodbye(
    runtime: Runtime,
    config: KlaviyoConfig,
    redis: Redis,
    shop_id: int,
    *,
    http: requests.Session | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> float | None:
    """Say what is due for a shop. Returns the seconds after which to come back, or None when nothing is left to say."""
    means = Means(runtime, config, Client(config, http or requests.Session()), Limiter(redis), sleep)
    holder, name = uuid.uuid4().hex, f"{JOB}:{shop_id}"
    with runtime.reading() as session:
        ids = farewells.due(session, shop_id, now=runtime.clock())
    try:
        for farewell_id in ids:
            with runtime.transaction() as session:
                now = runtime.clock()
                if not leases.acquire(session, name, holder=holder, seconds=_LEASE_SECONDS, now=now):
                    return leases.remaining(session, name, now=now) + 0.1
            _Goodbye(means, farewell_id).say()
    finally:
        with runtime.transaction() as session:
            leases.release(session, name, holder=holder)
    with runtime.reading() as session:
        due_at = farewells.next_due(session, shop_id)
    return None if due_at is None else max((due_at - runtime.clock()).total_seconds(), 0.05)


class _Goodbye:
    """One farewell."""

    def __init__(self, means: Means, farewell_id: int) -> None:
        self._means = means
        self._id = farewell_id

    def say(self) -> None:
        """Say it and remove the row, or write down when to try again."""
        try:
            farewell = self._open()
            if farewell is not None:
                WebhookRemoval(self._means, farewell).remove()
                self._give_back()
        except Later as later:
            self._postpone(later)
        except SealBroken:
            # A key that the operator took away can be given back within the day.
            self._postpone(Later("sealed_tokens_cannot_be_opened"))
        else:
            self._forget()

    def _open(self) -> Farewell | None:
        with self._means.runtime.reading() as session:
            row = farewells.load(session, self._id)
            if row is None:
                return None
            cipher, place = self._means.runtime.cipher, farewells.seal_row(row)
            return Farewell(
                id=self._id,
                account_id=row.account_id,
                road=row.road,
                webhook_id=row.webhook_id,
                webhook_name=row.webhook_name,
                access=cipher.open(row.access_token, row=place) if row.access_token else None,
                refresh=cipher.open(row.refresh_token, row=place) if row.refresh_token else None,
            )

    # -- the grant ---------------------------------------------------------------------------------

    def _give_back(self) -> None:
        """Revoke the refresh token, unless the grant has become another link's (then the row has none any more).

        A link that is made while the request is on its way can still lose its grant to it. That is noticed with its first call, which
        comes at once, and the merchant is asked to connect again; no message is lost by it.
        """
        with self._means.runtime.transaction() as session:
            row = farewells.load(session, self._id, lock=True)
            if row is None or row.refresh_token is None or not self._means.config.offers_oauth:
                return
            if farewells.is_connecting(session, row.shop_id, now=self._means.runtime.clock()):
                raise Later("connecting", _WHILE_CONNECTING)
            refresh = self._means.runtime.cipher.open(row.refresh_token, row=farewells.seal_row(row))
        status = oauth.revoke(self._means.config, refresh, timeout=TIMEOUT)
        # 401 is about our own client id and secret, which an operator can set right; 400 says that there is nothing to revoke.
        if status is None or status >= 500 or status in (401, 403, 429):
            raise Later("revocation failed")

    # -- the row -----------------------------------------------------------------------------------

    def _forget(self) -> None:
        with self._means.runtime.transaction() as session:
            row = farewells.load(session, self._id, lock=True)
            if row is not None:
                session.delete(row)

    def _postpone(self, later: Later) -> None:
        with self._means.runtime.transaction() as session:
            row = farewells.load(session, self._id, lock=True)
            if row is None:
                return
            now = self._means.runtime.clock()
            if now - row.created_at >= GIVE_UP_AFTER:
                log.warning("klaviyo was not told that a link ended", shop=row.shop_id, reason=later.reason)
                session.delete(row)
                return
            growing = min(_FIRST_WAIT * 2 ** min(row.attempts, 16), _LONGEST_WAIT)
            row.attempts += 1
            seconds = (
                growing if later.seconds is None else min(max(later.seconds, _SHORTEST_WAIT), _LONGEST_WAIT)
            )
            row.due_at = now + timedelta(seconds=seconds)
