"""Speaks to a shop's Admin API: one document in, data and error codes out.

It waits when Shopify asks to wait (if that is not for long), renews a refused token once, and repeats only what may be repeated.
What Shopify answers never becomes part of an error, because it may quote what we sent.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from loyalty.runtime import Runtime
from shopify_app import tokens
from shopify_app.config import ShopifyConfig
from shopify_app.errors import (
    AccessDenied,
    NeedsReauthorization,
    RequestInvalid,
    ShopUnavailable,
    Throttled,
    Unreachable,
)
from shopify_app.token_endpoint import retry_after
from shopify_app.tokens import Access

TIMEOUT = (3.05, 10)
LONGEST_WAIT = 5.0
_TRIES = 3
_UNAVAILABLE = frozenset({402, 403, 404, 423})
_FAILED = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT"})
ACCESS_DENIED = "ACCESS_DENIED"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``errors`` are the codes of what could not be answered; ``data`` then holds the rest."""

    data: Mapping[str, Any] = field(repr=False)
    errors: tuple[str, ...] = ()
    available: float | None = None


class AdminClient:
    """One shop's Admin API over a shared connection pool. Raises the family of ``shopify_app.errors``."""

    def __init__(
        self,
        runtime: Runtime,
        config: ShopifyConfig,
        shop_id: int,
        session: requests.Session,
        *,
        sleep: Callable[[float], None] = time.sleep,
        longest_wait: float = LONGEST_WAIT,
    ) -> None:
        self._runtime = runtime
        self._config = config
        self._shop_id = shop_id
        self._session = session
        self._sleep = sleep
        self._longest_wait = longest_wait

    def query(self, document: str, variables: Mapping[str, Any] | None = None) -> Answer:
        """Run a query; it is repeated when the answer is lost."""
        return self._run(document, variables or {}, repeatable=True)

    def mutate(self, document: str, variables: Mapping[str, Any], *, idempotent: bool) -> Answer:
        """Run a mutation; it is repeated after a lost answer only when that does no harm."""
        return self._run(document, variables, repeatable=idempotent)

    def _run(self, document: str, variables: Mapping[str, Any], *, repeatable: bool) -> Answer:
        access = self._access()
        renewed = False
        waited = 0.0
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                return self._post(access, document, variables)
            except NeedsReauthorization:
                if renewed:
                    tokens.give_up(self._runtime, self._shop_id, access.token)
                    raise
                access, renewed = self._access(not_this=access.token), True
            except Throttled as error:
                # A throttled request was not carried out, so even what may not be repeated may be asked again.
                if last or waited + error.seconds > self._longest_wait:
                    raise
                waited += error.seconds
                self._sleep(error.seconds)
            except Unreachable:
                if last or not repeatable:
                    raise
                self._sleep(0.25 * 2**attempt)
        raise Unreachable("too_many_tries")

    def _access(self, *, not_this: str | None = None) -> Access:
        return tokens.access(
            self._runtime,
            self._config,
            self._shop_id,
            session=self._session,
            not_this=not_this,
            sleep=self._sleep,
        )

    def _post(self, access: Access, document: str, variables: Mapping[str, Any]) -> Answer:
        try:
            response = self._session.post(
                self._config.graphql_endpoint(access.domain),
                json={"query": document, "variables": variables},
                headers={"X-Shopify-Access-Token": access.token, "Accept": "application/json"},
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Unreachable(type(error).__name__) from None
        if response.status_code != 200:
            raise _refusal(response)
        try:
            return _answer(response.json())
        except (ValueError, TypeError, AttributeError):
            raise Unreachable("unreadable_answer", status=200) from None


def _refusal(response: requests.Response) -> Exception:
    status = response.status_code
    if status == 401:
        return NeedsReauthorization("token_refused", status=status)
    if status in (429, 430):
        return Throttled(retry_after(response, 1.0), status=status)
    if status in _UNAVAILABLE:
        return ShopUnavailable("shop_unavailable", status=status)
    if status >= 500:
        return Unreachable("server_error", status=status)
    return RequestInvalid("not_understood", status=status)


def _answer(body: Mapping[str, Any]) -> Answer:
    codes = tuple(_code(error) for error in body.get("errors") or ())
    cost = (body.get("extensions") or {}).get("cost") or {}
    status = cost.get("throttleStatus") or {}
    if "THROTTLED" in codes:
        raise Throttled(_throttle_wait(cost, status), status=200)
    if "SHOP_INACTIVE" in codes:
        raise ShopUnavailable("shop_inactive", status=200)
    data = body.get("data")
    # Of what failed on the way the rest of an answer says that it is not there: an order without refunds, a product that is gone.
    if _FAILED & set(codes) or not (codes or isinstance(data, Mapping)):
        raise Unreachable("server_error", status=200)
    if not isinstance(data, Mapping):
        error = AccessDenied if ACCESS_DENIED in codes else RequestInvalid
        raise error(",".join(sorted(set(codes))), status=200)
    return Answer(data, codes, status.get("currentlyAvailable"))


def _code(error: Any) -> str:
    extensions = error.get("extensions") if isinstance(error, Mapping) else None
    code = extensions.get("code") if isinstance(extensions, Mapping) else None
    return code if isinstance(code, str) and code.isascii() and len(code) <= 60 else "UNSPECIFIED"


def _throttle_wait(cost: Mapping[str, Any], status: Mapping[str, Any]) -> float:
    """How long until the bucket holds what the query asks for."""
    try:
        missing = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        return max(missing / float(status["restoreRate"]), 0.1)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return 1.0
