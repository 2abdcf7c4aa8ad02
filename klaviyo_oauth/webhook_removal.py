"""Removes the webhook of a link that has ended, with whatever Klaviyo still knows us by."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from klaviyo_oauth import connections, farewells, oauth, tokens
from klaviyo_oauth.answers import NoReply, Reply
from klaviyo_oauth.client import Client
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.gateway import PATIENCE
from klaviyo_oauth.limits import Limiter
from klaviyo_oauth.oauth import GrantDead, Tokens
from klaviyo_oauth.tokens import Credentials
from loyalty.runtime import Runtime

TIMEOUT = (5.0, 15.0)


class Later(Exception):
    """Not now. ``seconds`` is when to try again, if Klaviyo said so; otherwise the waits grow."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Farewell:
    """A row, opened."""

    id: int
    account_id: str
    road: str
    webhook_id: str | None
    webhook_name: str | None
    access: str | None = field(repr=False)
    refresh: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Means:
    """What a farewell is said with. ``sleep`` waits for the turn of a request."""

    runtime: Runtime
    config: KlaviyoConfig
    client: Client
    limiter: Limiter
    sleep: Callable[[float], None]


class WebhookRemoval:
    """The removal of one farewell's webhook. Raises ``Later``."""

    def __init__(self, means: Means, farewell: Farewell) -> None:
        self._means = means
        self._farewell = farewell

    def remove(self) -> None:
        """Delete it. What Klaviyo does not let us delete is left: deliveries to the forgotten address are answered 404, and Klaviyo
        gives up on them."""
        if self._farewell.webhook_id is None and self._farewell.webhook_name is None:
            return
        for authorization in self._authorizations():
            if self._delete(authorization) != 401:
                break
        with self._means.runtime.transaction() as session:
            row = farewells.load(session, self._farewell.id, lock=True)
            if row is not None:
                row.webhook_id = row.webhook_name = None

    def _authorizations(self) -> Iterator[str]:
        """What to speak with, one after the other until Klaviyo knows it: the link's own token, a renewed one, and that of the link
        which has the account now."""
        if self._farewell.access is not None:
            yield connections.authorization(self._farewell.road, self._farewell.access)
        renewed = self._renew()
        if renewed is not None:
            yield connections.authorization(self._farewell.road, renewed)
        with self._means.runtime.reading() as session:
            owner = connections.owner_of(session, self._farewell.account_id)
        held = (
            tokens.credentials(self._means.runtime, self._means.config, owner.shop_id)
            if owner is not None
            else None
        )
        if isinstance(held, Credentials):
            yield held.authorization

    def _renew(self) -> str | None:
        if self._farewell.refresh is None or not self._means.config.offers_oauth:
            return None
        answer = oauth.refresh(self._means.config, self._farewell.refresh)
        with self._means.runtime.transaction() as session:
            row = farewells.load(session, self._farewell.id, lock=True)
            match answer:
                case Tokens():
                    if row is not None:
                        farewells.keep_tokens(row, self._means.runtime.cipher, answer)
                    return answer.access
                case GrantDead():
                    if row is not None:
                        row.refresh_token = None
                    return None
        raise Later(answer.reason)

    def _delete(self, authorization: str) -> int:
        webhook_id = self._farewell.webhook_id
        if webhook_id is None:
            found = self._ask(authorization, "GET webhooks", "/api/webhooks")
            if not found.ok:
                return found.status
            webhook_id = _named(found, self._farewell.webhook_name)
            if webhook_id is None:
                return 404
        with self._means.runtime.reading() as session:
            if farewells.is_in_use(session, webhook_id):
                return 404
        return self._ask(authorization, "DELETE webhooks", f"/api/webhooks/{webhook_id}").status

    def _ask(self, authorization: str, endpoint: str, path: str) -> Reply:
        while wait := self._means.limiter.acquire(self._farewell.account_id, endpoint):
            if wait > PATIENCE:
                raise Later("rate_limit", wait)
            # One call a second is allowed, and a token that was no good has used it up.
            self._means.sleep(wait)
        method = endpoint.partition(" ")[0]
        answer = self._means.client.send(authorization, method, path, timeout=TIMEOUT)
        if isinstance(answer, NoReply):
            raise Later(answer.reason)
        if answer.status == 429:
            raise Later("rate_limit", answer.retry_after)
        if answer.status >= 500:
            raise Later(answer.reason)
        return answer


def _named(found: Reply, name: str | None) -> str | None:
    for entry in found.data if isinstance(found.data, list) else ():
        attributes = entry.get("attributes") if isinstance(entry, Mapping) else None
        if isinstance(attributes, Mapping) and attributes.get("name") == name:
            return str(entry.get("id"))
    return None
