"""Profiles that show something else without any news: written anew by themselves, once, and without starting a flow."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from klaviyo_oauth import limits, pointers, registration
from klaviyo_oauth.limits import Limiter
from loyalty import calendar, outbox, pruning, redemption, runs, silent, staff
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.facts import BirthdayTold, CustomerSeen, CustomersMerged, Identity, PointsAdjusted
from loyalty.models import Member, OutboxMessage, RewardIssue, Shop
from loyalty.sending import Sent
from tests.integration.klaviyo.conftest import World
from tests.integration.klaviyo.life import ADA, BO, Life

HELD = DEFAULT_DOCUMENT | {
    "earn": {"order": {"title": "Place an order", "rate": "1", "hold_days": 14}},
}
LADDER = {
    "metric": "points",
    "window": "lifetime",
    "ladder": [{"key": "gold", "title": "Gold", "threshold": "900"}],
}


class House:
    """A shop with Ada in it, of whom everything has been told."""

    def __init__(self, world: World, program: Mapping[str, Any] = HELD) -> None:
        self.world = world
        world.connect()
        self.life = Life(world)
        world.apply(program)
        self.life.join(ADA, "Ada", "Fern")
        self.settle()

    def settle(self) -> None:
        """Send everything that waits."""
        self.world.clock.forward(minutes=1)
        self.world.drain()
        self.drain()

    def drain(self) -> Sent:
        return self.world.drain(outbox.PROFILES)

    def waiting(self) -> int:
        return sum(message.state == "due" for message in self.silent())

    def silent(self) -> list[OutboxMessage]:
        return [message for message in self.world.messages() if message.channel == outbox.PROFILES]

    def shown(self) -> Mapping[str, Any]:
        return dict(self.world.profile(ADA.email or "")["properties"])

    def rename(self, first: str) -> None:
        """A change that only a profile shows."""
        now = self.world.clock()
        self.life.hear(CustomerSeen(ADA, first, "Fern", "en", now, now))


@pytest.fixture
def house(world: World) -> House:
    return House(world)


@pytest.fixture
def either_house(either_world: World) -> House:
    return House(either_world)


class TestWhatChanges:
    """Changes without news."""

    @pytest.mark.acceptance("S3-11")
    def test_points_on_hold(self, either_house: House) -> None:
        """Points that go on hold are on the profile within seconds, and nothing is told by that: no event, no flow."""
        house, world = either_house, either_house.world
        events, flows = world.counts()["events"], world.counts()["flows"]["total"]
        house.life.buy(ADA, "150")
        assert house.waiting() == 1
        world.clock.forward(seconds=11)
        assert house.drain().messages == 1
        assert house.shown()["Laurel Pending Points"] == 150
        assert (world.counts()["events"], world.counts()["flows"]["total"]) == (events, flows)
        assert [message.state for message in house.silent()] == ["delivered"]

    def test_name(self, house: House) -> None:
        """Another name is written."""
        house.rename("Adalind")
        house.settle()
        assert house.world.profile(ADA.email or "")["first_name"] == "Adalind"

    @pytest.mark.acceptance("S3-10")
    def test_email(self, house: House) -> None:
        """Under another address the points are known as well, and the profile of the old one says nothing of them any more."""
        house.life.adjust(ADA, 40)
        house.settle()
        now = house.world.clock()
        moved = Identity(ADA.customer_id, "ada.fern@fernandfig.shop")
        house.life.hear(CustomerSeen(moved, "Ada", "Fern", "en", now, now))
        house.settle()
        assert house.world.profile("ada.fern@fernandfig.shop")["properties"]["Laurel Points Balance"] == 40
        assert house.shown() == {}

    def test_email_and_back(self, either_house: House) -> None:
        """Whoever takes the old address again before Klaviyo was told keeps what is true on its profile."""
        house, now = either_house, either_house.world.clock()
        for email in ("ada.fern@fernandfig.shop", ADA.email):
            moved = Identity(ADA.customer_id, email)
            house.life.hear(CustomerSeen(moved, "Ada", "Fern", "en", now, now))
        house.settle()
        assert house.shown()["Laurel State"] == "member"

    def test_merged(self, house: House) -> None:
        """The profile of an account that was merged into another one says nothing any more; that of the kept one says all."""
        house.life.join(BO, "Bo", None)
        house.life.adjust(BO, 40)
        house.settle()
        assert house.world.profile(BO.email or "")["properties"]["Laurel Points Balance"] == 40
        house.life.hear(CustomersMerged(ADA.customer_id or 0, BO.customer_id or 0, house.world.clock()))
        house.settle()
        assert house.world.profile(BO.email or "")["properties"] == {}
        assert house.shown()["Laurel Points Balance"] == 40
        (former,) = [message for message in house.world.messages() if message.kind == outbox.FORGET]
        assert (former.state, former.payload) == ("delivered", {})

    @pytest.mark.acceptance("S3-19")
    def test_reward_taken_back(self, house: House) -> None:
        """The code of a reward that is being taken back is off the profile before its points have returned."""
        house.world.apply(HELD | {"rewards": [five_off(points=30)]})
        house.life.adjust(ADA, 40)
        house.life.redeem("first")
        house.settle()
        assert house.shown()["Laurel Rewards Ready"] == ["FIRST"]
        with house.world.runtime.transaction() as session:
            issue = session.exec(select(RewardIssue)).one()
            shop = session.get_one(Shop, house.world.shop.shop_id)
            redemption.cancel(session, shop, issue, by="staff", now=house.world.clock())
        house.settle()
        assert "Laurel Rewards Ready" not in house.shown()

    def test_nothing_that_is_shown(self, house: House) -> None:
        """What no profile shows is no reason to write one."""
        now = house.world.clock()
        before = len(house.silent())
        house.life.hear(CustomerSeen(ADA, "Ada", "Fern", "fr", now, now))
        assert len(house.silent()) == before

    def test_news(self, house: House) -> None:
        """Where there is news, it writes the profile: nothing else is queued."""
        before = len(house.silent())
        house.life.adjust(ADA, 40)
        house.life.hear(BirthdayTold(ADA, 2, 9, house.world.clock()))
        assert len(house.silent()) == before

    def test_not_connected(self, world: World) -> None:
        """A shop without a link queues nothing."""
        life = Life(world)
        world.apply(HELD)
        life.join(ADA, "Ada", None)
        life.buy(ADA, "150")
        assert world.messages() == [] or {message.channel for message in world.messages()} == {"shopify"}


class TestQueue:
    """At most one of a member waits."""

    def test_collapse(self, either_house: House) -> None:
        """Several changes become one message, which says what is true at last."""
        house = either_house
        before = len(house.silent())
        for name in ("Adah", "Adele", "Adina"):
            house.rename(name)
            house.world.clock.forward(seconds=2)
        assert len(house.silent()) == before + 1
        house.settle()
        assert house.world.profile(ADA.email or "")["first_name"] == "Adina"

    def test_waits_a_moment(self, house: House) -> None:
        """What settles within seconds is waited for; whoever drains is told how long."""
        house.rename("Adah")
        sent = house.drain()
        assert sent.messages == 0
        assert sent.again_in == pytest.approx(silent.SETTLES_WITHIN.total_seconds())

    def test_changed_while_sending(self, either_house: House) -> None:
        """A change that comes while a message is on its way has one of its own."""
        house, world = either_house, either_house.world
        house.rename("Adah")
        world.clock.forward(seconds=20)
        with world.runtime.transaction() as session:
            claimed = outbox.claim(
                session,
                world.shop.shop_id,
                outbox.PROFILES,
                limit=10,
                lease=timedelta(seconds=60),
                now=world.clock(),
            )
        assert len(claimed) == 1
        house.rename("Adele")
        assert house.waiting() == 1
        # The first one's process was killed: both are due, and one request settles both.
        world.clock.forward(seconds=90)
        asked = len(world.requests_to("/api/profile-import"))
        house.drain()
        assert len(world.requests_to("/api/profile-import")) == asked + 1
        assert {message.state for message in house.silent()} == {"delivered"}
        assert world.profile(ADA.email or "")["first_name"] == "Adele"

    def test_taken_along(self, either_house: House) -> None:
        """An event writes the profile: what waits to do just that is settled with it, without a request."""
        house, world = either_house, either_house.world
        house.rename("Adah")
        house.life.adjust(ADA, 40)
        world.drain()
        assert {message.state for message in house.silent()} == {"delivered"}
        assert world.requests_to("/api/profile-import") == []
        assert world.profile(ADA.email or "")["first_name"] == "Adah"

    def test_event_refused(self, house: House) -> None:
        """An event that Klaviyo refuses has written nothing: the profile is written by itself."""
        world = house.world
        house.rename("Adah")
        world.put_news(house.silent()[-1].member_id or 0, 99, note="x" * 110_000)
        world.drain()
        assert world.states()["refused"] == 1
        assert world.profile(ADA.email or "")["first_name"] == "Adah"


class TestPruned:
    """What nobody needs any longer goes."""

    def test_after_a_month(self, either_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """That a profile was written is forgotten after a month; events stay, and so does what still waits."""
        monkeypatch.setattr(pruning, "ROWS_AT_ONCE", 2)
        house = House(either_world)
        ids = either_world.add_members(5)
        _want(either_world, ids)
        house.settle()
        events = len(either_world.messages()) - len(house.silent())
        either_world.clock.forward(days=31)
        _want(either_world, ids[:1])
        pruning.prune(either_world.runtime)
        assert [message.state for message in house.silent()] == ["due"]
        assert len(either_world.messages()) == events + 1


class TestSending:
    """Few by themselves, many together, and never before events."""

    def test_bulk(self, either_world: World) -> None:
        """Many profiles are one import job."""
        house = House(either_world)
        _want(either_world, either_world.add_members(60))
        either_world.clock.forward(seconds=11)
        house.drain()
        assert len(either_world.requests_to("/api/profile-bulk-import-jobs")) == 1
        assert either_world.requests_to("/api/profile-import") == []
        assert {message.state for message in house.silent()} == {"delivered"}
        house.world.await_shown("member7@fernandfig.shop", "Laurel Points Balance", 540)

    def test_overtaken(self, world: World) -> None:
        """Whoever changes while such a job waits at Klaviyo, which then overwrites what an event has written, is written once more after it."""
        House(world)
        world.sandbox("PATCH", "/settings", import_delay_seconds=600)
        first, *others = world.add_members(30)
        _want(world, [first, *others])
        world.clock.forward(seconds=11)
        world.drain(outbox.PROFILES)
        assert world.nudges[-1] == ("check_klaviyo", world.shop.shop_id)
        world.clock.forward(seconds=30)
        world.change_member(first, balance=700, updated_at=world.clock())
        world.put_news(first, 1)
        world.drain()
        assert _check(world) == 15
        world.sandbox("POST", "/clock", forward_seconds=601)
        assert world.profile("member0@fernandfig.shop")["properties"]["Laurel Points Balance"] == 540
        assert _check(world) is None
        assert "profile_jobs" not in world.connection().details
        world.clock.forward(seconds=11)
        assert world.drain(outbox.PROFILES).messages == 1
        assert world.profile("member0@fernandfig.shop")["properties"]["Laurel Points Balance"] == 700

    @pytest.mark.parametrize("count", [3, 40])
    @pytest.mark.parametrize("kind", ["500", "503", "reset", "lost_reply", "429"])
    def test_trouble(self, world: World, kind: str, count: int) -> None:
        """Whatever Klaviyo meets, the profiles are written later."""
        house = House(world)
        world.fault("POST /api/profile-*", kind)
        _want(world, world.add_members(count))
        world.clock.forward(seconds=11)
        house.drain()
        for _ in range(3):
            world.no_pause()
            world.clock.forward(seconds=90)
            house.drain()
        assert {message.state for message in house.silent()} == {"delivered"}
        house.world.await_shown("member2@fernandfig.shop", "Laurel Points Balance", 540)

    def test_refused(self, world: World) -> None:
        """A profile that Klaviyo blames is refused with its reason, and its neighbours are written."""
        house = House(world)
        ids = [*world.add_members(30), world.add_member("bad@fernandfig.shop", first_name="x" * 110_000)]
        _want(world, ids)
        world.clock.forward(seconds=11)
        house.drain()
        states = [message.state for message in house.silent()]
        assert (states.count("delivered"), states.count("refused")) == (30, 1)

    def test_many_refused(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """When more is refused than can be found out within a minute, what was found out is kept, and the rest goes on from there."""
        house = House(world)
        monkeypatch.setitem(limits.QUOTAS, "POST profile-bulk-import-jobs", limits.Quota(20, 8))
        monkeypatch.setattr(pointers, "blamed", lambda reply, size: {})
        poisons = [
            world.add_member(f"bad{number}@fernandfig.shop", first_name="x" * 110_000) for number in range(4)
        ]
        _want(world, [*world.add_members(50), *poisons])
        for _ in range(10):
            world.clock.forward(seconds=90)
            for key in world.redis.scan_iter("laurel:klaviyo:*:calls"):
                world.redis.delete(key)
            house.drain()
        states = [message.state for message in house.silent()]
        assert (states.count("delivered"), states.count("refused")) == (50, 4)

    def test_no_address(self, world: World) -> None:
        """Whom Klaviyo cannot know is skipped without a request."""
        house = House(world)
        _want(world, [world.add_member("x@example.com"), world.add_member("bad")])
        world.clock.forward(seconds=11)
        house.drain()
        assert [(m.state, m.error) for m in house.silent()] == [
            ("dropped", "test_address"),
            ("refused", "invalid_email"),
        ]

    def test_limit_asked_first(self, world: World) -> None:
        """Without a grant nothing is sent, the wait is the limiter's, and the attempt does not count."""
        house = House(world)
        Limiter(world.redis).pause("FernFg", "POST profile-bulk-import-jobs", 25)
        _want(world, world.add_members(30))
        world.clock.forward(seconds=11)
        again_in = house.drain().again_in
        assert again_in is not None
        assert 10 < again_in <= 25
        assert {message.attempts for message in house.silent()} == {0}

    def test_events_first(self, world: World) -> None:
        """Events do not wait behind profiles, however many of these there are."""
        House(world)
        ids = world.add_members(1_500)
        _want(world, ids)
        world.clock.forward(seconds=11)
        world.put_news(ids[-1], 1)
        assert world.drain().messages == 2  # the event, and what it takes along
        assert len(world.events(email="member1499@fernandfig.shop")) == 1

    @pytest.mark.parametrize(
        ("link", "state"),
        [
            ({"problem": None}, "dropped"),
            ({"problem": "authorization_lost"}, "due"),
        ],
    )
    def test_link_ended(self, world: World, link: dict[str, Any], state: str) -> None:
        """A link that was ended has nobody to write to; one that broke is waited for."""
        house = House(world)
        _want(world, world.add_members(1))
        world.change_connection(state="disconnected", account_id=None, access_token=None, **link)
        world.clock.forward(seconds=11)
        house.drain()
        assert [message.state for message in house.silent()] == [state]

    def test_erased(self, world: World) -> None:
        """Nothing is written of somebody who was erased meanwhile."""
        house = House(world)
        (member_id,) = world.add_members(1)
        _want(world, [member_id])
        world.change_member(member_id, state="redacted", email=None)
        world.clock.forward(seconds=11)
        house.drain()
        assert [(m.state, m.error) for m in house.silent()] == [("dropped", "no_recipient")]
        assert world.profile("member0@fernandfig.shop") is None


class TestSettings:
    """A change of the program changes what is true of everybody."""

    @pytest.mark.acceptance("S3-15", "S3-18")
    def test_expiry(self, either_world: World) -> None:
        """Another expiry moves the dates of all who have one, in a few requests; whoever has none is left in peace."""
        house = _crowd(either_world, HELD | {"expiry": {"kind": "inactivity", "months": 12}})
        asked = len(either_world.requests_to("/api/"))
        _change(either_world, HELD | {"expiry": {"kind": "inactivity", "months": 6}})
        assert house.waiting() == 25
        house.settle()
        assert len(either_world.requests_to("/api/")) == asked + 1
        with either_world.runtime.reading() as session:
            member = session.exec(select(Member).where(Member.email == "m3@fernandfig.shop")).one()
        assert member.expires_at is not None
        assert 170 < (member.expires_at - either_world.clock()).days < 190
        day = member.expires_at.date().isoformat()
        house.world.await_shown("m3@fernandfig.shop", "Laurel Points Expire At", day)

    @pytest.mark.acceptance("S3-17")
    def test_tiers(self, either_world: World) -> None:
        """Another ladder changes the next tier and what is missing for it; a change that nobody's profile shows sends nothing."""
        house = _crowd(either_world, HELD | {"tiers": LADDER})
        gold = LADDER["ladder"][0] | {"threshold": "2000"}  # type: ignore[index]
        _change(either_world, HELD | {"tiers": LADDER | {"ladder": [gold]}})
        house.settle()
        house.world.await_shown("m3@fernandfig.shop", "Laurel Next Tier Distance", 2000)
        sent = len(house.silent())
        _change(either_world, HELD | {"tiers": LADDER | {"ladder": [gold]}, "balance_reminder": REMINDER})
        assert len(house.silent()) == sent


REMINDER = {"every": "month", "minimum": 1, "hour": 9}


def five_off(points: int) -> dict[str, Any]:
    return {"key": "five_off", "kind": "amount_off", "title": "$5 off", "points": points, "amount": "5.00"}


def _check(world: World) -> float | None:
    return registration.check(world.runtime, world.config, world.redis, world.shop.shop_id, http=world.http)


def _want(world: World, ids: list[int]) -> None:
    with world.runtime.transaction() as session:
        silent.want(session, world.shop.shop_id, ids, now=world.clock())


def _crowd(world: World, program: Mapping[str, Any]) -> House:
    """Twenty-five members with 500 points, and Ada without any."""
    house = House(world, program)
    for number in range(25):
        who, now = Identity(9000 + number, f"m{number}@fernandfig.shop"), world.clock()
        house.life.join(who, "M", None)
        with world.runtime.transaction() as session:
            shop = session.get_one(Shop, world.shop.shop_id)
            fact = PointsAdjusted(500, f"start-{number}", "Welcome", "staff", now)
            staff.adjust(session, shop, house.life.member(session, who), fact, now=now)
    house.settle()
    house.settle()
    assert house.waiting() == 0
    return house


def _change(world: World, document: Mapping[str, Any]) -> None:
    """Apply another version, and bring everybody up to date."""
    world.apply(document)
    with world.runtime.transaction() as session:
        run_id = calendar.start_refresh(session, world.shop.shop_id, now=world.clock()).id
    assert run_id is not None
    while runs.advance(world.runtime, run_id, calendar.refresh_step, seconds=0) is not None:
        pass
