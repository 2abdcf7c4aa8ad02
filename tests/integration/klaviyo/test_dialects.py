"""The dialects from what happens in a shop to Klaviyo's own record of it, over HTTP: the whole life of two customers under the names of every
program at once, choosing and leaving a dialect, and what is sent again."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col, select

from app import create_app
from klaviyo_oauth import choosing, connections, drift_check, samples, sampling, sync
from klaviyo_oauth.dialects import DIALECTS, choice
from klaviyo_oauth.standing import shop_view, standing_of
from loyalty import outbox, runs
from loyalty.core import news
from loyalty.models import Member, OutboxMessage, Run
from tests.integration.klaviyo.conftest import World
from tests.integration.klaviyo.life import ADA, BO, Life
from tests.integration.klaviyo.test_every_event import send_all

ADA_EMAIL, BO_EMAIL = str(ADA.email), str(BO.email)
# What that life is in the words of each program, typed. Ada joins, tells a birthday, buys (150), gets a tier and its reward, is corrected (-7),
# redeems three times, uses one code, has one taken back and loses one; she brings Bo, who joins and buys (40); all points end, the tier too.
THEIRS = {
    "smile": {
        (ADA_EMAIL, "Points Earned on Order"): 2,
        (BO_EMAIL, "Points Earned on Order"): 1,
        (ADA_EMAIL, "Points Redeemed"): 3,
        (ADA_EMAIL, "Points Expiring"): 2,
        (BO_EMAIL, "Points Expiring"): 2,
        (BO_EMAIL, "Referral Started"): 1,
        (ADA_EMAIL, "Referral Completed"): 1,
        (ADA_EMAIL, "Reward Expiring"): 1,
        (ADA_EMAIL, "VIP Tier Achieved"): 1,
    },
    "stamped": {
        (ADA_EMAIL, "EarnAccountNew"): 1,
        (BO_EMAIL, "EarnAccountNew"): 1,
        (ADA_EMAIL, "BirthdaySet"): 1,
        (ADA_EMAIL, "earnOrderNew"): 2,
        (BO_EMAIL, "earnOrderNew"): 1,
        (ADA_EMAIL, "spendRewardRedeemed"): 3,
        (ADA_EMAIL, "PurchasedWithReward"): 1,
        (ADA_EMAIL, "CouponExpired"): 2,
        (ADA_EMAIL, "VIPTierUpdated"): 2,
        (ADA_EMAIL, "sharedReferral"): 1,
        (BO_EMAIL, "receivedReferral"): 1,
        (BO_EMAIL, "accpetedReferral"): 1,
        (ADA_EMAIL, "referredCustomer"): 1,
        (ADA_EMAIL, "PointsExpired"): 1,
        (BO_EMAIL, "PointsExpired"): 1,
    },
    "beans": {
        (ADA_EMAIL, "Beans member created"): 1,
        (BO_EMAIL, "Beans member created"): 1,
        (ADA_EMAIL, "Beans points credited"): 5,
        (BO_EMAIL, "Beans points credited"): 2,
        (ADA_EMAIL, "Beans points debited"): 5,
        (BO_EMAIL, "Beans points debited"): 1,
        (ADA_EMAIL, "Beans tier upgraded"): 1,
        (ADA_EMAIL, "Beans tier downgraded"): 1,
        (BO_EMAIL, "Beans friend invited"): 1,
        (BO_EMAIL, "Beans friend rewarded"): 1,
    },
    "influence": {
        (ADA_EMAIL, "Influence.io Points earned"): 4,
        (BO_EMAIL, "Influence.io Points earned"): 2,
        (ADA_EMAIL, "Influence.io Points spent"): 3,
        (ADA_EMAIL, "Influence.io Tier changed"): 2,
        (ADA_EMAIL, "Influence.io Tier entry reward earned"): 1,
        (BO_EMAIL, "Influence.io Referral started"): 1,
        (ADA_EMAIL, "Influence.io Referral completed"): 1,
    },
}


def choose(world: World, *keys: str) -> int | None:
    """Choose dialects as the page does; gives the sync that this begins."""
    with world.runtime.transaction() as session:
        chosen = choosing.choose(session, world.shop.shop_id, keys, now=world.clock())
        return chosen.run.id if chosen.run is not None else None


def finish(world: World, run_id: int | None, kind: Any = sync, *, steps: int = 300) -> Run:
    """Advance a run until it ends."""
    assert run_id is not None
    step = kind.create_step(world.runtime, world.config, world.redis, world.http)
    for _ in range(steps):
        world.no_pause()
        wait = runs.advance(world.runtime, run_id, step, seconds=0)
        if wait is None:
            with world.runtime.reading() as session:
                return session.get_one(Run, run_id)
        world.clock.forward(seconds=wait)
        world.sandbox("POST", "/clock", forward_seconds=max(wait, 0.1))
    pytest.fail("it never ends")


def recorded(world: World) -> Counter[tuple[str, str]]:
    return Counter((event["email"], event["metric"]) for event in world.events())


def said(world: World, metric: str, email: str = ADA_EMAIL) -> list[dict[str, Any]]:
    """What the events of a name say to somebody, the latest first."""
    return [
        {name: value for name, value in event["properties"].items() if name != "$event_id"}
        for event in world.events(metric=metric)
        if event["email"] == email
    ]


def properties_of(world: World, email: str) -> dict[str, Any]:
    found = world.profile(email)
    return dict(found["properties"]) if found else {}


def log(world: World) -> list[OutboxMessage]:
    with world.runtime.reading() as session:
        return list(
            session.exec(
                select(OutboxMessage)
                .where(OutboxMessage.channel == "klaviyo")
                .order_by(col(OutboxMessage.id))
            ).all()
        )


class TestWholeLife:
    """One life in a shop that speaks every dialect, told at once each time or all of it together."""

    @pytest.fixture(params=["single", "bulk"])
    def road(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.mark.acceptance("S3-07", "S3-55", "S3-57", "S4-19", "S0-09", "S0-11", "S1-28", "S1-34", "S1-35")
    def test_everything(self, either_world: World, road: str) -> None:
        """Each program's events arrive under its names at whom it tells them, once each, however often all of it is sent."""
        world = either_world
        assert world.connect() == "connected"
        choose(world, *DIALECTS)
        Life(world, (lambda: send_all(world)) if road == "single" else (lambda: None)).play()
        send_all(world)
        found = recorded(world)
        for vendor, expected in THEIRS.items():
            names = set(choice([vendor]).metrics)
            told = {key: count for key, count in found.items() if key[1] in names}
            assert told == expected, vendor

        rows = log(world)
        with world.runtime.transaction() as session:
            ids = [row.id for row in rows if row.id is not None]
            assert outbox.retry(session, world.shop.shop_id, ids, now=world.clock()) == len(rows)
        send_all(world)
        assert recorded(world) == found
        self._check_log(world, found)
        self._check_words(world)

    def _check_log(self, world: World, found: Counter[tuple[str, str]]) -> None:
        """The log names everything that was told, and nothing else."""
        told = Counter(name for row in log(world) for name in (row.told or "").splitlines())
        by_name: Counter[str] = Counter()
        for (_, name), count in found.items():
            by_name[name] += count
        assert told == by_name

    def _check_words(self, world: World) -> None:
        """What arrived, exactly, where it does not depend on the day."""
        redeemed = said(world, "spendRewardRedeemed")
        assert {(event["activity_points"], event["activity_title"]) for event in redeemed} == {(50, "$5 off")}
        assert {event["coupon_code"] for event in redeemed} == {"FIRST", "SECOND", "THIRD"}
        (used,) = said(world, "PurchasedWithReward")
        assert (used["coupon_code"], used["activity_title"]) == ("FIRST", "$5 off")
        assert said(world, "BirthdaySet") == [{"birthday": "1904-02-09"}]
        (received,) = said(world, "receivedReferral", BO_EMAIL)
        assert (received["referral_email"], received["referral_name"]) == (ADA_EMAIL, "Ada Fern")
        (accepted,) = said(world, "accpetedReferral", BO_EMAIL)
        (started,) = said(world, "Influence.io Referral started", BO_EMAIL)
        (smile,) = said(world, "Referral Started", BO_EMAIL)
        assert (
            accepted["coupon_code"] == started["rewardCode"] == smile["receiver_reward_fulfillment"]["code"]
        )
        assert started == {
            "rewardTitle": "$10 off",
            "customerName": "Ada Fern",
            "friendEmail": BO_EMAIL,
            "rewardCode": accepted["coupon_code"],
            "rewardFor": "friend",
        }
        (order,) = said(world, "Points Earned on Order", BO_EMAIL)
        assert (order["points_change"], order["description"]) == (40, "Place an order")
        assert {"id", "customer_id", "created_at", "updated_at"} <= set(order)
        credited = said(world, "Beans points credited")
        assert {type(event["Beans Transaction Delta"]) for event in credited} == {int}
        assert {event["Beans Transaction Sign"] for event in credited} == {"+"}
        assert all(
            event["$value"] == event["Beans Member Points"]
            for event in credited
            if "Beans Member Points" in event
        )
        debits = said(world, "Beans points debited")
        assert {event["Beans Transaction Type"] for event in debits} == {"debit"}
        assert sorted(event["Beans Transaction Delta"] for event in debits)[:4] == [7, 50, 50, 50]
        changes = said(world, "Influence.io Tier changed")
        assert {event.get("tierTitle") for event in changes} == {"Gold Leaf", None}
        (achieved,) = said(world, "VIP Tier Achieved")
        assert achieved["current_vip_tier"]["name"] == "Gold Leaf"
        assert "previous_vip_tier" not in achieved


@pytest.fixture(name="synced")
def _synced(connected: World) -> World:
    """Ada is a member, and Klaviyo knows her from the first sync."""
    connected.add_member(ADA_EMAIL, first_name="Ada", tier="gold", birthday_month=2, birthday_day=9)
    with connected.runtime.transaction() as session:
        run = sync.start_sync(session, connected.shop.shop_id, now=connected.clock())
        run_id = run.id
    assert finish(connected, run_id).state == "done"
    return connected


class TestChoosing:
    """From one choice to another."""

    @pytest.mark.acceptance("S3-11", "S4-14")
    def test_instead(self, synced: World) -> None:
        """Another dialect instead of ours: its properties are written on every profile, ours are taken off, and what others wrote stays."""
        synced.write_profile(ADA_EMAIL, Favourite="fern", swell_point_balance=3)
        assert finish(synced, choose(synced, "smile")).state == "done"
        shown = properties_of(synced, ADA_EMAIL)
        assert shown == {
            "Favourite": "fern",
            "swell_point_balance": 3,
            "Smile Points Balance": 540,
            "Smile State": "member",
            "Smile VIP Tier Name": "gold",
            "Smile VIP Tier ID": shown["Smile VIP Tier ID"],
        }
        assert "dialects_left" not in synced.connection().details

    def test_leaving(self, synced: World) -> None:
        """Leaving takes off what we wrote; what the other program knew and we never did stays, in both directions."""
        theirs = {
            "stamped_rewards_last_redeemed_points_date": "2025-01-02",
            "stamped_rewards_vip_tier": "Platinum",
        }
        synced.write_profile(ADA_EMAIL, **theirs)
        assert finish(synced, choose(synced, "laurel", "stamped")).state == "done"
        shown = properties_of(synced, ADA_EMAIL)
        assert shown["stamped_rewards_vip_tier"] == "gold"
        assert shown["stamped_rewards_birthday"] == "1904-02-09"
        assert shown["stamped_account_confirmed"] is True
        assert shown["stamped_rewards_last_redeemed_points_date"] == "2025-01-02"
        assert finish(synced, choose(synced, "laurel")).state == "done"
        left = {name for name in properties_of(synced, ADA_EMAIL) if name.startswith("stamped")}
        assert left == {"stamped_rewards_last_redeemed_points_date"}

    def test_stops_at_once(self, synced: World) -> None:
        """What waits when a dialect is left is not told in it any more, and its metric is not told of what follows."""
        choose(synced, "laurel", "stamped")
        member_id = synced.add_member(BO_EMAIL)
        synced.put_news(member_id, 1, way="order", reason="Place an order")
        synced.drain()
        assert recorded(synced)[(BO_EMAIL, "earnOrderNew")] == 1
        synced.put_news(member_id, 2, way="order")
        choose(synced, "laurel")
        synced.drain()
        assert recorded(synced) == {(BO_EMAIL, "Points Earned"): 2, (BO_EMAIL, "earnOrderNew"): 1}

    def test_first_sync_is_the_merchants(self, connected: World) -> None:
        """Before the first sync, which may cost money, a choice begins none."""
        assert choose(connected, "smile") is None
        assert connected.connection().dialects == "smile"

    def test_nothing_new(self, synced: World) -> None:
        """The choice that there is already begins nothing."""
        assert choose(synced, "laurel") is None

    @pytest.mark.parametrize("keys", [(), ("klingon",), ("laurel", "klingon")])
    def test_nonsense(self, synced: World, keys: tuple[str, ...]) -> None:
        """No dialect at all, or one that there is not, changes nothing."""
        with pytest.raises(ValueError, match=r"klingon|\[\]"):
            choose(synced, *keys)
        assert synced.connection().dialects == "laurel"

    def test_during_a_sync(self, synced: World) -> None:
        """A choice in the middle of a sync begins it again, so that no profile is left with the names of before. What is under way counts, too."""
        synced.add_members(60)
        with synced.runtime.transaction() as session:
            run_id = sync.start_sync(session, synced.shop.shop_id, now=synced.clock()).id
        step = sync.create_step(synced.runtime, synced.config, synced.redis, synced.http, batch_size=5)
        runs.advance(synced.runtime, run_id or 0, step, seconds=0)
        assert choose(synced, "smile") == run_id
        run = finish(synced, run_id)
        assert (run.state, run.failed) == ("done", 0)
        assert run.total == run.done + run.skipped
        for number in (0, 30, 59):
            shown = properties_of(synced, f"member{number}@fernandfig.shop")
            assert shown["Smile Points Balance"] == 540
            assert not [name for name in shown if name.startswith("Laurel")]
        assert "dialects_left" not in synced.connection().details

    def test_another_account(self, synced: World) -> None:
        """The dialects are the shop's: another account is told in the same ones, and has nothing of ours to be taken off."""
        choose(synced, "smile")
        assert synced.connect(account="HarbCf") == "connected"
        assert synced.connection().dialects == "smile"
        assert "dialects_left" not in synced.connection().details


class TestSending:
    """What a message becomes when something goes wrong."""

    def test_half_told(self, synced: World) -> None:
        """A second name that Klaviyo cannot take now has the message wait; sent again, nothing is recorded twice."""
        choose(synced, "laurel", "stamped", "beans")
        member_id = synced.add_member(BO_EMAIL)
        synced.put_news(member_id, 1, way="order", reason="Place an order")
        synced.fault("POST /api/events", "503", skip=1, times=1)
        synced.drain()
        assert {row.state for row in log(synced)} == {"due"}
        assert recorded(synced) == {(BO_EMAIL, "Points Earned"): 1}
        synced.clock.forward(minutes=10)
        send_all(synced)
        assert recorded(synced) == {
            (BO_EMAIL, "Points Earned"): 1,
            (BO_EMAIL, "earnOrderNew"): 1,
            (BO_EMAIL, "Beans points credited"): 1,
        }

    def test_no_name(self, synced: World) -> None:
        """What the chosen dialect has no name for is no event; the profile shows it all the same, and the log says so."""
        choose(synced, "smile")
        member_id = synced.add_member(BO_EMAIL, balance=77)
        synced.put_news(member_id, 1, way="signup", source="signup")
        synced.drain()
        assert recorded(synced) == {}
        assert properties_of(synced, BO_EMAIL)["Smile Points Balance"] == 77
        (row,) = log(synced)
        assert (row.state, row.told) == ("delivered", "")

    def test_no_name_among_many(self, synced: World) -> None:
        """So it is in a long backlog, where most go in bulk."""
        choose(synced, "smile")
        for number in range(60):
            member_id = synced.add_member(f"m{number}@fernandfig.shop", balance=number + 1)
            way = "order" if number % 2 else "signup"
            synced.put_news(member_id, number, way=way, source=way)
        send_all(synced)
        assert sum(recorded(synced).values()) == 30
        assert {row.state for row in log(synced)} == {"delivered"}
        for number in (0, 1, 59):
            synced.await_shown(f"m{number}@fernandfig.shop", "Smile Points Balance", number + 1)

    def test_refused_under_one_name(self, synced: World) -> None:
        """In a backlog, too, what Klaviyo refuses under one name arrives under the other one."""
        choose(synced, "laurel", "smile")
        for number in range(30):
            synced.put_news(synced.add_member(f"m{number}@fernandfig.shop"), number, way="order")
        synced.put_news(synced.add_member(BO_EMAIL), 99, way="order", note="x" * 110_000)
        synced.drain()
        told = [metric for email, metric in recorded(synced) if email == BO_EMAIL]
        assert told == ["Points Earned on Order"]
        (row,) = [row for row in log(synced) if row.state == "refused"]
        assert (row.error or "").startswith("Points Earned: ")

    def test_limit_of_a_request(self, synced: World) -> None:
        """A thousand events a request are counted as events, not as messages."""
        choose(synced, "laurel", "stamped", "beans", "influence")
        member_id = synced.add_member(BO_EMAIL)
        with synced.runtime.transaction() as session:
            outbox.put_many(session, [synced.news(member_id, n, way="order", reason="x") for n in range(400)])
        send_all(synced)
        assert synced.counts()["events"]["recorded"] == 1_600
        assert len(synced.requests_to("/api/event-bulk-create-jobs")) == 2

    def test_erasure(self, synced: World) -> None:
        """Whoever is to be forgotten loses what we wrote in every dialect, and nothing else."""
        finish(synced, choose(synced, *DIALECTS))
        synced.write_profile(ADA_EMAIL, Favourite="fern")
        assert len(properties_of(synced, ADA_EMAIL)) > 20
        with synced.runtime.transaction() as session:
            session.execute(update(Member).where(col(Member.email) == ADA_EMAIL).values(email=None))
            sealed = synced.cipher.seal(ADA_EMAIL, row=f"forget:{synced.shop.shop_id}")
            outbox.put(
                session, synced.shop.shop_id, "klaviyo", "forget_profile", "forget-1", {"sealed": sealed},
                occurred_at=synced.clock(), now=synced.clock(),
            )  # fmt: skip
        synced.drain()
        assert properties_of(synced, ADA_EMAIL) == {"Favourite": "fern"}

    def test_drift(self, synced: World) -> None:
        """The check compares the properties of every dialect that is spoken, truth values included, and heals them."""
        finish(synced, choose(synced, "laurel", "stamped", "influence"))
        synced.clock.forward(hours=1)
        synced.write_profile(ADA_EMAIL, stamped_account_confirmed=1, **{"Influence.io Point Balance": 3})
        with synced.runtime.transaction() as session:
            run = drift_check.start_check(session, synced.shop.shop_id, repair=True, now=synced.clock())
            run_id = run.id
        found = finish(synced, run_id, drift_check)
        assert (found.state, found.failed, drift_check.healed(found)) == ("done", 1, 1)
        shown = properties_of(synced, ADA_EMAIL)
        assert (shown["stamped_account_confirmed"], shown["Influence.io Point Balance"]) == (True, 540)


class TestSamples:
    """Test events over HTTP."""

    def _press(self, world: World, email: str, key: str) -> str | None:
        with world.runtime.transaction() as session:
            return sampling.want(session, world.cipher, world.shop.shop_id, email, key=key, now=world.clock())

    @pytest.mark.acceptance("S4-45")
    def test_stranger(self, connected: World) -> None:
        """Every metric of every chosen dialect arrives on the merchant's profile, marked; no flow starts; the profile shows what segments and
        campaigns would find. The address is nowhere to be read in our tables."""
        choose(connected, *DIALECTS)
        assert self._press(connected, "owner@fernandfig.shop", "one") is None
        send_all(connected)
        events = connected.events()
        assert {event["metric"] for event in events} == set(choice(DIALECTS).metrics)
        assert {event["email"] for event in events} == {"owner@fernandfig.shop"}
        assert all(event["properties"]["laurel_test"] is True for event in events)
        assert connected.counts()["flows"]["total"] == 0
        (row,) = log(connected)
        stranger = samples.stranger("owner@fernandfig.shop", now=row.occurred_at)
        with connected.runtime.reading() as session:
            standing = standing_of(stranger, shop_view(session, connected.shop.shop_id))
        shown = properties_of(connected, "owner@fernandfig.shop")
        assert shown == choice(DIALECTS).show(standing).properties
        assert shown["Smile Points Balance"] == shown["stamped_rewards_points"] == 540
        assert "owner" not in str(row.payload)

    def test_member(self, connected: World) -> None:
        """Whoever is a member keeps what is true of them."""
        connected.add_member("owner@fernandfig.shop", balance=7)
        assert self._press(connected, "owner@fernandfig.shop", "one") is None
        send_all(connected)
        assert properties_of(connected, "owner@fernandfig.shop")["Laurel Points Balance"] == 7
        assert sum(recorded(connected).values()) == len(news.NEWS_KINDS)

    def test_twice(self, connected: World) -> None:
        """Each press tells everything again, a message that is sent again tells nothing anew."""
        for key in ("one", "two"):
            self._press(connected, "owner@fernandfig.shop", key)
        send_all(connected)
        with connected.runtime.transaction() as session:
            ids = [row.id for row in log(connected) if row.id is not None]
            outbox.retry(session, connected.shop.shop_id, ids, now=connected.clock())
        send_all(connected)
        assert sum(recorded(connected).values()) == 2 * len(news.NEWS_KINDS)

    @pytest.mark.parametrize("email", ["", "nonsense", "me@example.com"])
    def test_bad_address(self, connected: World, email: str) -> None:
        """An address that Klaviyo would not take is refused at once."""
        assert self._press(connected, email, "one") is not None
        assert log(connected) == []


class TestCommand:
    """``flask klaviyo dialects``."""

    def test_set(self, synced: World, tmp_path: Path) -> None:
        """It shows what is spoken, chooses, and begins the sync that follows."""
        runner = create_app(synced.settings(tmp_path)).test_cli_runner()
        shop = ["--shop", synced.shop.domain, "--json"]
        assert '"spoken": true' in runner.invoke(args=["klaviyo", "dialects", *shop]).output
        done = runner.invoke(args=["klaviyo", "dialects", *shop, "--set", "smile", "--set", "laurel"])
        assert done.exit_code == 0, done.output
        assert connections.choice_of(synced.connection()).keys == "laurel smile"
        assert done.output.count('"spoken": true') == 2

    def test_not_connected(self, world: World, tmp_path: Path) -> None:
        """Without a link there is nothing to choose for, and it says so."""
        runner = create_app(world.settings(tmp_path)).test_cli_runner()
        done = runner.invoke(args=["klaviyo", "dialects", "--shop", world.shop.domain, "--set", "smile"])
        assert done.exit_code == 1
        assert "not connected to Klaviyo" in done.output
