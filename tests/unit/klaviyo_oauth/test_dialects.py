"""What each dialect makes of news, exactly; which names a choice has; and what of a profile is left alone."""

from typing import Any

import pytest

from klaviyo_oauth import samples
from klaviyo_oauth.dialects import DIALECTS, LAUREL, OURS, Event, choice
from klaviyo_oauth.dialects.readers import number_of
from klaviyo_oauth.payloads import Teller
from klaviyo_oauth.standing import NO_REWARDS, Rewards, ShopView, standing_of
from loyalty.core import news
from loyalty.delivery import Message
from tests.unit.klaviyo_oauth.tellings import NOW, SHOP, bo, message, recipient

AT = "2026-11-22T12:30:15+00:00"
EARNED = {
    "points": 120,
    "points_balance": 540,
    "source": "order",
    "rule": "spend",
    "way": "order",
    "reason": "Place an order",
    "order_name": "#1001",
}
REWARD = {
    "reward": "five_off",
    "reward_id": "issue-1",
    "reward_title": "$5 off",
    "reward_kind": "amount_off",
    "reward_value": 5,
    "coupon_code": "FIVE-A",
    "coupon_created_at": "2026-11-20T09:00:00+00:00",
    "coupon_expires_at": "2026-12-20T09:00:00+00:00",
}
REDEEMED = {"points": 500, "points_balance": 40, "source": "reward", **REWARD}
TIER = {
    "direction": "up",
    "previous_tier": "silver",
    "previous_tier_title": "Silver",
    "tier": "gold_48213",
    "tier_title": "Gold Leaf",
    "reason": "Reached 100 spent",
    "points_balance": 540,
}
REFERRAL = {
    "referral": "ref-1",
    "referral_title": "Refer a friend",
    "referral_code": "ADA-2019",
    "referral_link": "https://fern-and-fig.myshopify.com/?ref=ADA-2019",
}
# Smile's object of a person.
ADA: dict[str, Any] = {
    "id": 7,
    "first_name": "Ada",
    "last_name": "Fern",
    "email": "ada@fernandfig.shop",
    "state": "member",
    "date_of_birth": "1004-02-09",
    "points_balance": 540,
    "referral_url": "https://fern-and-fig.myshopify.com/?ref=ADA-2019",
    "vip_tier_id": number_of("silver"),
    "vip_status": {
        "vip_tier_id": number_of("silver"),
        "vip_tier_expires_at": AT,
        "next_vip_tier_id": number_of("gold"),
        "delta_to_next_vip_tier": 120.5,
    },
    "created_at": AT,
    "updated_at": AT,
}
OTHER_SIDE = ("id", "first_name", "last_name", "email", "state", "referral_url")
FULFILLMENT = {
    "id": "issue-1",
    "name": "$5 off",
    "code": "FIVE-A",
    "customer_id": 7,
    "fulfillment_status": "issued",
    "expires_at": "2026-12-20T09:00:00+00:00",
    "usage_status": "unused",
    "created_at": "2026-11-20T09:00:00+00:00",
    "updated_at": AT,
}


def tell(vendor: str, told: Message) -> list[Event]:
    """What one dialect alone makes of a message."""
    return Teller(choice([vendor]), SHOP, {7: Rewards(("FIVE-A",), NOW)}).words(told)


def one(vendor: str, kind: str, /, *, to: Any = None, about: Any = None, **payload: Any) -> Event:
    (found,) = tell(vendor, message(kind, to=to, about=about, **payload))
    return found


def said(vendor: str, kind: str, /, **payload: Any) -> tuple[str, dict[str, Any]]:
    found = one(vendor, kind, **payload)
    return found.metric, found.properties


class TestSmile:
    """Smile.io: objects of its REST interface, fields at the top."""

    @pytest.mark.acceptance("S4-24", "S4-32")
    def test_transaction(self) -> None:
        """Points on an order are a points transaction; what staff alone may read is not in it."""
        assert said("smile", news.EARNED, **EARNED, internal_note="hush") == (
            "Points Earned on Order",
            {
                "id": "entry-1",
                "customer_id": 7,
                "points_change": 120,
                "description": "Place an order",
                "created_at": AT,
                "updated_at": AT,
            },
        )

    def test_other_points(self) -> None:
        """Smile has no event for points by any other rule, nor for a correction."""
        assert tell("smile", message(news.EARNED, **EARNED | {"source": "signup", "way": "signup"})) == []
        assert tell("smile", message(news.ADJUSTED, **EARNED | {"points": -5})) == []

    @pytest.mark.acceptance("S4-25", "S4-33", "S4-34")
    def test_purchase(self) -> None:
        """A redemption is a points purchase with the reward inside, its code included."""
        assert said("smile", news.REDEEMED, **REDEEMED) == (
            "Points Redeemed",
            {
                "id": "entry-1",
                "customer_id": 7,
                "points_product_id": "five_off",
                "points_spent": 500,
                "reward_fulfillment": FULFILLMENT,
                "created_at": AT,
                "updated_at": AT,
            },
        )

    @pytest.mark.acceptance("S4-23", "S4-34")
    def test_birthday(self) -> None:
        """A birthday that is rewarded is the same event, be it a code or points; a gift for a tier is none."""
        given = said("smile", news.REWARD_GIVEN, **REWARD, given_for="birthday")
        assert given == ("Birthday Reward Issued", FULFILLMENT)
        points = EARNED | {"source": "birthday", "way": "birthday", "points": 200, "reason": "Happy birthday"}
        name, words = said("smile", news.EARNED, **points)
        assert (name, words["name"], words["points_change"]) == ("Birthday Reward Issued", "200 leaves", 200)
        assert tell("smile", message(news.REWARD_GIVEN, **REWARD, given_for="tier")) == []

    @pytest.mark.acceptance("S4-26", "S4-31")
    @pytest.mark.parametrize("which", ["warning", "last_chance"])
    def test_expiring(self, which: str) -> None:
        """Both warnings say everything of the customer; a birthday whose year nobody knows is of the year 1004."""
        assert said("smile", news.EXPIRING, which=which, points=40, points_balance=540) == (
            "Points Expiring",
            ADA,
        )

    @pytest.mark.acceptance("S4-29")
    def test_reward_expiring(self) -> None:
        """A reward about to end is a reward fulfillment."""
        assert said("smile", news.REWARD_EXPIRING, **REWARD) == ("Reward Expiring", FULFILLMENT)

    @pytest.mark.acceptance("S4-30", "S4-36")
    @pytest.mark.parametrize("by_hand", [False, True])
    def test_tier(self, by_hand: bool) -> None:
        """A higher tier is told with both tiers, reached or given by hand; a lower one is not. A number in a tier's key is its number."""
        assert said("smile", news.TIER_CHANGED, **TIER, by_hand=by_hand) == (
            "VIP Tier Achieved",
            {
                "id": "entry-1",
                "customer_id": 7,
                "previous_vip_tier": {"id": number_of("silver"), "name": "Silver"},
                "current_vip_tier": {"id": 48213, "name": "Gold Leaf"},
                "description": "Reached 100 spent",
                "created_at": AT,
            },
        )
        assert tell("smile", message(news.TIER_CHANGED, **TIER | {"direction": "down"})) == []

    @pytest.mark.acceptance("S4-27", "S4-35")
    def test_started(self) -> None:
        """A referral that is claimed: the friend's address and reward, and who sent it. The friend is no customer before the order."""
        name, words = said(
            "smile",
            news.REFERRAL_ACCEPTED,
            to=bo(),
            about=recipient(),
            **REFERRAL,
            **REWARD,
            reward_for="friend",
        )
        assert name == "Referral Started"
        assert words == {
            "id": "ref-1",
            "receiver_customer_email": "bo@fernandfig.shop",
            "receiver_reward_fulfillment": FULFILLMENT | {"customer_id": 8},
            "sender_customer": {name: ADA[name] for name in OTHER_SIDE},
            "created_at": AT,
            "updated_at": AT,
        }

    @pytest.mark.acceptance("S4-28", "S4-35")
    def test_completed(self) -> None:
        """A referral that is rewarded: both people, the friend's code, and the advocate's reward where it is one."""
        extra = {"points": 70, "friend_coupon_code": "FRIEND"}
        name, words = said("smile", news.REFERRAL_COMPLETED, about=bo(), **REFERRAL, **REWARD, **extra)
        assert name == "Referral Completed"
        assert words["sender_customer"] == ADA
        assert words["sender_reward_fulfillment"] == FULFILLMENT
        assert words["receiver_reward_fulfillment"] == {"code": "FRIEND"}
        friend = words["receiver_customer"]
        assert (friend["id"], friend["first_name"], friend["state"]) == (8, "Bo", "candidate")
        assert set(friend) <= set(OTHER_SIDE)
        with_points = said("smile", news.REFERRAL_COMPLETED, about=bo(), **REFERRAL, **extra)[1]
        assert "sender_reward_fulfillment" not in with_points

    @pytest.mark.acceptance("S4-14", "S4-15", "S4-16", "S4-17", "S4-18")
    def test_properties(self) -> None:
        """Five properties, of their types; without a tier its name and number are taken off."""
        shown = choice(["smile"]).show(standing_of(recipient(), SHOP))
        assert shown.properties == {
            "Smile Points Balance": 540,
            "Smile Referral URL": "https://fern-and-fig.myshopify.com/?ref=ADA-2019",
            "Smile State": "member",
            "Smile VIP Tier Name": "Silver",
            "Smile VIP Tier ID": number_of("silver"),
        }
        assert shown.unset == []
        without = choice(["smile"]).show(standing_of(recipient(tier=None), SHOP))
        assert set(without.unset) == {"Smile VIP Tier Name", "Smile VIP Tier ID"}

    @pytest.mark.acceptance("S4-16")
    @pytest.mark.parametrize(
        ("ours", "theirs"), [("member", "member"), ("guest", "candidate"), ("deleted", "disabled")]
    )
    def test_state(self, ours: str, theirs: str) -> None:
        """Three states in Smile's words."""
        shown = choice(["smile"]).show(standing_of(recipient(state=ours), SHOP))
        assert shown.properties["Smile State"] == theirs

    def test_number_of_tier(self) -> None:
        """A key that ends with a number keeps it; any other has a number that never changes."""
        assert number_of("gold_48213") == 48213
        assert number_of("gold") == number_of("gold") != number_of("silver")
        assert number_of(None) is None


STAMPED_WAYS = [
    ("EarnAccountNew", "signup", "S3-24"),
    ("EarnAccountBirthday", "birthday", "S3-26"),
    ("EarnAccountAnniversary", "anniversary", "S3-27"),
    ("earnOrderNew", "order", "S3-29"),
    ("earnOrderNew", "order_fixed", "S3-29"),
    ("earnOrderCount", "order_count_goal", "S3-31"),
    ("earnOrderAmount", "order_value_goal", "S3-34"),
    ("earnOrderAmount", "spend_goal", "S3-34"),
    ("earnReviewNps", "nps", "S3-37"),
    ("earnQuestionAnswer", "answer", "S3-38"),
    ("earnReview", "review", "S3-39"),
    ("earnPhotoReview", "photo_review", "S3-40"),
    ("earnVideoReview", "video_review", "S3-41"),
    ("earnSocialFollowFacebook", "follow_facebook", "S3-46"),
    ("earnSocialFollowInstagram", "follow_instagram", "S3-47"),
    ("EarnSocialFollowTwitter", "follow_x", "S3-48"),
    ("EarnSocialFollowPinterest", "follow_pinterest", "S3-49"),
    ("EarnSocialFollowTiktok", "follow_tiktok", "S3-50"),
    ("EarnSocialYoutube", "follow_youtube", "S3-51"),
    ("earnSocialShareTwitter", "share_x", "S3-52"),
    ("earnSocialShareFacebook", "share_facebook", "S3-53"),
    ("earnNewsletter", "newsletter", "S3-54"),
]


class TestStamped:
    """Stamped: 31 events, each with the keys that it is documented to have."""

    @pytest.mark.parametrize(
        ("name", "way"),
        [pytest.param(name, way, marks=pytest.mark.acceptance(row)) for name, way, row in STAMPED_WAYS],
    )
    def test_earning(self, name: str, way: str) -> None:
        """Each way to earn has its own event, spelled as Stamped spells it."""
        assert said("stamped", news.EARNED, **EARNED | {"way": way, "reason": "A reason"}) == (
            name,
            {"activity_points": 120, "activity_title": "A reason", "stamped_rewards_points": 540},
        )

    def test_own_rules(self) -> None:
        """Points by a rule that Stamped does not have, or for a tier, are not told."""
        for way in ("custom", "tier_entry", "referral"):
            assert tell("stamped", message(news.EARNED, **EARNED | {"way": way})) == []

    @pytest.mark.acceptance("S3-35", "S3-56")
    def test_refund(self) -> None:
        """An order whose points go back is a refund, with points that were taken as a negative number; a correction by hand is not."""
        taken = EARNED | {"points": -120, "points_balance": 420, "reason": "Order #1001 changed"}
        assert said("stamped", news.ADJUSTED, **taken) == (
            "refundOrder",
            {"activity_points": -120, "activity_title": "Order #1001 changed", "stamped_rewards_points": 420},
        )
        assert tell("stamped", message(news.ADJUSTED, **taken | {"source": "staff"})) == []
        assert tell("stamped", message(news.ADJUSTED, **taken | {"points": 120})) == []

    @pytest.mark.acceptance("S3-30", "S3-56")
    def test_redeemed(self) -> None:
        """A redemption says how many points went, as a positive number, what for, and the code."""
        assert said("stamped", news.REDEEMED, **REDEEMED) == (
            "spendRewardRedeemed",
            {
                "activity_points": 500,
                "activity_title": "$5 off",
                "coupon_code": "FIVE-A",
                "stamped_rewards_points": 40,
            },
        )

    @pytest.mark.acceptance("S3-32")
    def test_used(self) -> None:
        """A code that paid for an order."""
        assert said("stamped", news.REWARD_USED, **REWARD, points_balance=40, order_name="#2") == (
            "PurchasedWithReward",
            {"activity_title": "$5 off", "coupon_code": "FIVE-A", "stamped_rewards_points": 40},
        )

    @pytest.mark.acceptance("S3-33")
    @pytest.mark.parametrize("kind", [news.REWARD_EXPIRED, news.REWARD_CANCELLED])
    def test_code_gone(self, kind: str) -> None:
        """A code that ended and one that was made void are the same to Stamped."""
        assert said("stamped", kind, **REWARD, points_balance=40) == (
            "CouponExpired",
            {
                "coupon_created_at": "2026-11-20T09:00:00+00:00",
                "stamped_rewards_points": 40,
                "coupon_code": "FIVE-A",
            },
        )

    @pytest.mark.acceptance("S3-28")
    def test_expired(self) -> None:
        """Points that ended, as a positive number, and the last activity."""
        gone = {"points": -40, "points_expired": 40, "last_activity_at": AT, "points_balance": 0}
        assert said("stamped", news.EXPIRED, **gone) == (
            "PointsExpired",
            {"last_activity_at": AT, "points_expired": 40},
        )

    @pytest.mark.acceptance("S3-25")
    def test_birthday(self) -> None:
        """A birthday is a whole date, of a leap year that nobody is taken to be born in."""
        assert said("stamped", news.BIRTHDAY_SET, birthday_month=2, birthday_day=29) == (
            "BirthdaySet",
            {"birthday": "1904-02-29"},
        )

    @pytest.mark.acceptance("S3-36")
    @pytest.mark.parametrize("direction", ["up", "down"])
    def test_tier(self, direction: str) -> None:
        """Every change of tier, in either direction."""
        assert said("stamped", news.TIER_CHANGED, **TIER | {"direction": direction}) == (
            "VIPTierUpdated",
            {
                "stamped_rewards_change_direction": direction,
                "stamped_rewards_points": 540,
                "stamped_rewards_previous_vip_tier": "Silver",
                "stamped_rewards_vip_tier": "Gold Leaf",
            },
        )

    @pytest.mark.acceptance("S3-42", "S3-43", "S3-44", "S3-45", "S3-57")
    def test_referral(self) -> None:
        """Four events: shared to the one who invites, received and accepted to the friend, and the customer who was referred to the one who
        invited. Who is named is always the other side."""
        offer = {key: value for key, value in REWARD.items() if not key.startswith("coupon")}
        told = {"activity_reward_type": "amount_off", "activity_reward_value": 5, "activity_title": "$5 off"}
        ada = {
            "referral_email": "ada@fernandfig.shop",
            "referral_link": "https://fern-and-fig.myshopify.com/?ref=ADA-2019",
            "referral_name": "Ada Fern",
        }
        assert said("stamped", news.REFERRAL_SHARED, about=bo(), **REFERRAL, **offer) == (
            "sharedReferral",
            told,
        )
        received = said("stamped", news.REFERRAL_RECEIVED, to=bo(), about=recipient(), **REFERRAL, **offer)
        assert received == ("receivedReferral", told | ada)
        accepted = said("stamped", news.REFERRAL_ACCEPTED, to=bo(), about=recipient(), **REFERRAL, **REWARD)
        assert accepted == ("accpetedReferral", told | {"coupon_code": "FIVE-A"})
        completed = said("stamped", news.REFERRAL_COMPLETED, about=bo(), **REFERRAL, **REWARD, points=70)
        bos = ada | {"referral_email": "bo@fernandfig.shop", "referral_name": "Bo"}
        assert completed == ("referredCustomer", told | bos | {"coupon_code": "FIVE-A"})

    @pytest.mark.acceptance("S3-45")
    def test_rewarded_with_points(self) -> None:
        """Whoever is rewarded with points gets points, and the code is the one that the friend bought with."""
        found = said(
            "stamped", news.REFERRAL_COMPLETED, about=bo(), **REFERRAL, points=70, friend_coupon_code="FRIEND"
        )[1]
        assert (found["activity_reward_type"], found["activity_reward_value"]) == ("points", 70)
        assert (found["coupon_code"], found["activity_title"]) == ("FRIEND", "Refer a friend")

    @pytest.mark.acceptance(*(f"S3-{number:02}" for number in range(8, 24)))
    def test_properties(self) -> None:
        """Sixteen properties, of their types."""
        shown = choice(["stamped"]).show(standing_of(recipient(), SHOP, Rewards(("FIVE-A", "FIVE-B"), NOW)))
        assert shown.properties == {
            "stamped_account_confirmed": True,
            "stamped_rewards_created_date": "2026-11-22",
            "stamped_rewards_birthday": "1904-02-09",
            "stamped_rewards_points": 540,
            "stamped_rewards_vip_tier": "Silver",
            "stamped_rewards_referral_link": "https://fern-and-fig.myshopify.com/?ref=ADA-2019",
            "stamped_last_activity_date": "2026-11-22",
            "stamped_points_expiry_date": "2026-11-22",
            "stamped_current_tier_entry_date": "2026-11-22",
            "stamped_next_tier_name": "Gold Leaf",
            "stamped__tier_downgrade_date": "2026-11-22",
            "stamped_discounts_ready_to_use": ["FIVE-A", "FIVE-B"],
            "stamped_rewards_referral_code": "ADA-2019",
            "stamped_rewards_last_redeemed_points_date": "2026-11-22",
            "stamped_lifetime_points_spent": 60,
            "stamped_lifetime_points_earned": 600,
        }
        assert shown.unset == []


BEANS_MEMBER = {
    "Beans Member ID": 7,
    "Beans Member Points": 540,
    "Beans Member Points Value": 5.4,
    "Beans Tier": "Silver",
}


class TestBeans:
    """Beans: numbers as numbers, the event's value as the event's value."""

    @pytest.mark.acceptance("S0-07")
    def test_created(self) -> None:
        """A member: id, points, what they are worth, tier, and points as the event's value, all of them numbers where they are."""
        found = one("beans", news.JOINED, source="account")
        assert (found.metric, found.properties, found.value) == ("Beans member created", BEANS_MEMBER, 540)

    @pytest.mark.acceptance("S0-09")
    @pytest.mark.parametrize(("kind", "source"), [(news.EARNED, "order"), (news.ADJUSTED, "staff")])
    def test_credited(self, kind: str, source: str) -> None:
        """Points that come, by whatever way; an order by the name that Beans has for its rule."""
        way = {"way": "order"} if source == "order" else {"way": None}
        found = one("beans", kind, **EARNED | way | {"source": source, "rule": "adjustment"})
        rule = "rule:liana:repeat_purchase" if source == "order" else "rule:laurel:adjustment"
        assert found.metric == "Beans points credited"
        assert found.properties == BEANS_MEMBER | {
            "Beans Transaction Delta": 120,
            "Beans Transaction Rule": rule,
            "Beans Transaction Sign": "+",
            "Beans Transaction Type": "credit",
            "Beans Transaction Description": "Place an order",
        }

    @pytest.mark.acceptance("S0-11")
    @pytest.mark.parametrize(
        ("kind", "payload"),
        [
            (news.REDEEMED, REDEEMED),
            (news.ADJUSTED, EARNED | {"points": -500, "points_balance": 40}),
            (
                news.EXPIRED,
                {"points": -500, "points_balance": 40, "rule": "inactivity", "reason": "Points expired"},
            ),
        ],
    )
    def test_debited(self, kind: str, payload: dict[str, Any]) -> None:
        """Points that are spent, taken or lost: the same fields and the other sign. The number itself has none."""
        found = one("beans", kind, **payload)
        assert found.metric == "Beans points debited"
        assert found.properties["Beans Transaction Delta"] == 500
        assert found.properties["Beans Transaction Sign"] == "-"
        assert found.properties["Beans Transaction Type"] == "debit"
        assert found.properties["Beans Transaction Description"]
        assert found.properties["Beans Transaction Rule"]
        assert (found.properties["Beans Member Points"], found.properties["Beans Member Points Value"]) == (
            40,
            0.4,
        )
        assert found.value == 40

    @pytest.mark.acceptance("S0-12", "S0-13")
    @pytest.mark.parametrize(
        ("direction", "name"), [("up", "Beans tier upgraded"), ("down", "Beans tier downgraded")]
    )
    def test_tier(self, direction: str, name: str) -> None:
        """Both directions, with the tier as it was frozen."""
        found = one("beans", news.TIER_CHANGED, **TIER | {"direction": direction})
        assert found.metric == name
        assert found.properties["Beans Tier"] == "Gold Leaf"
        assert found.properties["Beans Previous Tier"] == "Silver"

    @pytest.mark.acceptance("S0-14", "S0-15")
    def test_friend(self) -> None:
        """Invitation and reward both go to the friend."""
        invited = one("beans", news.REFERRAL_RECEIVED, to=bo(), about=recipient(), **REFERRAL)
        assert (invited.metric, invited.properties["Beans Referrer Name"]) == (
            "Beans friend invited",
            "Ada Fern",
        )
        rewarded = one("beans", news.REFERRAL_ACCEPTED, to=bo(), about=recipient(), **REFERRAL, **REWARD)
        assert (rewarded.metric, rewarded.properties["Beans Reward Code"]) == (
            "Beans friend rewarded",
            "FIVE-A",
        )
        assert rewarded.properties["Beans Member ID"] == 8
        for kind in (news.REFERRAL_SHARED, news.REFERRAL_COMPLETED, news.BALANCE_REMINDER):
            assert tell("beans", message(kind, about=bo(), **REFERRAL)) == []

    def test_worth_unknown(self) -> None:
        """Where no reward is money, points have no value that could be said."""
        found = Teller(choice(["beans"]), ShopView("x.myshopify.com")).words(message(news.JOINED))
        assert "Beans Member Points Value" not in found[0].properties


class TestInfluence:
    """Influence.io: the words of its webhooks under the one documented kind of name."""

    @pytest.mark.acceptance("S1-15", "S1-16", "S1-17", "S1-18")
    def test_earned(self) -> None:
        """What for, in the program's own words, and as a number."""
        assert said("influence", news.EARNED, **EARNED) == (
            "Influence.io Points earned",
            {"action": "Place an order", "pointsFormatted": "120 leaves", "points": 120},
        )

    @pytest.mark.acceptance("S1-19", "S1-20", "S1-21", "S1-22", "S1-23")
    def test_spent(self) -> None:
        """The same, with the code."""
        assert said("influence", news.REDEEMED, **REDEEMED) == (
            "Influence.io Points spent",
            {"action": "$5 off", "pointsFormatted": "500 leaves", "points": 500, "couponCode": "FIVE-A"},
        )

    @pytest.mark.acceptance("S1-24", "S1-25", "S1-26", "S1-27")
    def test_tier(self) -> None:
        """Which tier, and why."""
        assert said("influence", news.TIER_CHANGED, **TIER | {"reason": "Manually changed tier"}) == (
            "Influence.io Tier changed",
            {"tierId": "gold_48213", "tierTitle": "Gold Leaf", "reason": "Manually changed tier"},
        )

    @pytest.mark.acceptance("S1-28", "S1-29", "S1-30", "S1-31", "S1-32", "S1-33")
    def test_started(self) -> None:
        """To the friend: the reward with its code, who sends it, whose address it is, and for whom it is."""
        told = {**REFERRAL, **REWARD, "reward_for": "friend"}
        assert said("influence", news.REFERRAL_ACCEPTED, to=bo(), about=recipient(), **told) == (
            "Influence.io Referral started",
            {
                "rewardTitle": "$5 off",
                "customerName": "Ada Fern",
                "friendEmail": "bo@fernandfig.shop",
                "rewardCode": "FIVE-A",
                "rewardFor": "friend",
            },
        )

    @pytest.mark.acceptance("S1-35", "S1-36", "S1-37", "S1-38", "S1-39", "S1-40")
    def test_completed(self) -> None:
        """To the customer who invited."""
        told = {**REFERRAL, **REWARD, "reward_for": "customer"}
        assert said("influence", news.REFERRAL_COMPLETED, about=bo(), **told) == (
            "Influence.io Referral completed",
            {
                "rewardTitle": "$5 off",
                "customerName": "Ada Fern",
                "friendName": "Bo",
                "rewardCode": "FIVE-A",
                "rewardFor": "customer",
            },
        )

    @pytest.mark.acceptance("S1-41")
    def test_tier_reward(self) -> None:
        """What a tier gives is told as such, a reward or points; points are told as points too."""
        given = said("influence", news.REWARD_GIVEN, **REWARD, given_for="tier")
        assert given == (
            "Influence.io Tier entry reward earned",
            {"rewardTitle": "$5 off", "rewardCode": "FIVE-A", "rewardFor": "customer"},
        )
        names = {
            event.metric
            for event in tell("influence", message(news.EARNED, **EARNED | {"way": "tier_entry"}))
        }
        assert names == {"Influence.io Tier entry reward earned", "Influence.io Points earned"}
        names = {
            event.metric
            for event in tell("influence", message(news.EARNED, **EARNED | {"way": "order_count_goal"}))
        }
        assert names == {"Influence.io Card completed", "Influence.io Points earned"}

    @pytest.mark.acceptance(*(f"S1-{number:02}" for number in range(5, 15)))
    def test_properties(self) -> None:
        """Ten properties. A birthday is a text in the form of the other program, and a guest is a guest."""
        shown = choice(["influence"]).show(standing_of(recipient(), SHOP))
        assert shown.properties == {
            "Influence.io Point Balance": 540,
            "Influence.io Tier ID": "silver",
            "Influence.io Tier Title": "Silver",
            "Influence.io Referral Code": "ADA-2019",
            "Influence.io Referral URL": "https://fern-and-fig.myshopify.com/?ref=ADA-2019",
            "Influence.io Customer Member Status": "member",
            "Influence.io Birthday": "0000-02-09T00:00:00",
            "Influence.io Last Seen At": AT,
            "Influence.io Points Expire At": AT,
            "Influence.io Loyalty Card Lookup": "ADA-2019",
        }
        guest = choice(["influence"]).show(standing_of(bo(), SHOP)).properties
        assert guest["Influence.io Customer Member Status"] == "guest"


class TestChoice:
    """Several dialects at once."""

    def test_ours_alone(self) -> None:
        """Without a choice everything is told under our own names, once, with the unique id that it always had."""
        for kind in news.NEWS_KINDS:
            (event,) = Teller(OURS, SHOP).words(message(kind, points=5))
            assert (event.unique_id, event.value) == ("entry-1", None)

    def test_beside(self) -> None:
        """Each name is one event, ours first; the unique id of another name can be no other event's."""
        told = Teller(choice(["beans", "stamped", "laurel", "smile", "influence"]), SHOP).words(
            message(news.EARNED, **EARNED)
        )
        assert [event.metric for event in told] == [
            "Points Earned",
            "Points Earned on Order",
            "earnOrderNew",
            "Beans points credited",
            "Influence.io Points earned",
        ]
        assert told[0].unique_id == "entry-1"
        assert [event.unique_id for event in told[1:]] == [f"entry-1:{event.metric}" for event in told[1:]]

    def test_same_name(self) -> None:
        """A name that two dialects have is one event, or every flow on it would start twice; it says what both say, and has the same
        unique id whichever of them is chosen."""
        asked = message(news.REDEEMED, **REDEEMED)
        both = Teller(choice(["laurel", "smile"]), SHOP).words(asked)
        (ours,) = Teller(OURS, SHOP).words(asked)
        (theirs,) = Teller(choice(["smile"]), SHOP).words(asked)
        assert len(both) == 1
        assert both[0].properties == theirs.properties | ours.properties
        assert both[0].unique_id == ours.unique_id == theirs.unique_id
        assert not {key for key in ours.properties if key in theirs.properties}

    def test_same_names_agree(self) -> None:
        """Where dialects share a name, no key means two things: what both say under one key is the same."""
        for dialect in DIALECTS.values():
            for metric in dialect.metrics:
                asked = samples.sample_of(metric, message(metric.kind))
                alone = {event.metric: event for event in Teller(choice([dialect.key]), SHOP).words(asked)}
                for event in Teller(OURS, SHOP).words(asked):
                    shared = alone.get(event.metric, event).properties
                    assert {
                        k: v for k, v in shared.items() if k in event.properties
                    }.items() <= event.properties.items()

    def test_unknown_key(self) -> None:
        """A dialect that there is not (any more) is passed over."""
        assert choice(["klingon", "laurel"]) == OURS

    def test_left(self) -> None:
        """What was written in a dialect that is left is taken off. What its other program may have known, and we never did, stays."""
        gone = choice(["laurel"], ["stamped", "smile"])
        unset = set(gone.show(standing_of(recipient(), SHOP, Rewards(("A",), NOW))).unset)
        theirs = {*DIALECTS["stamped"].properties, *DIALECTS["smile"].properties}
        assert unset == theirs
        little = recipient(birthday_month=None, birthday_day=None, last_activity_at=None)
        unset = set(gone.show(standing_of(little, SHOP, NO_REWARDS)).unset)
        assert theirs - unset == {
            "stamped_rewards_birthday",
            "stamped_last_activity_date",
            "stamped_rewards_last_redeemed_points_date",
        }

    def test_stays(self) -> None:
        """A birthday that another program knew is not taken off because we know none; a tier that is not there is."""
        shown = choice(["stamped"]).show(standing_of(bo(), SHOP))
        assert "stamped_rewards_birthday" not in shown.unset
        assert "stamped_rewards_birthday" not in shown.properties
        assert {"stamped_rewards_vip_tier", "stamped_discounts_ready_to_use"} <= set(shown.unset)

    def test_everything_of_ours_is_taken_off(self) -> None:
        """Of our own properties all are ours."""
        assert not any(each.stays for each in LAUREL.properties.values())

    def test_small_enough(self) -> None:
        """All dialects together stay far below what one profile and one event may weigh."""
        everything = Teller(
            choice(DIALECTS), SHOP, {7: Rewards(tuple(f"LAUREL-{n:08}" for n in range(20)), NOW)}
        )
        assert len(everything.choice.properties) < 60
        entry = everything.bulk_entry(message(news.REFERRAL_COMPLETED, about=bo(), **REFERRAL, **REWARD))
        assert len(entry) < 20_000


class TestSamples:
    """Test events."""

    @pytest.mark.acceptance("S4-45")
    def test_every_metric(self) -> None:
        """Every name of every chosen dialect is told once, marked, with values in everything that it says."""
        teller = Teller(choice(DIALECTS), SHOP)
        told = samples.events(teller, message("sample_events"))
        assert {event.metric for event in told} == set(teller.choice.metrics)
        assert len({event.metric for event in told}) == len(told)
        assert len({event.unique_id for event in told}) == len(told)
        for event in told:
            assert event.properties["laurel_test"] is True
            assert len(event.properties) > 1
            assert all(value not in (None, "") for value in event.properties.values())
