"""Reviews on their way from the local Klaviyo to the inbox and to points: by webhook, by polling, in any order."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import select
from werkzeug.serving import make_server

from klaviyo_oauth import registration, review_door, review_walk, reviews, webhook
from klaviyo_oauth.disconnecting import disconnect
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.review_facts import WEBHOOK_TOPICS
from loyalty import programs
from loyalty.core.facts import ReviewSeen
from loyalty.inbox import Malformed
from loyalty.models import InboxMessage, Member, Review, Shop
from loyalty.receiving import Reception, drain_inbox
from tests.integration.klaviyo.conftest import World

ADA = "ada@fernandfig.shop"


def _poll(world: World) -> float | None:
    return reviews.poll(world.runtime, world.config, world.redis, world.shop.shop_id, http=world.http)


def _check(world: World) -> float | None:
    return registration.check(world.runtime, world.config, world.redis, world.shop.shop_id, http=world.http)


def _inbox(world: World) -> list[InboxMessage]:
    with world.runtime.reading() as session:
        return list(session.exec(select(InboxMessage).order_by(InboxMessage.id)).all())


def _submit(world: World, **given: Any) -> str:
    review = {"email": ADA, "type": "review", "rating": 5, "verified": True, "content": "Lovely"} | given
    return str(world.sandbox("POST", "/reviews", **review)["id"])


@pytest.fixture
def served(connected: World) -> Iterator[World]:
    """The edge's routes on a real port, so that webhooks arrive over HTTP."""
    server = make_server("127.0.0.1", 0, connected.browser().application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    connected.config = type(connected.config)(
        app_url=f"http://127.0.0.1:{server.server_port}", api_url=connected.klaviyo.url, production=False
    )
    yield connected
    server.shutdown()
    server.server_close()
    thread.join()


def _deliver(world: World) -> None:
    """Let what waits at Klaviyo be delivered now."""
    world.sandbox("POST", "/clock", forward_seconds=120)
    world.klaviyo.state.dispatcher.pump()


class TestRegistration:
    """``registration.check``."""

    @pytest.mark.acceptance("S4-39")
    def test_registers(self, connected: World) -> None:
        """The webhook is registered once, for both topics, and a second look changes nothing."""
        assert _check(connected) is None
        assert _check(connected) is None
        (hook,) = connected.sandbox("GET", "/webhooks")["webhooks"]
        row = connected.connection()
        assert hook["id"] == row.webhook_id
        assert set(hook["topics"]) == set(WEBHOOK_TOPICS)
        assert hook["endpoint_url"].endswith(f"/webhooks/klaviyo/{row.webhook_key}")
        assert row.details["webhook_state"] == webhook.ON
        assert row.details["reviews_active"] is True

    def test_moved(self, connected: World) -> None:
        """An installation that moved to another address has the webhook follow it."""
        _check(connected)
        connected.config = replace(connected.config, app_url="https://elsewhere.fernandfig.shop")
        _check(connected)
        (hook,) = connected.sandbox("GET", "/webhooks")["webhooks"]
        key = connected.connection().webhook_key
        assert hook["endpoint_url"] == f"https://elsewhere.fernandfig.shop/webhooks/klaviyo/{key}"

    def test_lost_secret(self, connected: World) -> None:
        """A webhook whose secret was sealed with a key that is gone is replaced: nothing it tells could be believed."""
        _check(connected)
        old = connected.connection()
        connected.change_connection(webhook_secret=connected.cipher.seal("x", row="klaviyo:999"))
        _check(connected)
        row = connected.connection()
        assert row.webhook_key != old.webhook_key
        (hook,) = connected.sandbox("GET", "/webhooks")["webhooks"]
        assert hook["id"] == row.webhook_id != old.webhook_id

    def test_switched_off(self, connected: World) -> None:
        """A webhook that Klaviyo switched off is switched on again, and what it missed is polled for."""
        _check(connected)
        state = connected.klaviyo.state
        with state.lock:
            for hook in state.account("FernFg").webhooks.values():
                hook.enable(enabled=False)
        connected.nudges.clear()
        connected.clock.forward(hours=1)
        _check(connected)
        (hook,) = connected.sandbox("GET", "/webhooks")["webhooks"]
        assert hook["enabled"] is True
        assert ("poll_reviews", connected.shop.shop_id) in connected.nudges

    def test_deleted_there(self, connected: World) -> None:
        """A webhook that somebody deleted in Klaviyo is made again under a new key."""
        _check(connected)
        before = connected.connection()
        with connected.klaviyo.state.lock:
            connected.klaviyo.state.account("FernFg").webhooks.clear()
        _check(connected)
        after = connected.connection()
        assert after.webhook_key != before.webhook_key
        assert len(connected.sandbox("GET", "/webhooks")["webhooks"]) == 1

    def test_lost_reply(self, connected: World) -> None:
        """A webhook whose creation was answered by silence is found again, not made twice."""
        connected.fault("POST /api/webhooks", "lost_reply")
        assert _check(connected) is not None
        connected.no_pause()
        assert _check(connected) is None
        (hook,) = connected.sandbox("GET", "/webhooks")["webhooks"]
        assert connected.connection().webhook_id == hook["id"]

    def test_forbidden(self, world: World) -> None:
        """Without the permission there is no webhook, and the page knows why."""
        scopes = [
            "accounts:read",
            "events:write",
            "profiles:read",
            "profiles:write",
            "lists:read",
            "lists:write",
        ]
        world.sandbox("POST", "/private-keys", key="pk_without_webhooks", scopes=scopes)
        assert world.browser().post("/klaviyo/key", json={"key": "pk_without_webhooks"}).status_code == 200
        assert _check(world) is None
        assert world.connection().details["webhook_state"] == webhook.FORBIDDEN

    def test_no_https(self, connected: World) -> None:
        """In production a plain address is never registered."""
        connected.config = type(connected.config)(
            app_url="http://shop.example", api_url=connected.klaviyo.url, production=True
        )
        _check(connected)
        assert connected.connection().details["webhook_state"] == webhook.NO_ADDRESS
        assert connected.sandbox("GET", "/webhooks")["webhooks"] == []


class TestDoor:
    """POST /webhooks/klaviyo/<key>."""

    @pytest.mark.acceptance("S4-40")
    def test_delivery(self, served: World) -> None:
        """A submitted review arrives signed over HTTP, is kept once, and reads as a fact."""
        _check(served)
        review_id = _submit(served)
        _deliver(served)
        (message,) = _inbox(served)
        (fact,) = reviews.translate(message)
        assert isinstance(fact, ReviewSeen)
        assert (fact.review_id, fact.email, fact.rating, fact.verified) == (review_id, ADA, 5, True)
        assert ("drain_inbox", served.shop.domain) in served.nudges
        (hook,) = served.sandbox("GET", "/webhooks")["webhooks"]
        assert hook["last_status"] == 202

    def test_without_review_id(self, served: World) -> None:
        """An event that does not name its review says nothing by itself, but has the review fetched."""
        served.sandbox("PATCH", "/settings", review_id_in_events=False)
        _check(served)
        served.nudges.clear()
        _submit(served)
        _deliver(served)
        (message,) = _inbox(served)
        assert reviews.translate(message) == ()
        assert ("poll_reviews", served.shop.shop_id) in served.nudges

    def _post(self, world: World, body: bytes, *, key: str | None = None, secret: str | None = None) -> int:
        from sandbox.klaviyo.webhooks import signature

        row = world.connection()
        stamp = "Thu, 04 Jan 2024 18:05:25 GMT"
        if secret is None:
            assert row.webhook_secret is not None
            secret = world.cipher.open(row.webhook_secret, row=f"klaviyo:{world.shop.shop_id}")
        headers = {"Klaviyo-Signature": signature(secret, body, stamp), "Klaviyo-Timestamp": stamp}
        path = f"/webhooks/klaviyo/{key or row.webhook_key}"
        return world.browser().post(path, data=body, headers=headers).status_code

    def test_refusals(self, connected: World) -> None:
        """404 for an unknown key, 401 for a false signature or another webhook's delivery, 400 for nonsense; nothing is kept."""
        _check(connected)
        body = json.dumps({"data": [], "meta": {"klaviyo_webhook_id": "another"}}).encode()
        assert self._post(connected, b"{}", key="unknown") == 404
        assert self._post(connected, b"{}", secret="not the secret") == 401
        assert self._post(connected, body) == 401
        assert self._post(connected, b"nonsense") == 400
        assert self._post(connected, b"[]") == 400
        assert _inbox(connected) == []

    def test_texts_stay_away(self, served: World) -> None:
        """Of what Klaviyo tells of a review, texts, titles and authors are not stored, not even until it is settled."""
        _check(served)
        review_id = _submit(served, content="A secret", author="Ada L.", title="Also secret")
        _deliver(served)
        (message,) = _inbox(served)
        assert b"ecret" not in message.body
        assert b"Ada L." not in message.body
        (fact,) = reviews.translate(message)
        assert isinstance(fact, ReviewSeen)
        assert (fact.review_id, fact.email) == (review_id, ADA)

    def test_ended_meanwhile(self, connected: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A link that is ended while a delivery is being read gets no webhook by it: the one at Klaviyo is nobody's and can be removed."""
        _check(connected)
        hook = connected.connection().webhook_id
        body = json.dumps({"data": [], "meta": {"klaviyo_webhook_id": hook}}).encode()

        def late(body: bytes) -> review_door.Delivery | None:
            disconnect(connected.runtime, connected.shop.shop_id)
            return parse(body)

        parse = review_door.parse
        monkeypatch.setattr(review_door, "parse", late)
        assert self._post(connected, body) == 202
        assert connected.connection().webhook_id is None

    def test_too_large(self, connected: World) -> None:
        """413 for a body that no delivery of Klaviyo's can have, before it is verified."""
        answer = connected.browser().post("/webhooks/klaviyo/any", data=b"x" * (8 * 1024 * 1024 + 1))
        assert answer.status_code == 413

    @pytest.mark.parametrize("poison", ["a\x00b", "\ud800", "", 7, None])
    def test_poison(self, connected: World, poison: object) -> None:
        """An event whose id or topic no database can keep is left out, and its neighbours are kept."""
        _check(connected)
        hook = connected.connection().webhook_id
        topic = WEBHOOK_TOPICS[0]
        events = [
            {"external_id": poison, "topic": topic, "payload": {}},
            {"external_id": "E1", "topic": poison, "payload": {}},
            {"external_id": "E2", "topic": topic, "payload": {"text": "a\x00b"}},
        ]
        body = json.dumps({"data": events, "meta": {"klaviyo_webhook_id": hook}}).encode()
        assert self._post(connected, body) == 202
        assert [message.delivery_id for message in _inbox(connected)] == ["E2"]

    @pytest.mark.parametrize("key", ["%00", "a%00b", "%F0%9F%8D%80", "x" * 65, "..%2F..", "'--"])
    def test_odd_keys(self, either_world: World, key: str) -> None:
        """A key that we would never make is answered as an unknown one."""
        assert either_world.browser().post(f"/webhooks/klaviyo/{key}", data=b"{}").status_code == 404

    def test_repeat(self, connected: World) -> None:
        """The same event delivered twice is kept once, and both deliveries are accepted."""
        _check(connected)
        hook = connected.connection().webhook_id
        event = {"external_id": "E1", "topic": WEBHOOK_TOPICS[0], "payload": {}}
        body = json.dumps({"data": [event, event, "odd"], "meta": {"klaviyo_webhook_id": hook}}).encode()
        assert [self._post(connected, body), self._post(connected, body)] == [202, 202]
        assert len(_inbox(connected)) == 1


class TestPoll:
    """``reviews.poll``."""

    def test_many(self, connected: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A shop with more reviews than one job may read is polled to the end, one page after the other, each page once."""
        monkeypatch.setattr(review_walk, "_PAGE", 2)
        monkeypatch.setattr(review_walk, "_MOST_PAGES", 3)
        for number in range(20):
            _submit(connected, email=f"ada{number}@fernandfig.shop")
        jobs = 0
        while _poll(connected) is not None:
            jobs += 1
            assert jobs < 20
        assert len(_inbox(connected)) == 20
        asked = len(connected.requests_to("/api/reviews"))
        assert asked <= 22  # ten pages of new ones, ten of changed ones, each at most once too often
        assert "reviews_walk" not in connected.connection().details
        assert _poll(connected) is not None  # within the overlap they are all looked at again
        assert len(_inbox(connected)) == 20

    @pytest.mark.parametrize("kind", ["429", "503", "reset"])
    def test_interrupted(self, connected: World, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        """Trouble on the way costs one page, not the whole way."""
        monkeypatch.setattr(review_walk, "_PAGE", 2)
        for number in range(10):
            _submit(connected, email=f"ada{number}@fernandfig.shop")
        connected.fault("GET /api/reviews", kind, skip=3)
        assert _poll(connected)
        assert connected.connection().details["reviews_walk"]["cursor"]
        connected.no_pause()
        assert _poll(connected) is None
        assert len(_inbox(connected)) == 10
        assert len(connected.requests_to("/api/reviews")) <= 12

    def test_old_page(self, connected: World) -> None:
        """A place that Klaviyo no longer knows is forgotten, and the next poll begins anew."""
        _submit(connected)
        now = connected.clock().isoformat()
        walk = {"began": now, "since": now, "through_changed": False, "cursor": "made-up"}
        row = connected.connection()
        connected.change_connection(details=row.details | {"reviews_walk": walk})
        _poll(connected)
        assert "reviews_walk" not in connected.connection().details
        assert _poll(connected) is None
        assert len(_inbox(connected)) == 1

    @pytest.mark.acceptance("S4-40")
    def test_new_reviews(self, connected: World) -> None:
        """New reviews are kept once, however often they are polled for, and the cursor follows."""
        ids = {_submit(connected), _submit(connected, type="rating", content=None)}
        connected.clock.forward(minutes=5)
        assert _poll(connected) is None
        assert _poll(connected) is None
        facts = [fact for message in _inbox(connected) for fact in reviews.translate(message)]
        assert {fact.review_id for fact in facts if isinstance(fact, ReviewSeen)} == ids
        assert len(facts) == 2
        assert connected.connection().review_cursor == connected.clock()

    def test_texts_stay_away(self, connected: World) -> None:
        """What a review says is none of our business and is not stored."""
        _submit(connected, content="A secret", author="Ada L.", title="Also secret")
        _poll(connected)
        (message,) = _inbox(connected)
        assert b"ecret" not in message.body
        assert b"Ada L." not in message.body

    def test_status_change(self, connected: World) -> None:
        """A review that changes long after it was written is met again in its new state."""
        review_id = _submit(connected)
        _poll(connected)
        for _ in range(3):
            connected.clock.forward(days=1)
            connected.sandbox("POST", "/clock", forward_seconds=86_400)
            _poll(connected)
        connected.sandbox("POST", f"/reviews/{review_id}/status", status="rejected", reason="fake")
        _poll(connected)
        facts = [reviews.translate(message)[0] for message in _inbox(connected)]
        assert [fact.status for fact in facts if isinstance(fact, ReviewSeen)] == ["pending", "rejected"]

    def test_many_pages(self, connected: World) -> None:
        """More reviews than a page holds are all kept."""
        for number in range(130):
            _submit(connected, email=f"member{number}@fernandfig.shop")
        _poll(connected)
        assert len(_inbox(connected)) == 130

    def test_other_account_meanwhile(self, connected: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """When another account is connected between two pages, nothing of what it answers is taken: its reviews of the past do not earn."""
        monkeypatch.setattr(review_walk, "_PAGE", 1)
        _submit(connected)
        _submit(connected, email="bo@fernandfig.shop", account="HarbCf")
        connected.sandbox("POST", "/clock", forward_seconds=60)
        connected.clock.forward(minutes=1)
        ask = Gateway.call

        def call(self: Gateway, *given: Any, **more: Any) -> Any:
            if connected.connection().account_id == "FernFg":
                assert connected.connect(account="HarbCf") == "connected"
            return ask(self, *given, **more)

        monkeypatch.setattr(Gateway, "call", call)
        _poll(connected)
        assert _inbox(connected) == []

    def test_before_the_program(self, world: World) -> None:
        """What was reviewed before the shop connected is not met."""
        _submit(world)
        world.sandbox("POST", "/clock", forward_seconds=3_600)
        world.clock.forward(hours=1)
        world.connect()
        _submit(world, email="bob@fernandfig.shop")
        _poll(world)
        (message,) = _inbox(world)
        assert b"bob@" in message.body

    @pytest.mark.parametrize("kind", ["500", "503", "reset", "429"])
    def test_trouble(self, connected: World, kind: str) -> None:
        """A poll that met trouble says when to go on, and loses nothing."""
        _submit(connected)
        connected.fault("GET /api/reviews", kind, skip=1)
        before = connected.connection().review_cursor
        connected.clock.forward(seconds=1)
        assert (_poll(connected) or 0) > 0
        assert connected.connection().review_cursor == before
        connected.no_pause()
        connected.clock.forward(minutes=1)
        assert _poll(connected) is None
        assert len(_inbox(connected)) == 1

    def test_without_permission(self, world: World) -> None:
        """Without the permission to read reviews, that is a state to show and not an error."""
        scopes = [
            "accounts:read",
            "events:write",
            "profiles:read",
            "profiles:write",
            "lists:read",
            "lists:write",
        ]
        world.sandbox("POST", "/private-keys", key="pk_without_reviews", scopes=scopes)
        world.browser().post("/klaviyo/key", json={"key": "pk_without_reviews"})
        assert _poll(world) is None
        assert world.connection().details["reviews_problem"] == "missing_scope"

    def test_not_connected(self, world: World) -> None:
        """A shop without a link has nothing to poll."""
        assert _poll(world) is None


class TestTranslate:
    """``reviews.translate``."""

    def _message(self, body: object, topic: str = "review") -> InboxMessage:
        from datetime import UTC, datetime

        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        now = datetime(2026, 11, 22, tzinfo=UTC)
        return InboxMessage(
            shop_domain="x",
            source="klaviyo",
            delivery_id="1",
            topic=topic,
            body=raw,
            received_at=now,
            due_at=now,
        )

    @pytest.mark.parametrize("body", [b"nonsense", b"[]", {}, {"id": "a"}, {"id": 7, "attributes": {}}])
    def test_malformed(self, body: object) -> None:
        """A review that cannot be read is parked with a reason."""
        with pytest.raises(Malformed):
            reviews.translate(self._message(body))

    def test_unknown_topic(self) -> None:
        """Other events are ignored."""
        assert reviews.translate(self._message({}, "event:klaviyo.opened_email")) == ()

    def test_strange_review_id(self) -> None:
        """A review id of another shape than the API's is not trusted: it could make one review earn twice."""
        event = {"payload": {"data": {"attributes": {"event_properties": {"review_id": "12345"}}}}}
        assert reviews.translate(self._message(event, WEBHOOK_TOPICS[0])) == ()


class TestPoints:
    """From a review at Klaviyo to points, through the inbox."""

    @pytest.mark.acceptance("S4-37", "S4-41", "S4-42")
    def test_both_roads(self, served: World) -> None:
        """Verified reviews and ratings earn once though webhook and poll both tell of them; unverified ones earn nothing."""
        _member(served, ADA)
        _check(served)
        _submit(served)
        _submit(served, type="rating", content=None)
        _submit(served, images=["https://fernandfig.shop/a.jpg"])
        _submit(served, verified=False)
        _deliver(served)
        served.clock.forward(minutes=3)
        _drain(served)
        _poll(served)
        _drain(served)
        with served.runtime.reading() as session:
            member = session.exec(select(Member)).one()
            states = sorted(review.state for review in session.exec(select(Review)))
        assert states == ["awarded", "awarded", "awarded", "ineligible"]
        assert member.balance == 3 * 50


def _member(world: World, email: str) -> None:
    document = {
        "points": {"one": "point", "many": "points"},
        "earn": {"review": {"enabled": True, "title": "Review", "points": 50}},
    }
    with world.runtime.transaction() as session:
        shop = session.get(Shop, world.shop.shop_id)
        assert shop is not None
        programs.apply(session, world.shop.shop_id, document, author="test", now=world.clock())
    world.add_member(email, balance=0, lifetime_earned=0, lifetime_spent=0)


def _drain(world: World) -> None:
    drain_inbox(world.runtime, Reception({"klaviyo": reviews.translate}, {}), world.shop.domain)
    assert {message.state for message in _inbox(world)} <= {"done", "ignored"}
