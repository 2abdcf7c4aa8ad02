"""The merchant's Klaviyo pages: connect, status, sync, the log of everything that was sent, and reviews.

The frame around the pages and the proof of who is looking come from the Shopify edge, handed in by the roots as ``AdminPages``.
"""

import json
import re
from typing import Any, Protocol

from flask import Blueprint, jsonify, request
from flask.wrappers import Response
from sqlmodel import Session

from klaviyo_oauth import connections, log_filter, sampling, status, sync, wording
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.dialects import OURS, Choice
from klaviyo_oauth.dialects.dialect import NUMBER
from klaviyo_oauth.payloads import Teller
from klaviyo_oauth.standing import shop_view
from loyalty import outbox
from loyalty.core.news import EARNED
from loyalty.delivery import Message
from loyalty.models import KlaviyoConnection, OutboxMessage, Shop
from loyalty.runtime import Runtime
from loyalty.statement import events, reviews
from loyalty.statement import runs as run_statement
from loyalty.statement.keyset import Page, parse_cursor

# One press sends at most this many again; what is left is sent with the next.
_MOST_RETRIED = 10_000

_TICKET = re.compile(r"[0-9a-f]{64}\.[A-Za-z0-9_-]{20,100}")

_NOT_EARNING = {
    "waiting_for_member": "Waits until somebody with this e-mail address has an account in your store.",
    "no_email": "The review has no e-mail address, so nobody can be found for it.",
    "rule_off": "Points for reviews were switched off when it came.",
    "out_of_bounds": "The limit, the dates or the tiers of the rules leave it out.",
    "not_verified": "Klaviyo has not verified that the author bought the product.",
    "not_a_product_review": "Only reviews and ratings of products earn, not questions or reviews of the store.",
    "rejected": "You rejected this review in Klaviyo.",
}


class Merchant(Protocol):
    """Who is looking."""

    @property
    def shop_id(self) -> int: ...


class AdminPages(Protocol):
    """What the Shopify edge offers to pages of the admin."""

    def let_in(self) -> None: ...

    def merchant(self) -> Merchant: ...

    def shop(self, session: Session) -> Shop: ...

    def render(self, template: str, shop: Shop, /, *, status: int = 200, **values: Any) -> Response: ...

    def missing(self, shop: Shop, what: str, *, back: str) -> Response: ...

    def link(self, path: str, **query: object) -> str: ...


def create_blueprint(runtime: Runtime, config: KlaviyoConfig, pages: AdminPages) -> Blueprint:
    """The Klaviyo pages. Connecting and disconnecting themselves are in ``klaviyo_oauth.connect``."""
    blueprint = Blueprint("klaviyo_pages", __name__)
    blueprint.before_request(pages.let_in)
    views = _Views(runtime, config, pages)
    add = blueprint.add_url_rule
    add("/klaviyo", "status", views.status)
    add("/klaviyo/sync", "sync", views.sync, methods=["POST"])
    add("/klaviyo/reset", "reset", views.reset, methods=["POST"])
    add("/klaviyo/events", "events", views.events)
    add("/klaviyo/events/retry", "retry_all", views.retry_all, methods=["POST"])
    add("/klaviyo/events/<int:message_id>", "event", views.event)
    add("/klaviyo/events/<int:message_id>/retry", "retry", views.retry, methods=["POST"])
    add("/klaviyo/reviews", "reviews", views.reviews)
    return blueprint


class _Views:
    def __init__(self, runtime: Runtime, config: KlaviyoConfig, pages: AdminPages) -> None:
        self.runtime = runtime
        self.config = config
        self.pages = pages

    def status(self) -> Response:
        now = self.runtime.clock()
        with self.runtime.reading() as session:
            shop = self.pages.shop(session)
            found = run_statement.latest(session, _id(shop), (sync.KIND,), now=now, limit=5)
            connection = connections.load(session, _id(shop))
            choice = connections.choice_of(connection)
            return self.pages.render(
                "klaviyo/status.html",
                shop,
                health=status.status(session, _id(shop), now=now),
                connected=_is_connected(connection),
                offers_oauth=self.config.offers_oauth,
                metrics=choice.metrics,
                properties=choice.properties,
                balance=_balance_name(choice),
                points_key=_points_key(choice),
                most_counted=status.MOST_COUNTED,
                sync=next((run for run in found if run.is_open), None),
                syncs=[run for run in found if not run.is_open],
                troubled=_is_troubled(session, shop),
                in_words=wording.reason,
                ticket=_ticket(request.args.get("klaviyo_ticket", "")),
                **_outcome(request.args.get("klaviyo", "")),
            )

    def sync(self) -> Response | tuple[Response, int]:
        return self._begin_sync("The sync has begun")

    def reset(self) -> Response | tuple[Response, int]:
        """Everything from the beginning: all profiles again, and what Klaviyo shall tell us is set up and looked up again."""
        answer = self._begin_sync("Everything is being synced again")
        if isinstance(answer, Response):
            shop_id = self.pages.merchant().shop_id
            self.runtime.nudge("check_klaviyo", shop_id)
            self.runtime.nudge("poll_reviews", shop_id)
        return answer

    def _begin_sync(self, told: str) -> Response | tuple[Response, int]:
        with self.runtime.transaction() as session:
            shop_id = _id(self.pages.shop(session))
            if not _is_connected(connections.load(session, shop_id)):
                return _refused("Connect Klaviyo first.")
            run_id = sync.start_sync(session, shop_id, now=self.runtime.clock()).id
        assert run_id is not None
        self.runtime.nudge("advance_run", run_id)
        return jsonify({"ok": True, "message": told, "redirect": self.pages.link("/klaviyo")})

    def events(self) -> Response:
        asked = log_filter.read(request.args)
        with self.runtime.reading() as session:
            shop = self.pages.shop(session)
            shop_id = _id(shop)
            connection = connections.load(session, shop_id)
            choice = connections.choice_of(connection)
            wanted, problem = log_filter.resolve(session, shop, choice, asked)
            cursor = parse_cursor(request.args.get("at"), size=1)
            nothing = events.EventsPage(Page(()))
            log = nothing
            if problem is None:
                log = events.events_page(session, shop_id, outbox.KLAVIYO, wanted, cursor=cursor)
            return self.pages.render(
                "klaviyo/events.html",
                shop,
                connected=_is_connected(connection),
                troubled=_is_troubled(session, shop),
                asked=asked,
                filtered=any(asked.values()),
                problem=problem,
                log=log,
                metrics=log_filter.metrics(choice),
                names=lambda message: _names(choice, message),
                states=events.STATES,
                in_words=wording.reason,
            )

    def event(self, message_id: int) -> Response:
        with self.runtime.reading() as session:
            shop = self.pages.shop(session)
            row = events.event(session, _id(shop), outbox.KLAVIYO, message_id)
            if row is None:
                return self.pages.missing(shop, "There is no such message.", back="/klaviyo/events")
            choice = connections.choice_of(connections.load(session, _id(shop)))
            return self.pages.render(
                "klaviyo/event.html",
                shop,
                message=row.message,
                member=row.member,
                names=_names(choice, row.message),
                events=_worded(Teller(choice, shop_view(session, _id(shop))), row.message),
                instead=wording.WITHOUT_EVENTS.get(row.message.kind, wording.NO_EVENT),
                in_words=wording.reason,
            )

    def retry(self, message_id: int) -> Response | tuple[Response, int]:
        return self._retry(message_id)

    def retry_all(self) -> Response | tuple[Response, int]:
        return self._retry(None)

    def _retry(self, message_id: int | None) -> Response | tuple[Response, int]:
        with self.runtime.transaction() as session:
            shop_id = _id(self.pages.shop(session))
            if not _is_connected(connections.load(session, shop_id)):
                return _refused("Connect Klaviyo first.")
            if message_id is None:
                ids = list(events.troubled(session, shop_id, outbox.KLAVIYO, limit=_MOST_RETRIED))
            else:
                ids = [message_id] if events.event(session, shop_id, outbox.KLAVIYO, message_id) else []
            count = outbox.retry(session, shop_id, ids, now=self.runtime.clock())
        if not count:
            return _refused("There was nothing to send again.")
        self.runtime.nudge("drain_outbox", shop_id, outbox.KLAVIYO)
        told = "1 message is on its way again" if count == 1 else f"{count:,} messages are on their way again"
        return jsonify({"ok": True, "message": told})

    def reviews(self) -> Response:
        state = request.args.get("state", "") if request.args.get("state") in reviews.STATES else ""
        with self.runtime.reading() as session:
            shop = self.pages.shop(session)
            shop_id = _id(shop)
            cursor = parse_cursor(request.args.get("at"), size=1)
            return self.pages.render(
                "klaviyo/reviews.html",
                shop,
                connected=_is_connected(connections.load(session, shop_id)),
                list=reviews.reviews_page(session, shop_id, state=state, cursor=cursor),
                state=state,
                states=reviews.STATES,
                why=lambda review: _NOT_EARNING.get(review.reason, review.reason) or "Earned its points.",
            )


def _id(shop: Shop) -> int:
    assert shop.id is not None
    return shop.id


def _is_connected(connection: KlaviyoConnection | None) -> bool:
    return connection is not None and connection.state == connections.CONNECTED


def _is_troubled(session: Session, shop: Shop) -> bool:
    return bool(events.troubled(session, _id(shop), outbox.KLAVIYO, limit=1))


def _outcome(name: str) -> dict[str, Any]:
    """What came of an attempt to connect, told by the address that Klaviyo's answer led back to."""
    return {
        "outcome": wording.OUTCOMES.get(name),
        "outcome_good": name == "connected",
        "outcome_open": name == "repeated",
    }


def _balance_name(choice: Choice) -> str | None:
    """What the balance is called on profiles: the first number of the first dialect that has properties."""
    named = (
        name for each in choice.spoken for name, found in each.properties.items() if found.type == NUMBER
    )
    return next(named, None)


def _points_key(choice: Choice) -> str:
    """Under which name an event of the first dialect says how many points were earned."""
    earning = (metric for metric in choice.spoken[0].metrics if metric.kind == EARNED and metric.keys)
    named = (key for metric in earning for key in metric.keys or () if "point" in key.lower())
    return next(named, "points")


def _names(choice: Choice, row: OutboxMessage) -> list[str]:
    """Under which names a message was told; before, under which it will be. No name: it changes the profile and is no event."""
    if row.kind == sampling.KIND:
        return ["Test events"]
    if row.kind == outbox.FORGET:
        return ["Properties taken off"]
    if row.told is not None:
        return row.told.splitlines()
    # What was delivered before names were noted was told under our own.
    return list((OURS if row.state == "delivered" else choice).names(_message(row)))


def _worded(teller: Teller, row: OutboxMessage) -> list[tuple[str, str]]:
    """The events of a message by their names, in the dialects that are chosen now."""
    return [
        (event.metric, json.dumps(event.properties, indent=2, sort_keys=True, ensure_ascii=False))
        for event in teller.words(_message(row))
    ]


def _message(row: OutboxMessage) -> Message:
    """A logged message in the form in which it is worded. Without its people: the log says what was told, not where they live."""
    assert row.id is not None
    return Message(
        row.id, row.shop_id, row.kind, row.unique_id, row.payload, row.occurred_at, row.backfill, row.attempts
    )


def _ticket(text: str) -> str | None:
    """What an answer of Klaviyo's is kept under, when the browser has just come back with it."""
    return text if _TICKET.fullmatch(text) else None


def _refused(message: str) -> tuple[Response, int]:
    return jsonify({"ok": False, "message": message}), 409
