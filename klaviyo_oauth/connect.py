"""The routes with which a merchant links Klaviyo and ends the link again. They decide nothing: each calls one function and answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests
from flask import Blueprint, Response, jsonify, redirect, request
from redis import Redis

from klaviyo_oauth import authorization, connections, farewells, private_key
from klaviyo_oauth.authorization import CONNECTED, TAKEN
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.disconnecting import disconnect
from klaviyo_oauth.goodbye import JOB as SAY_GOODBYE
from klaviyo_oauth.limits import Limiter
from loyalty.runtime import Runtime

_NOTHING_LOADED = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_STRANGE = (
    "This link is not one of ours, or it is old. Go back to the app in your Shopify admin and connect again."
)
_DISCONNECTED = "Klaviyo is disconnected: nothing is sent any more. Our webhook and our authorization are being removed there."


class Merchant(Protocol):
    """Who is at the page; the Shopify edge knows how to tell."""

    @property
    def shop_id(self) -> int: ...

    @property
    def user_id(self) -> str: ...


M = TypeVar("M", bound=Merchant)


def create_blueprint(
    runtime: Runtime,
    config: KlaviyoConfig,
    require_merchant: Callable[[], M],
    redis: Redis,
    *,
    admin_address: Callable[[M], str],
    page_address: Callable[[str], str],
    http: requests.Session | None = None,
) -> Blueprint:
    """The connect routes. ``require_merchant`` gives the merchant of the request or ends it; ``admin_address`` is the page of the
    embedded admin that the merchant comes back to, ``page_address`` the same page seen from inside, with an outcome to tell."""
    views = _Views(
        runtime,
        config,
        require_merchant,
        Limiter(redis),
        admin_address,
        page_address,
        http or requests.Session(),
    )
    blueprint = Blueprint("klaviyo_connect", __name__)
    blueprint.add_url_rule("/klaviyo/connect", "connect", views.connect, methods=["POST"])
    blueprint.add_url_rule("/klaviyo/callback", "callback", views.callback, methods=["GET"])
    blueprint.add_url_rule("/klaviyo/finish", "finish", views.finish, methods=["POST"])
    blueprint.add_url_rule("/klaviyo/key", "key", views.key, methods=["POST"])
    blueprint.add_url_rule("/klaviyo/disconnect", "disconnect", views.disconnect, methods=["POST"])
    return blueprint


@dataclass(frozen=True, slots=True)
class _Views(Generic[M]):
    runtime: Runtime
    config: KlaviyoConfig
    require_merchant: Callable[[], M]
    limiter: Limiter
    admin_address: Callable[[M], str]
    page_address: Callable[[str], str]
    http: requests.Session

    def connect(self) -> Response:
        merchant = self.require_merchant()
        if not self.config.offers_oauth:
            return _problem(
                409, "no_oauth", "This installation has no Klaviyo OAuth app. Use a private API key."
            )
        back = self.admin_address(merchant)
        url = authorization.begin(
            self.runtime, self.config, merchant.shop_id, user_id=merchant.user_id, return_to=back
        )
        return _uncached(jsonify(redirect=url))

    def callback(self) -> Response:
        """Anybody may come here, and gets nothing but the way into the admin."""
        found = authorization.arrive(
            self.runtime,
            request.args.get("state", ""),
            code=request.args.get("code"),
            refusal=request.args.get("error"),
        )
        if found is None:
            return _top_level(Response(_STRANGE, 400, content_type="text/plain; charset=utf-8"))
        if found.ticket is not None:
            return _top_level(redirect(with_query(found.return_to, klaviyo_ticket=found.ticket), 303))
        return _top_level(redirect(with_query(found.return_to, klaviyo=found.outcome or ""), 303))

    def finish(self) -> Response:
        """The person who began is back in the admin: now the connection is made."""
        merchant = self.require_merchant()
        given = request.get_json(silent=True)
        ticket = given.get("ticket") if isinstance(given, dict) else None
        if not isinstance(ticket, str):
            return _problem(422, "bad_ticket", "Send the ticket as text.")
        found = authorization.claim(self.runtime, ticket, shop_id=merchant.shop_id, user_id=merchant.user_id)
        if isinstance(found, str):
            return self._told(found)
        outcome = authorization.finish(self.runtime, self.config, self.http, found)
        authorization.close(self.runtime, found)
        if outcome == CONNECTED:
            self._welcome(found.shop_id)
        elif outcome == TAKEN:
            # The grant that this attempt made may be nobody's.
            self.runtime.nudge(SAY_GOODBYE, found.shop_id)
        return self._told(outcome)

    def _told(self, outcome: str) -> Response:
        return _uncached(jsonify(ok=True, state=outcome, redirect=self.page_address(outcome)))

    def key(self) -> Response:
        merchant = self.require_merchant()
        given = request.get_json(silent=True)
        text = given.get("key") if isinstance(given, dict) else None
        if not isinstance(text, str):
            return _problem(422, "bad_key", "Send the private API key as text.")
        try:
            private_key.connect(self.runtime, self.config, self.http, merchant.shop_id, text)
        except private_key.KeyRefused as refused:
            return _problem(422, refused.code, refused.message)
        self._welcome(merchant.shop_id)
        return _uncached(jsonify(state=CONNECTED))

    def disconnect(self) -> Response:
        merchant = self.require_merchant()
        disconnect(self.runtime, merchant.shop_id)
        self.runtime.nudge("drain_outbox", merchant.shop_id, "klaviyo")
        self.runtime.nudge(SAY_GOODBYE, merchant.shop_id)
        return _uncached(jsonify(state="disconnected", message=_DISCONNECTED))

    def _welcome(self, shop_id: int) -> None:
        """What waited may go now, and nothing of an outage before counts against the new link."""
        with self.runtime.transaction() as session:
            row = connections.load(session, shop_id)
            connections.release_waiting(session, shop_id, now=self.runtime.clock())
            is_leaving = farewells.next_due(session, shop_id) is not None
        if row is not None and row.account_id is not None:
            self.limiter.resume(row.account_id)
        self.runtime.nudge("check_klaviyo", shop_id)
        self.runtime.nudge("drain_outbox", shop_id, "klaviyo")
        self.runtime.nudge("poll_reviews", shop_id)
        if is_leaving:
            # Another account, or the same one by another road: what was there before is told.
            self.runtime.nudge(SAY_GOODBYE, shop_id)


def with_query(address: str, **named: str) -> str:
    """The address to go back to, with what came of the attempt, or the ticket to go on with."""
    parts = urlsplit(address)
    old = parse_qsl(parts.query, keep_blank_values=True)
    kept = [pair for pair in old if pair[0] not in ("klaviyo", "klaviyo_ticket")]
    return urlunsplit(parts._replace(query=urlencode([*kept, *named.items()])))


def _problem(status: int, code: str, message: str) -> Response:
    response = _uncached(jsonify(error=code, message=message))
    response.status_code = status
    return response


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _top_level(response: Any) -> Response:
    """A page outside the admin: it loads nothing, can be framed by nobody and tells no one where it came from."""
    response.headers["Content-Security-Policy"] = _NOTHING_LOADED
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    checked: Response = response
    return checked
