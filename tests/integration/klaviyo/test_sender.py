"""Deliveries to the local Klaviyo: each event once, whatever happens on the way."""

from collections.abc import Mapping, Sequence

import pytest

from klaviyo_oauth.limits import Limiter
from loyalty import outbox
from loyalty.delivery import Message, Outcome
from loyalty.sending import drain_outbox
from tests.integration.klaviyo.conftest import World

ADA = "ada@fernandfig.shop"


def _many(world: World, count: int) -> None:
    ids = world.add_members(count)
    with world.runtime.transaction() as session:
        outbox.put_many(session, [world.news(member_id, number) for number, member_id in enumerate(ids)])


class TestSingle:
    """A few events, one request each."""

    @pytest.mark.acceptance("S4-14", "S4-16", "S4-19", "S4-21")
    def test_event_and_profile(self, connected: World) -> None:
        """One request records the event as it happened and the profile as it is now, with the types that segments need."""
        connected.put_news(connected.add_member(ADA, first_name="Ada", balance=700), 1)
        connected.drain()
        (event,) = connected.events()
        assert (event["metric"], event["email"], event["unique_id"]) == ("Points Earned", ADA, "entry-1")
        assert event["properties"] == {
            "points": 120,
            "points_balance": 540,
            "activity_points": 120,
            "source": "order",
            "order_name": "#1001",
            "$event_id": "entry-1",
        }
        profile = connected.profile(ADA)
        assert profile["first_name"] == "Ada"
        assert profile["properties"] == {
            "Laurel Points Balance": 700,
            "Laurel Lifetime Points": 600,
            "Laurel Points Spent": 60,
            "Laurel Pending Points": 0,
            "Laurel State": "member",
            "Laurel Joined At": connected.clock().date().isoformat(),
        }
        assert len(connected.requests_to("/api/events")) == 1

    @pytest.mark.parametrize("road", ["single", "bulk"])
    def test_lost_again(self, connected: World, road: str) -> None:
        """A tier, an end of points and a code that are gone are taken off the profile; what others wrote there stays."""
        gold = {
            "tier": "gold",
            "tier_since": connected.clock(),
            "expires_at": connected.clock(),
            "expiring_points": 5,
        }
        member_id = connected.add_member(ADA, **gold)
        connected.add_code(member_id, "LAUREL-FIVE")
        connected.put_news(member_id, 1)
        connected.drain()
        before = connected.profile(ADA)["properties"]
        assert (before["Laurel Tier"], before["Laurel Expiring Points"]) == ("gold", 5)
        assert before["Laurel Rewards Ready"] == ["LAUREL-FIVE"]
        connected.write_profile(ADA, Favourite="tea")

        connected.change_member(member_id, tier=None, tier_since=None, expires_at=None, expiring_points=0)
        connected.change_code("LAUREL-FIVE", state="used")
        connected.put_news(member_id, 2)
        if road == "bulk":
            _many(connected, 30)
        connected.drain()
        assert bool(connected.requests_to("/api/event-bulk-create-jobs")) is (road == "bulk")
        after = connected.profile(ADA)["properties"]
        assert set(after) == {
            "Favourite",
            "Laurel Last Redeemed At",
            "Laurel Points Balance",
            "Laurel Lifetime Points",
            "Laurel Points Spent",
            "Laurel Pending Points",
            "Laurel State",
            "Laurel Joined At",
        }

    @pytest.mark.acceptance("S4-20")
    def test_no_email(self, connected: World) -> None:
        """A member whom Klaviyo cannot know is skipped without a request; a bad address is refused with its reason."""
        for number, email in enumerate((None, "x@example.com", "not an address")):
            connected.put_news(connected.add_member(email), number)
        connected.drain()
        assert [(m.state, m.error) for m in connected.messages()] == [
            ("dropped", "no_email"),
            ("dropped", "test_address"),
            ("refused", "invalid_email"),
        ]
        assert connected.requests_to("/api/events") == []

    def test_backfill(self, connected: World) -> None:
        """History is recorded and starts no flow."""
        connected.put_news(connected.add_member(ADA), 1, backfill=True)
        connected.drain()
        assert connected.events()[0]["backfill"] is True
        assert connected.counts()["flows"]["total"] == 0

    @pytest.mark.parametrize("kind", ["500", "502", "503", "reset", "lost_reply", "429"])
    def test_trouble(self, connected: World, kind: str) -> None:
        """After any trouble the message is due again, and Klaviyo ends up with the event once."""
        connected.fault("POST /api/events", kind)
        connected.put_news(connected.add_member(ADA), 1)
        sent = connected.drain()
        assert connected.states() == {"due": 1}
        assert sent.again_in is not None
        assert 0 < sent.again_in <= 5
        connected.no_pause()
        connected.clock.forward(seconds=5)
        connected.drain()
        assert connected.states() == {"delivered": 1}
        assert connected.counts()["events"]["recorded"] == 1

    def test_lost_reply_is_harmless(self, connected: World) -> None:
        """An event that was taken although its reply got lost is sent again and recorded once."""
        connected.fault("POST /api/events", "lost_reply")
        connected.put_news(connected.add_member(ADA), 1)
        connected.drain()
        connected.no_pause()
        connected.clock.forward(seconds=5)
        connected.drain()
        counted = connected.counts()["events"]
        assert (counted["recorded"], counted["duplicates"]) == (1, 1)

    def test_outage_asks_rarely(self, connected: World) -> None:
        """While Klaviyo is away one request finds it out for all, and the waits grow."""
        connected.fault("/api/*", "503", times=None)
        _many(connected, 10)
        waits = []
        for _ in range(4):
            sent = connected.drain()
            assert sent.again_in is not None
            waits.append(sent.again_in)
            connected.no_pause()
            connected.clock.forward(seconds=400)
        assert waits == sorted(waits)
        assert waits[-1] >= 4 * waits[0]
        assert len(connected.requests_to("/api/events")) == 4
        assert {m.attempts for m in connected.messages()} == {0}
        assert "503" in (connected.connection().last_error or "")

    def test_server_errors(self, connected: World) -> None:
        """Server errors for everybody are Klaviyo's: after a few the rest is spared, and waits without being counted."""
        connected.fault("POST /api/events", "500", times=None)
        _many(connected, 18)
        connected.drain()
        assert connected.states() == {"due": 18}
        asked = len(connected.requests_to("/api/events"))
        assert 3 <= asked <= 12  # those that were on their way side by side still arrive
        assert sum(message.attempts for message in connected.messages()) <= asked

    def test_poison(self, connected: World) -> None:
        """One message that Klaviyo stumbles over holds up none of its neighbours."""
        connected.fault("POST /api/events", "500", times=1, skip=3)
        _many(connected, 12)
        connected.drain()
        assert connected.states() == {"delivered": 11, "due": 1}

    def test_missing_scope(self, world: World) -> None:
        """A missing permission does not lose news: it waits, and the page can say why."""
        world.sandbox("POST", "/private-keys", key="pk_without_events", scopes=["accounts:read"])
        world.browser().post("/klaviyo/key", json={"key": "pk_sandbox_FernFg"})
        sealed = world.cipher.seal("pk_without_events", row=f"klaviyo:{world.shop.shop_id}")
        world.change_connection(api_key=sealed)
        world.put_news(world.add_member(ADA), 1)
        world.drain()
        (message,) = world.messages()
        assert (message.state, message.status_code) == ("due", 403)
        assert (world.connection().last_error or "").startswith("forbidden")

    def test_last_delivery(self, connected: World) -> None:
        """A delivery is noted, and clears the last error."""
        connected.change_connection(last_error="timeout", last_error_at=connected.clock())
        connected.put_news(connected.add_member(ADA), 1)
        connected.drain()
        row = connected.connection()
        assert (row.last_delivery_at, row.last_error) == (connected.clock(), None)

    def test_refusal_is_an_answer(self, connected: World) -> None:
        """A refusal shows that Klaviyo answers again, though it is no delivery; what needed no request shows nothing."""
        trouble = {"last_error": "timeout", "last_error_at": connected.clock()}
        connected.change_connection(**trouble)
        connected.put_news(connected.add_member(ADA), 1, note="x" * 110_000)
        connected.drain()
        row = connected.connection()
        assert (row.last_delivery_at, row.last_error) == (None, None)

        connected.change_connection(**trouble)
        with connected.runtime.transaction() as session:
            known = outbox.forgetting(
                connected.cipher, connected.shop.shop_id, ADA, "former:1", now=connected.clock()
            )
            outbox.put_many(session, [known])
        connected.drain()
        assert connected.states() == {"refused": 1, "due": 1, "delivered": 1}
        row = connected.connection()
        assert (row.last_delivery_at, row.last_error) == (None, "timeout")

    def test_limit_asked_first(self, connected: World) -> None:
        """Without a grant nothing is sent, the wait is the limiter's, and the attempt does not count."""
        Limiter(connected.redis).pause("FernFg", "POST events", 25)
        connected.put_news(connected.add_member(ADA), 1)
        sent = connected.drain()
        assert sent.again_in is not None
        assert 10 < sent.again_in <= 25
        assert connected.requests_to("/api/events") == []
        assert connected.messages()[0].attempts == 0


class TestUninstalled:
    """The app is removed from the shop while messages are on their way."""

    @pytest.mark.parametrize("count", [15, 60])
    def test_in_flight(self, connected: World, count: int) -> None:
        """Nothing of what was taken up is sent any more, and all of it goes as soon as the app is back."""
        _many(connected, count)
        sender = connected.sender()
        send = sender.send

        def removed_meanwhile(shop_id: int, messages: Sequence[Message]) -> Mapping[int, Outcome]:
            connected.change_shop(uninstalled_at=connected.clock())
            return send(shop_id, messages)

        sender.send = removed_meanwhile  # type: ignore[method-assign]
        asked = len(connected.requests_to("/api"))
        drain_outbox(connected.runtime, sender, connected.shop.shop_id)
        assert len(connected.requests_to("/api")) == asked
        assert connected.states() == {"due": count}
        assert {row.attempts for row in connected.messages()} == {0}

        connected.change_shop(uninstalled_at=None)
        connected.clock.forward(seconds=2)
        connected.drain()
        assert connected.states() == {"delivered": count}


class TestBulk:
    """A backlog, many events in a request."""

    def test_few_requests(self, either_world: World) -> None:
        """A backlog goes in bulk and every event arrives with its profile."""
        either_world.connect()
        _many(either_world, 60)
        either_world.drain()
        assert either_world.states() == {"delivered": 60}
        assert either_world.counts()["events"]["recorded"] == 60
        assert len(either_world.requests_to("/api/event-bulk-create-jobs")) == 1
        assert either_world.profile("member7@fernandfig.shop")["properties"]["Laurel Points Balance"] == 540

    def test_refused_entry(self, connected: World) -> None:
        """An entry that Klaviyo blames is refused with its reason, and its neighbours are sent at once."""
        _many(connected, 30)
        connected.put_news(connected.add_member("bad@fernandfig.shop"), 99, note="x" * 110_000)
        connected.drain()
        # What is due is the profile, which is written by itself.
        assert connected.states() == {"delivered": 30, "refused": 1, "due": 1}
        (refused,) = [m for m in connected.messages() if m.state == "refused"]
        assert refused.unique_id == "entry-99"
        assert "100 KB" in (refused.error or "")
        assert len(connected.requests_to("/api/event-bulk-create-jobs")) == 2

    @pytest.mark.parametrize("others", [0, 30])
    def test_points_of_a_refused_event(self, connected: World, others: int) -> None:
        """Whatever becomes of the event, its points have moved: the profile is written by itself, once."""
        if others:
            _many(connected, others)
        member_id = connected.add_member("bad@fernandfig.shop", balance=700)
        connected.put_news(member_id, 99, note="x" * 110_000)
        connected.drain()
        assert connected.states() == ({"delivered": 30} if others else {}) | {"refused": 1, "due": 1}
        connected.clock.forward(seconds=11)
        connected.drain(outbox.PROFILES)
        assert connected.profile("bad@fernandfig.shop")["properties"]["Laurel Points Balance"] == 700
        assert connected.messages()[-1].state == "delivered"

    @pytest.mark.parametrize("kind", ["500", "503", "reset", "lost_reply", "429"])
    def test_trouble(self, connected: World, kind: str) -> None:
        """A batch that met trouble is delivered later, each event once."""
        connected.fault("POST /api/event-bulk-create-jobs", kind)
        _many(connected, 40)
        connected.drain()
        connected.no_pause()
        connected.clock.forward(seconds=5)
        connected.drain()
        assert connected.states() == {"delivered": 40}
        assert connected.counts()["events"]["recorded"] == 40

    def test_server_errors(self, connected: World) -> None:
        """When every part of a batch meets server errors, a few requests are enough to let Klaviyo be."""
        connected.fault("POST /api/event-bulk-create-jobs", "500", times=None)
        _many(connected, 64)
        connected.drain()
        assert connected.states() == {"due": 64}
        assert len(connected.requests_to("/api/event-bulk-create-jobs")) == 3

    def test_real_limits(self, connected: World) -> None:
        """Under the published limits Klaviyo never has to refuse us."""
        connected.sandbox("PUT", "/limits", limits="real")
        _many(connected, 200)
        connected.drain()
        assert connected.states() == {"delivered": 200}
        assert connected.counts()["throttled"]["total"] == 0

    def test_bulk_used_up(self, connected: World) -> None:
        """When the bulk endpoint's minute is used up, lively traffic goes on by the single one instead of waiting."""
        Limiter(connected.redis).pause("FernFg", "POST event-bulk-create-jobs", 40)
        _many(connected, 30)
        connected.drain()
        assert connected.states() == {"delivered": 30}
        assert connected.requests_to("/api/event-bulk-create-jobs") == []


class TestForget:
    """The news kind ``forget_profile``."""

    def _forget(self, world: World, email: str) -> None:
        sealed = world.cipher.seal(email, row=f"forget:{world.shop.shop_id}")
        with world.runtime.transaction() as session:
            outbox.put(
                session,
                world.shop.shop_id,
                "klaviyo",
                "forget_profile",
                "forget-1",
                {"sealed": sealed},
                occurred_at=world.clock(),
                now=world.clock(),
            )

    def test_unsets(self, connected: World) -> None:
        """Our properties go, the merchant's profile stays."""
        member_id = connected.add_member(ADA)
        connected.put_news(member_id, 1)
        connected.drain()
        connected.clock.forward(seconds=5)
        connected.change_member(member_id, email=None, state="redacted")
        self._forget(connected, ADA)
        connected.drain()
        assert connected.states() == {"delivered": 2}
        assert connected.profile(ADA)["properties"] == {}
        # Not even sealed is the address kept.
        assert connected.messages()[-1].payload == {}

    def test_there_again(self, connected: World) -> None:
        """Whoever is a member again under the address keeps what is true of them."""
        connected.put_news(connected.add_member(ADA), 1)
        connected.drain()
        self._forget(connected, ADA)
        connected.drain()
        assert connected.states() == {"delivered": 2}
        assert connected.profile(ADA)["properties"]["Laurel Points Balance"] == 540

    def test_unknown_person(self, connected: World) -> None:
        """Nobody is created in Klaviyo in order to be forgotten."""
        self._forget(connected, "nobody@fernandfig.shop")
        connected.drain()
        assert connected.states() == {"delivered": 1}
        assert connected.profile("nobody@fernandfig.shop") is None

    def test_sealed_for_another(self, connected: World) -> None:
        """An address that was sealed for another shop is refused."""
        with connected.runtime.transaction() as session:
            outbox.put(
                session,
                connected.shop.shop_id,
                "klaviyo",
                "forget_profile",
                "forget-1",
                {"sealed": connected.cipher.seal(ADA, row="forget:999")},
                occurred_at=connected.clock(),
                now=connected.clock(),
            )
        connected.drain()
        assert connected.states() == {"refused": 1}
