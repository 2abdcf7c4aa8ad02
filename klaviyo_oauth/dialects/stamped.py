"""The names of Stamped, for merchants who moved from there: 16 properties and 31 events, spelled exactly as Stamped spells them
(``accpetedReferral``, ``stamped__tier_downgrade_date``, small and capital first letters as they come).

Stamped's words for signs are turned round: what it calls a debit of an order is points earned, a credit is points spent. Only the names are
taken over; here points that are earned are positive.
"""

from collections.abc import Mapping
from typing import Any

from klaviyo_oauth.dialects.dialect import (
    DATE,
    FLAG,
    NUMBER,
    TEXT,
    TEXTS,
    Dialect,
    Metric,
    Property,
    Reader,
    Telling,
    metric,
)
from klaviyo_oauth.dialects.readers import balance, name_of, said, yearless
from loyalty.core import news

# A date property that starts flows once a year needs a whole date. The year is a leap year, so that the 29th of February is a day.
_BIRTHDAY = "1904-{month:02}-{day:02}"


def _birthday(telling: Telling) -> str | None:
    month, day = telling.said.get("birthday_month"), telling.said.get("birthday_day")
    return _BIRTHDAY.format(month=month, day=day) if isinstance(month, int) and isinstance(day, int) else None


def _reward_type(telling: Telling) -> Any:
    """An advocate may be rewarded with points alone."""
    return telling.said.get("reward_kind") or ("points" if telling.said.get("points") else None)


_EARNING: Mapping[str, Reader] = {
    "activity_points": said("activity_points"),
    "activity_title": said("activity_title"),
    "stamped_rewards_points": balance,
}
_OFFER: Mapping[str, Reader] = {
    "activity_reward_type": _reward_type,
    "activity_reward_value": said("reward_value", "points"),
    "activity_title": said("activity_title"),
}


def _earned(name: str, *ways: str) -> Metric:
    return metric(name, news.EARNED, _EARNING, way=ways)


STAMPED = Dialect(
    key="stamped",
    title="Stamped",
    metrics=(
        _earned("EarnAccountNew", "signup"),
        metric("BirthdaySet", news.BIRTHDAY_SET, {"birthday": _birthday}),
        _earned("EarnAccountBirthday", "birthday"),
        _earned("EarnAccountAnniversary", "anniversary"),
        metric(
            "PointsExpired",
            news.EXPIRED,
            {"last_activity_at": said("last_activity_at"), "points_expired": said("points_expired")},
        ),
        _earned("earnOrderNew", "order", "order_fixed"),
        metric(
            "spendRewardRedeemed",
            news.REDEEMED,
            {
                "activity_points": said("activity_points"),
                "activity_title": said("activity_title"),
                "coupon_code": said("coupon_code"),
                "stamped_rewards_points": balance,
            },
        ),
        _earned("earnOrderCount", "order_count_goal"),
        metric(
            "PurchasedWithReward",
            news.REWARD_USED,
            {
                "activity_title": said("activity_title"),
                "coupon_code": said("coupon_code"),
                "stamped_rewards_points": balance,
            },
        ),
        # Stamped says the same of a code that ended and of one that was made void.
        *(
            metric(
                "CouponExpired",
                kind,
                {
                    "coupon_created_at": said("coupon_created_at"),
                    "stamped_rewards_points": balance,
                    "coupon_code": said("coupon_code"),
                },
            )
            for kind in (news.REWARD_EXPIRED, news.REWARD_CANCELLED)
        ),
        _earned("earnOrderAmount", "order_value_goal", "spend_goal"),
        metric("refundOrder", news.ADJUSTED, _EARNING, source="order", sign="-"),
        metric(
            "VIPTierUpdated",
            news.TIER_CHANGED,
            {
                # Which words Stamped has for the direction is not documented.
                "stamped_rewards_change_direction": said("direction"),
                "stamped_rewards_points": balance,
                "stamped_rewards_previous_vip_tier": said("previous_tier_title", "previous_tier"),
                "stamped_rewards_vip_tier": said("tier_title", "tier"),
            },
        ),
        _earned("earnReviewNps", "nps"),
        _earned("earnQuestionAnswer", "answer"),
        _earned("earnReview", "review"),
        _earned("earnPhotoReview", "photo_review"),
        _earned("earnVideoReview", "video_review"),
        metric("sharedReferral", news.REFERRAL_SHARED, _OFFER),
        # To the friend; referral_* is the one who invites.
        metric(
            "receivedReferral",
            news.REFERRAL_RECEIVED,
            {
                **_OFFER,
                "referral_email": said("advocate_email"),
                "referral_link": said("referral_link"),
                "referral_name": lambda telling: name_of(telling.advocate),
            },
        ),
        metric("accpetedReferral", news.REFERRAL_ACCEPTED, {**_OFFER, "coupon_code": said("coupon_code")}),
        # To the one who invited; whom referral_* names here is not documented: it is the friend, as the other side, and the own link.
        metric(
            "referredCustomer",
            news.REFERRAL_COMPLETED,
            {
                **_OFFER,
                "referral_email": said("friend_email"),
                "referral_link": said("referral_link"),
                "referral_name": lambda telling: name_of(telling.friend),
                "coupon_code": said("coupon_code", "friend_coupon_code"),
            },
        ),
        _earned("earnSocialFollowFacebook", "follow_facebook"),
        _earned("earnSocialFollowInstagram", "follow_instagram"),
        _earned("EarnSocialFollowTwitter", "follow_x"),
        _earned("EarnSocialFollowPinterest", "follow_pinterest"),
        _earned("EarnSocialFollowTiktok", "follow_tiktok"),
        _earned("EarnSocialYoutube", "follow_youtube"),
        _earned("earnSocialShareTwitter", "share_x"),
        _earned("earnSocialShareFacebook", "share_facebook"),
        _earned("earnNewsletter", "newsletter"),
    ),
    properties={
        "stamped_account_confirmed": Property(lambda standing: standing.state == "member", FLAG),
        "stamped_rewards_created_date": Property(
            lambda standing: standing.shop.day(standing.joined_at), DATE, stays=True
        ),
        "stamped_rewards_birthday": Property(
            lambda standing: yearless(standing, _BIRTHDAY), DATE, stays=True
        ),
        "stamped_rewards_points": Property(lambda standing: standing.balance, NUMBER),
        "stamped_rewards_vip_tier": Property(lambda standing: standing.shop.title(standing.tier), TEXT),
        "stamped_rewards_referral_link": Property(lambda standing: standing.referral_link, TEXT),
        "stamped_last_activity_date": Property(
            lambda standing: standing.shop.day(standing.last_activity_at), DATE, stays=True
        ),
        "stamped_points_expiry_date": Property(lambda standing: standing.shop.day(standing.expires_at), DATE),
        "stamped_current_tier_entry_date": Property(
            lambda standing: standing.shop.day(standing.tier_since) if standing.tier is not None else None,
            DATE,
        ),
        "stamped_next_tier_name": Property(lambda standing: standing.shop.title(standing.next_tier), TEXT),
        # Two underscores, as Stamped has it.
        "stamped__tier_downgrade_date": Property(
            lambda standing: standing.shop.day(standing.tier_until) if standing.tier is not None else None,
            DATE,
        ),
        "stamped_discounts_ready_to_use": Property(lambda standing: list(standing.codes) or None, TEXTS),
        "stamped_rewards_referral_code": Property(lambda standing: standing.referral_code, TEXT),
        "stamped_rewards_last_redeemed_points_date": Property(
            lambda standing: standing.shop.day(standing.last_redeemed_at), DATE, stays=True
        ),
        "stamped_lifetime_points_spent": Property(lambda standing: standing.lifetime_spent, NUMBER),
        "stamped_lifetime_points_earned": Property(lambda standing: standing.lifetime_earned, NUMBER),
    },
    notes=(
        (
            "An event for earning exists for each of Stamped's own ways to earn. Points by a rule of your own, for entering a tier or by hand are "
            "not told in this dialect, nor are points that are about to expire and reminders."
        ),
        "Birthdays have the year 1904: nobody is asked for one, and flows that start on a date need a whole date.",
        "Which words Stamped sends for the direction of a tier change is not documented; ours are “up” and “down”.",
    ),
)
