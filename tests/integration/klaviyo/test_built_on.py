"""What merchants build at Klaviyo on the events and properties: flows that start once for what happens, segments, and mails with values in them.

The local Klaviyo counts how often a flow on a metric would have started, and shows profiles and metrics as Klaviyo's own API does.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from klaviyo_oauth import sync
from klaviyo_oauth.dialects import DIALECTS
from loyalty import calendar, runs, staff
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.facts import ActionDone, BirthdayTold, CustomerSeen, OrderSeen, PointsAdjusted, ReviewSeen
from loyalty.models import Shop
from tests.integration.klaviyo.conftest import World
from tests.integration.klaviyo.life import ADA, BO, PROGRAM, Life
from tests.integration.klaviyo.test_dialects import choose, finish, properties_of, recorded
from tests.integration.klaviyo.test_every_event import send_all
from tests.integration.klaviyo.test_silent import House
from tests.unit.core.makers import line, order

EMAIL = str(ADA.email)
TOLD_WAYS = {
    *(f"follow_{where}" for where in ("facebook", "instagram", "x", "pinterest", "tiktok", "youtube")),
    *("share_x", "share_facebook", "nps", "answer"),
}
GIVEN = (
    "signup",
    "newsletter",
    "anniversary",
    "birthday",
    "review",
    "photo_review",
    "video_review",
    "order_fixed",
)
EVERY_WAY: Mapping[str, dict[str, Any]] = {
    **{way: {"points": 20} for way in (*GIVEN, *sorted(TOLD_WAYS))},
    "order": {"rate": "1"},
    "order_value_goal": {"points": 20, "minimum": "100"},
    "order_count_goal": {"points": 20, "goal": 1},
    "spend_goal": {"points": 20, "goal": "100"},
}
BIRTHDAY = PROGRAM | {"earn": PROGRAM["earn"] | {"birthday": {"title": "Happy birthday", "points": 200}}}


def asked(world: World, path: str) -> list[dict[str, Any]]:
    """What Klaviyo's API answers to the shop's own key."""
    answer = world.http.get(
        f"{world.klaviyo.url}{path}",
        headers={"Authorization": "Klaviyo-API-Key pk_sandbox_FernFg", "revision": world.config.revision},
    )
    assert answer.ok, answer.text
    return list(answer.json()["data"])


def birthday_told(world: World) -> BirthdayTold:
    return BirthdayTold(ADA, 2, 9, world.clock())


def change(world: World, document: Mapping[str, Any]) -> None:
    """Another version of the program, with everybody brought up to date."""
    world.apply(document)
    with world.runtime.transaction() as session:
        run_id = calendar.start_refresh(session, world.shop.shop_id, now=world.clock()).id
    while runs.advance(world.runtime, run_id or 0, calendar.refresh_step, seconds=0) is not None:
        pass


@pytest.fixture(name="lived")
def _lived(connected: World) -> World:
    """A life told as it happened, in our names and in those of Stamped and Smile.io."""
    choose(connected, "laurel", "stamped", "smile")
    life = Life(connected, lambda: send_all(connected))
    connected.apply(BIRTHDAY)
    life.play()
    return connected


class TestBuiltOn:
    """After a life in the shop."""

    @pytest.mark.acceptance(
        "S3-02",
        "S3-26",
        "S3-58",
        "S3-59",
        "S3-60",
        "S3-62",
        "S4-03",
        "S4-05",
        "S4-07",
        "S4-22",
        "S4-23",
        "S4-43",
    )
    def test_flows_and_segments(self, lived: World) -> None:
        """Every event starts a flow on its metric once: the welcome, the birthday, the redemption, the reminder. Each metric is known to
        Klaviyo's API, each event and each profile has values that segments can ask for: at the top and of one type."""
        told = Counter(event["metric"] for event in lived.events())
        flows = lived.counts()["flows"]["by_metric"]
        assert flows == dict(told)
        assert flows["Joined Program"] == flows["EarnAccountNew"] == 2
        assert flows["EarnAccountBirthday"] == flows["Birthday Reward Issued"] == 1
        assert flows["Points Redeemed"] == flows["spendRewardRedeemed"] == 3
        assert flows["Points Balance Reminder"] >= 3
        assert set(told) <= {metric["attributes"]["name"] for metric in asked(lived, "/api/metrics/")}
        types: dict[str, set[type]] = {}
        for event in lived.events():
            top = {name: value for name, value in event["properties"].items() if not isinstance(value, dict)}
            assert set(top) - {"$event_id"}, event["metric"]
        for email in (EMAIL, str(BO.email)):
            for name, value in properties_of(lived, email).items():
                assert isinstance(value, str | int | float | list), name
                types.setdefault(name, set()).add(type(value))
        assert all(len(found) == 1 for found in types.values())

    @pytest.mark.acceptance("S3-03", "S3-61", "S4-02", "S4-06", "S4-44")
    def test_values_in_mails(self, connected: World) -> None:
        """What a template inserts is on the profile under a name that one finds by its beginning: balance, tier, link, birthday, in each
        dialect that is spoken."""
        choose(connected, "laurel", "stamped", "smile")
        life = Life(connected, lambda: send_all(connected))
        life.join(ADA, "Ada", "Fern")
        life.hear(birthday_told(connected))
        life.buy(ADA, "150")
        (profile,) = asked(connected, f'/api/profiles/?filter=equals(email,"{EMAIL}")')
        shown = profile["attributes"]["properties"]
        insert = {name for name in shown if name.startswith("stamped_rewards")}
        assert {
            "stamped_rewards_birthday",
            "stamped_rewards_points",
            "stamped_rewards_referral_link",
            "stamped_rewards_vip_tier",
        } <= insert
        assert (
            shown["stamped_rewards_points"] == shown["Smile Points Balance"] == shown["Laurel Points Balance"]
        )
        assert shown["stamped_rewards_points"] == 250
        assert shown["stamped_rewards_vip_tier"] == shown["Smile VIP Tier Name"] == "Gold Leaf"
        assert shown["Smile Referral URL"] == shown["stamped_rewards_referral_link"]


class TestEveryWay:
    """From what a member does to the event of Stamped's that tells of it."""

    @pytest.mark.acceptance(
        *(f"S3-{row}" for row in (24, 26, 27, 29, 31, 34, 35, 37, 38, 39, 40, 41, *range(46, 55)))
    )
    def test_all(self, connected: World) -> None:
        """Each way to earn arrives under its own name, once for each time, and so does the order that was refunded."""
        choose(connected, "stamped")
        life = Life(connected)
        connected.apply(
            DEFAULT_DOCUMENT | {"earn": {way: EVERY_WAY[way] | {"title": way} for way in EVERY_WAY}}
        )
        life.join(ADA, "Ada", "Fern")
        life.hear(birthday_told(connected))
        life.buy(ADA, "150")
        now = connected.clock()
        refunded = order(
            line("150"), order_id=1, name="#1001", created_at=now, updated_at=now, refunded="10.00"
        )
        connected.clock.forward(minutes=1)
        now = connected.clock()
        life.hear(
            OrderSeen(replace(refunded, updated_at=now), ADA, authoritative=True),
            CustomerSeen(ADA, "Ada", "Fern", "en", now - timedelta(minutes=1), now, subscribed_at=now),
            *(
                ReviewSeen(
                    f"r-{number}", EMAIL, "review", 5, True, media, "published", now, now, has_video=video
                )
                for number, (media, video) in enumerate([(False, False), (True, False), (True, True)])
            ),
            *(ActionDone(way, f"key-{way}", ADA, now) for way in EVERY_WAY if way in TOLD_WAYS),
        )
        connected.clock.forward(days=366)
        life.calendar()
        send_all(connected)
        told = Counter(event["metric"] for event in connected.events(email=EMAIL))
        del told["BirthdaySet"]
        assert told == {
            "EarnAccountNew": 1,
            "EarnAccountBirthday": 1,
            "EarnAccountAnniversary": 1,
            "earnOrderNew": 2,  # by what it cost, and for being an order
            "earnOrderCount": 1,
            "earnOrderAmount": 2,  # for its own amount, and for that of all orders
            "refundOrder": 1,
            "earnReviewNps": 1,
            "earnQuestionAnswer": 1,
            "earnReview": 1,
            "earnPhotoReview": 1,
            "earnVideoReview": 1,
            "earnSocialFollowFacebook": 1,
            "earnSocialFollowInstagram": 1,
            "EarnSocialFollowTwitter": 1,
            "EarnSocialFollowPinterest": 1,
            "EarnSocialFollowTiktok": 1,
            "EarnSocialYoutube": 1,
            "earnSocialShareTwitter": 1,
            "earnSocialShareFacebook": 1,
            "earnNewsletter": 1,
        }


class TestStamped:
    """When the properties of Stamped change, and when they do not."""

    @pytest.fixture(name="house")
    def _house(self, world: World) -> House:
        house = House(world, PROGRAM)
        choose(world, "stamped")
        with world.runtime.transaction() as session:
            run_id = sync.start_sync(session, world.shop.shop_id, now=world.clock()).id
        finish(world, run_id)
        return house

    def _adjust(self, house: House, points: int) -> None:
        now = house.world.clock()
        with house.world.runtime.transaction() as session:
            shop = session.get_one(Shop, house.world.shop.shop_id)
            fact = PointsAdjusted(points, f"by-hand-{points}", "A mistake", "staff", now)
            staff.adjust(session, shop, house.life.member(session, ADA), fact, now=now)
        house.settle()

    @pytest.mark.acceptance("S3-11", "S3-14", "S3-15", "S3-22", "S3-23")
    def test_by_hand(self, house: House) -> None:
        """A correction by hand changes the balance and neither the last activity, nor when points end, nor what was ever earned and spent;
        what the member does changes all of these."""
        house.world.clock.forward(days=3)
        house.life.buy(ADA, "20")
        house.settle()
        before = house.shown()
        bought = house.world.clock().date()
        assert before["stamped_last_activity_date"] == bought.isoformat()
        house.world.clock.forward(days=5)
        self._adjust(house, 33)
        after = house.shown()
        changed = {name for name in after if after[name] != before.get(name)}
        assert changed == {"stamped_rewards_points"}
        assert after["stamped_rewards_points"] == before["stamped_rewards_points"] + 33
        house.life.buy(ADA, "10")
        house.settle()
        later = house.shown()
        assert later["stamped_lifetime_points_earned"] == before["stamped_lifetime_points_earned"] + 10
        assert later["stamped_last_activity_date"] == (bought + timedelta(days=5)).isoformat()
        assert later["stamped_points_expiry_date"] > before["stamped_points_expiry_date"]

    @pytest.mark.acceptance("S3-19", "S3-21", "S3-22")
    def test_rewards(self, house: House) -> None:
        """A code is in the list from the moment it is there until it is used, and the day of the redemption stays."""
        assert "stamped_rewards_last_redeemed_points_date" not in house.shown()
        house.life.redeem("first")
        house.settle()
        day = house.world.clock().date().isoformat()
        shown = house.shown()
        assert shown["stamped_discounts_ready_to_use"] == ["FIRST"]
        assert shown["stamped_rewards_last_redeemed_points_date"] == day
        assert shown["stamped_lifetime_points_spent"] == 50
        house.world.clock.forward(days=2)
        house.life.buy(ADA, "20", code="FIRST")
        house.settle()
        assert "stamped_discounts_ready_to_use" not in house.shown()
        assert house.shown()["stamped_rewards_last_redeemed_points_date"] == day

    @pytest.mark.acceptance("S3-14", "S3-28", "S3-33")
    def test_no_activity(self, house: House) -> None:
        """Points that come back because a code was made void, a code that ends, the warnings, points that end: none of them is an activity."""
        for key in ("void", "ends"):
            house.life.redeem(key)
        house.settle()
        day = house.world.clock().date().isoformat()
        house.world.clock.forward(days=2)
        house.life.cancel("void")
        house.settle()
        assert house.shown()["stamped_rewards_points"] == 50
        assert house.shown()["stamped_last_activity_date"] == day
        for _ in range(190):
            house.world.clock.forward(days=1)
            house.life.calendar()
        house.settle()
        send_all(house.world)
        told = Counter(event["metric"] for event in house.world.events())
        assert (told["CouponExpired"], told["PointsExpired"]) == (2, 1)
        assert house.shown()["stamped_rewards_points"] == 0
        assert house.shown()["stamped_last_activity_date"] == day

    @pytest.mark.acceptance("S3-12", "S3-16", "S3-17", "S3-18")
    def test_tier(self, house: House) -> None:
        """Before a tier there is only the next one; with it, since when and until when; and after it, none of these."""
        assert house.shown()["stamped_next_tier_name"] == "Gold Leaf"
        house.life.buy(ADA, "150")
        house.settle()
        shown = house.shown()
        day = house.world.clock().date().isoformat()
        assert (shown["stamped_rewards_vip_tier"], shown["stamped_current_tier_entry_date"]) == (
            "Gold Leaf",
            day,
        )
        assert "stamped_next_tier_name" not in shown
        falls = shown["stamped__tier_downgrade_date"]
        house.world.clock.forward(days=40)
        house.life.buy(ADA, "150")
        house.settle()
        assert house.shown()["stamped__tier_downgrade_date"] > falls
        for _ in range(140):
            house.world.clock.forward(days=1)
            house.life.calendar()
        house.settle()
        shown = house.shown()
        assert not {
            "stamped_rewards_vip_tier",
            "stamped_current_tier_entry_date",
            "stamped__tier_downgrade_date",
        } & set(shown)
        assert shown["stamped_next_tier_name"] == "Gold Leaf"

    @pytest.mark.acceptance("S3-08", "S3-09", "S3-10", "S3-13", "S3-20")
    def test_person(self, house: House) -> None:
        """Account, its day, birthday, link and code."""
        house.life.hear(birthday_told(house.world))
        house.settle()
        shown = house.shown()
        assert shown["stamped_account_confirmed"] is True
        assert shown["stamped_rewards_birthday"] == "1904-02-09"
        assert shown["stamped_rewards_referral_link"].endswith(shown["stamped_rewards_referral_code"])
        assert len(shown["stamped_rewards_created_date"]) == 10
        assert set(shown) <= set(DIALECTS["stamped"].properties)

    @pytest.mark.acceptance("S3-15", "S3-17", "S3-18")
    def test_other_settings(self, house: House) -> None:
        """Another expiry and another ladder are on the profile without anybody doing anything, in the dialect that is spoken."""
        house.life.buy(ADA, "150")
        house.settle()
        before = house.shown()
        tiers = PROGRAM["tiers"] | {"months": 6}
        tiers["ladder"] = [*tiers["ladder"], {"key": "onyx", "title": "Onyx", "threshold": "900"}]
        change(house.world, PROGRAM | {"tiers": tiers, "expiry": PROGRAM["expiry"] | {"months": 9}})
        house.settle()
        after = house.shown()
        assert after["stamped_next_tier_name"] == "Onyx"
        assert after["stamped_points_expiry_date"] > before["stamped_points_expiry_date"]
        assert after["stamped__tier_downgrade_date"] > before["stamped__tier_downgrade_date"]
        assert not recorded(house.world).keys() & {(EMAIL, "PointsExpired")}
