"""Tells Klaviyo that a link has ended: removes the webhook, then gives the grant back, which uninstalls the app there.

It works from a row that was written when the link ended here, in a job, as often as it takes within a day. Both acts may be repeated, so
it may be killed at any line. What a link of today uses, it leaves alone.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import requests
import structlog
from redis import Redis

from klaviyo_oauth import connections, farewells, oauth, tokens
from klaviyo_oauth.answers import NoReply, Reply
from klaviyo_oauth.client import Client
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.gateway import PATIENCE
from klaviyo_oauth.limits import Limiter
from klaviyo_oauth.oauth import GrantDead, Tokens
from klaviyo_oauth.tokens import Credentials
from loyalty import leases
from loyalty.encryption import SealBroken
from loyalty.runtime import Runtime

JOB = "say_goodbye_to_klaviyo"
# Secrets of an ended link are not kept for longer than this, whatever Klaviyo does.
GIVE_UP_AFTER = timedelta(days=1)
_FIRST_WAIT = 15.0
_LONGEST_WAIT = 3_600.0
_WHILE_CONNECTING = 60.0
# Longer than all requests of one farewell together may take.
_LEASE_SECONDS = 240
_TIMEOUT = (5.0, 15.0)

log = structlog.get_logger(__name__)


class _Later(Exception):
    """Not now. ``seconds`` is when to try again, if Klaviyo said so; otherwise the waits grow."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class _Farewell:
    """A row, opened."""

    id: int
    shop_id: int
    account_id: str
    road: str
    webhook_id: str | None
    webhook_name: str | None
    attempts: int
    created_at: datetime
    access: str | None = field(repr=False)
    refresh: str | None = field(repr=False)


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
    client, limiter = Client(config, http or requests.Session()), Limiter(redis)
    holder, name = uuid.uuid4().hex, f"{JOB}:{shop_id}"
    with runtime.reading() as session:
        ids = farewells.due(session, shop_id, now=runtime.clock())
    try:
        for farewell_id in ids:
            with runtime.transaction() as session:
                now = runtime.clock()
                if not leases.acquire(session, name, holder=holder, seconds=_LEASE_SECONDS, now=now):
                    return leases.remaining(session, name, now=now) + 0.1
            _Goodbye(runtime, config, client, limiter, sleep, farewell_id).say()
    finally:
        with runtime.transaction() as session:
            leases.release(session, name, holder=holder)
    with runtime.reading() as session:
        due_at = farewells.next_due(session, shop_id)
    return None if due_at is None else max((due_at - runtime.clock()).total_seconds(), 0.05)


class _Goodbye:
    """One farewell."""

    def __init__(
        self,
        runtime: Runtime,
        config: KlaviyoConfig,
        client: Client,
        limiter: Limiter,
        sleep: Callable[[float], None],
        farewell_id: int,
    ) -> None:
        self._runtime = runtime
        self._config = config
        self._client = client
        self._limiter = limiter
        self._sleep = sleep
        self._id = farewell_id

    def say(self) -> None:
        """Say it and remove the row, or write down when to try again."""
        try:
            farewell = self._open()
            if farewell is not None:
                self._remove_webhook(farewell)
                self._give_back()
        except _Later as later:
            self._postpone(later)
        except SealBroken:
            # A key that the operator took away can be given back within the day.
            self._postpone(_Later("sealed_tokens_cannot_be_opened"))
        else:
            self._forget()

    def _open(self) -> _Farewell | None:
        with self._runtime.reading() as session:
            row = farewells.load(session, self._id)
            if row is None:
                return None
            cipher, place = self._runtime.cipher, farewells.seal_row(row)
            return _Farewell(
                id=self._id,
                shop_id=row.shop_id,
                account_id=row.account_id,
                road=row.road,
                webhook_id=row.webhook_id,
                webhook_name=row.webhook_name,
                attempts=row.attempts,
                created_at=row.created_at,
                access=cipher.open(row.access_token, row=place) if row.access_token else None,
                refresh=cipher.open(row.refresh_token, row=place) if row.refresh_token else None,
            )

    # -- the webhook -------------------------------------------------------------------------------

    def _remove_webhook(self, farewell: _Farewell) -> None:
        """Delete it. What Klaviyo does not let us delete is left: deliveries to the forgotten address are answered 404, and Klaviyo
        gives up on them."""
        if farewell.webhook_id is None and farewell.webhook_name is None:
            return
        for authorization in self._authorizations(farewell):
            if self._delete_webhook(farewell, authorization) != 401:
                break
        with self._runtime.transaction() as session:
            row = farewells.load(session, self._id, lock=True)
            if row is not None:
                row.webhook_id = row.webhook_name = None

    def _authorizations(self, farewell: _Farewell) -> Iterator[str]:
        """What to speak with, one after the other until Klaviyo knows it: the link's own token, a renewed one, and that of the link
        which has the account now."""
        if farewell.access is not None:
            yield connections.authorization(farewell.road, farewell.access)
        renewed = self._renew(farewell)
        if renewed is not None:
            yield connections.authorization(farewell.road, renewed)
        with self._runtime.reading() as session:
            owner = connections.owner_of(session, farewell.account_id)
        held = tokens.credentials(self._runtime, self._config, owner.shop_id) if owner is not None else None
        if isinstance(held, Credentials):
            yield held.authorization

    def _renew(self, farewell: _Farewell) -> str | None:
        if farewell.refresh is None or not self._config.offers_oauth:
            return None
        answer = oauth.refresh(self._config, farewell.refresh)
        with self._runtime.transaction() as session:
            row = farewells.load(session, self._id, lock=True)
            match answer:
                case Tokens():
                    if row is not None:
                        farewells.keep_tokens(row, self._runtime.cipher, answer)
                    return answer.access
                case GrantDead():
                    if row is not None:
                        row.refresh_token = None
                    return None
        raise _Later(answer.reason)

    def _delete_webhook(self, farewell: _Farewell, authorization: str) -> int:
        webhook_id = farewell.webhook_id
        if webhook_id is None:
            found = self._ask(farewell, authorization, "GET webhooks", "/api/webhooks")
            if not found.ok:
                return found.status
            webhook_id = _named(found, farewell.webhook_name)
            if webhook_id is None:
                return 404
        with self._runtime.reading() as session:
            if farewells.is_in_use(session, webhook_id):
                return 404
        return self._ask(farewell, authorization, "DELETE webhooks", f"/api/webhooks/{webhook_id}").status

    def _ask(self, farewell: _Farewell, authorization: str, endpoint: str, path: str) -> Reply:
        while wait := self._limiter.acquire(farewell.account_id, endpoint):
            if wait > PATIENCE:
                raise _Later("rate_limit", wait)
            # One call a second is allowed, and a token that was no good has used it up.
            self._sleep(wait)
        method = endpoint.partition(" ")[0]
        answer = self._client.send(authorization, method, path, timeout=_TIMEOUT)
        if isinstance(answer, NoReply):
            raise _Later(answer.reason)
        if answer.status == 429:
            raise _Later("rate_limit", answer.retry_after)
        if answer.status >= 500:
            raise _Later(answer.reason)
        return answer

    # -- the grant ---------------------------------------------------------------------------------

    def _give_back(self) -> None:
        """Revoke the refresh token, unless the grant has become another link's (then the row has none any more).

        A link that is made while the request is on its way can still lose its grant to it. That is noticed with its first call, which
        comes at once, and the merchant is asked to connect again; no message is lost by it.
        """
        with self._runtime.transaction() as session:
            row = farewells.load(session, self._id, lock=True)
            if row is None or row.refresh_token is None or not self._config.offers_oauth:
                return
            if farewells.is_connecting(session, row.shop_id, now=self._runtime.clock()):
                raise _Later("connecting", _WHILE_CONNECTING)
            refresh = self._runtime.cipher.open(row.refresh_token, row=farewells.seal_row(row))
        status = oauth.revoke(self._config, refresh, timeout=_TIMEOUT)
        # 401 is about our own client id and secret, which an operator can set right; 400 says that there is nothing to revoke.
        if status is None or status >= 500 or status in (401, 403, 429):
            raise _Later("revocation failed")

    # -- the row -----------------------------------------------------------------------------------

    def _forget(self) -> None:
        with self._runtime.transaction() as session:
            row = farewells.load(session, self._id, lock=True)
            if row is not None:
                session.delete(row)

    def _postpone(self, later: _Later) -> None:
        with self._runtime.transaction() as session:
            row = farewells.load(session, self._id, lock=True)
            if row is None:
                return
            now = self._runtime.clock()
            if now - row.created_at >= GIVE_UP_AFTER:
                log.warning("klaviyo was not told that a link ended", shop=row.shop_id, reason=later.reason)
                session.delete(row)
                return
            growing = min(_FIRST_WAIT * 2 ** min(row.attempts, 16), _LONGEST_WAIT)
            row.attempts += 1
            seconds = growing if later.seconds is None else min(max(later.seconds, 0.05), _LONGEST_WAIT)
            row.due_at = now + timedelta(seconds=seconds)


def _named(found: Reply, name: str | None) -> str | None:
    for entry in found.data if isinstance(found.data, list) else ():
        attributes = entry.get("attributes") if isinstance(entry, Mapping) else None
        if isinstance(attributes, Mapping) and attributes.get("name") == name:
            return str(entry.get("id"))
    return None
