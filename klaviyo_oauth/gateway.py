"""Calls to Klaviyo on behalf of a shop: the right token, our turn under the limits, one refresh on a 401, peace during an outage.

Everything that talks to Klaviyo's API after the link was made goes through here. No caller may hold a transaction open.
"""

import time
from collections.abc import Callable, Mapping
from random import random
from typing import Any

import requests
from redis import Redis

from klaviyo_oauth import tokens
from klaviyo_oauth.answers import Answer, NoReply, NotConnected, Reply, Trouble, Wait
from klaviyo_oauth.client import Client
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.limits import EVERYWHERE, Limiter
from klaviyo_oauth.outage import Outage
from klaviyo_oauth.tokens import Credentials
from loyalty.runtime import Runtime

_AWAY = frozenset((502, 503, 504))
_UNSAID_RETRY_AFTER = 1.0
_AFTER_SECOND_401 = 60.0
# A turn that comes this soon is waited for here: giving the work back and taking it up again would take longer.
PATIENCE = 1.5


class Gateway:
    """One process's way to Klaviyo."""

    def __init__(
        self,
        runtime: Runtime,
        config: KlaviyoConfig,
        redis: Redis,
        http: requests.Session,
        *,
        jitter: Callable[[], float] = random,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._runtime = runtime
        self._config = config
        self._client = Client(config, http)
        self._limiter = Limiter(redis)
        self._outage = Outage(redis, jitter)
        self._sleep = sleep

    def call(
        self,
        shop_id: int,
        endpoint: str,
        path: str,
        *,
        json_body: Mapping[str, Any] | None = None,
        raw_body: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Answer:
        """One call of ``endpoint`` (a key of ``limits.QUOTAS``). Never raises for Klaviyo, the network or Redis."""
        held = tokens.credentials(self._runtime, self._config, shop_id)
        if not isinstance(held, Credentials):
            return held

        def send(who: Credentials) -> Answer:
            wait = self._turn(who.account_id, endpoint)
            if wait:
                return Wait(wait, "rate_limit")
            method = endpoint.partition(" ")[0]
            found = self._client.send(
                who.authorization, method, path, json_body=json_body, raw_body=raw_body, params=params
            )
            return self._judge(who, endpoint, found)

        answer = send(held)
        if not isinstance(answer, Reply) or answer.status != 401:
            return answer
        renewed = tokens.credentials(self._runtime, self._config, shop_id, stale=held.authorization)
        if not isinstance(renewed, Credentials):
            return renewed
        answer = send(renewed)
        if isinstance(answer, Reply) and answer.status == 401:
            return Wait(_AFTER_SECOND_401, "unauthorized")
        return answer

    def account_of(self, shop_id: int) -> Credentials | Wait | NotConnected:
        """Whom calls for the shop would speak for."""
        return tokens.credentials(self._runtime, self._config, shop_id)

    def step_back(self, shop_id: int) -> float:
        """Klaviyo keeps answering 500: leave the account in peace. Returns for how many seconds."""
        held = self.account_of(shop_id)
        return self._pause(held.account_id, None) if isinstance(held, Credentials) else 1.0

    def _turn(self, account: str, endpoint: str) -> float:
        """0.0 when it is our turn, else how long it is until then; short waits are over when this returns."""
        patience = PATIENCE
        while wait := self._limiter.acquire(account, endpoint):
            if wait > patience:
                return wait
            patience -= wait
            self._sleep(wait)
        return 0.0

    def _judge(self, who: Credentials, endpoint: str, found: Reply | NoReply) -> Answer:
        account = who.account_id
        if isinstance(found, NoReply):
            return Trouble(self._pause(account, None), found.reason)
        if found.status == 429:
            # A zero is no wait at all, and asking again at once is refused again at once.
            seconds = max(found.retry_after or 0.0, _UNSAID_RETRY_AFTER)
            self._limiter.pause(account, endpoint, seconds)
            return Wait(seconds, "rate_limit")
        if found.status in _AWAY:
            return Trouble(self._pause(account, found.retry_after), found.reason, found.status)
        if found.status < 500:
            self._outage.over(account)
            if who.doubted and found.status != 401:
                tokens.trust(self._runtime, who)
        return found

    def _pause(self, account: str, asked: float | None) -> float:
        seconds = max(self._outage.worse(account), asked or 0.0)
        self._limiter.pause(account, EVERYWHERE, seconds)
        return seconds
