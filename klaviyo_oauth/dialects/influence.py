"""The names of Influence.io, for merchants who moved from there.

Its properties are documented. Of its events' names one is (``Influence.io Referral started``), and of their keys one is (``rewardCode``):
the other names follow these two, with the words of its webhooks where there are any.
"""

from collections.abc import Mapping

from klaviyo_oauth.dialects.dialect import MOMENT, NUMBER, TEXT, Dialect, Property, Reader, metric
from klaviyo_oauth.dialects.readers import always, instant, said, yearless
from loyalty.core import news
from loyalty.referrals.codes import own_or_given

# The form that Influence.io has, as a text: there is no year 0000, so Klaviyo takes it for no date.
_BIRTHDAY = "0000-{month:02}-{day:02}T00:00:00"

_POINTS: Mapping[str, Reader] = {
    "action": said("activity_title"),
    "pointsFormatted": said("points_text"),
    "points": said("points"),
}
_REFERRAL: Mapping[str, Reader] = {
    "rewardTitle": said("reward_title", "points_text"),
    "customerName": said("advocate_name"),
    "rewardCode": said("coupon_code"),
    # Always the same word for an event: the friend in one, the customer who invited in the other.
    "rewardFor": said("reward_for"),
}
_TIER_REWARD: Mapping[str, Reader] = {
    "rewardTitle": said("reward_title", "points_text"),
    "rewardCode": said("coupon_code"),
    "rewardFor": always("customer"),
}

INFLUENCE = Dialect(
    key="influence",
    title="Influence.io",
    metrics=(
        metric("Influence.io Tier entry reward earned", news.EARNED, _TIER_REWARD, way="tier_entry"),
        metric("Influence.io Card completed", news.EARNED, _POINTS, way="order_count_goal"),
        metric("Influence.io Points earned", news.EARNED, _POINTS),
        metric("Influence.io Points spent", news.REDEEMED, {**_POINTS, "couponCode": said("coupon_code")}),
        metric(
            "Influence.io Tier changed",
            news.TIER_CHANGED,
            {"tierId": said("tier"), "tierTitle": said("tier_title", "tier"), "reason": said("reason")},
        ),
        metric("Influence.io Tier entry reward earned", news.REWARD_GIVEN, _TIER_REWARD, given_for="tier"),
        metric(
            "Influence.io Referral started",
            news.REFERRAL_ACCEPTED,
            {**_REFERRAL, "friendEmail": said("friend_email")},
        ),
        metric(
            "Influence.io Referral completed",
            news.REFERRAL_COMPLETED,
            {**_REFERRAL, "friendName": said("friend_name")},
        ),
    ),
    properties={
        "Influence.io Point Balance": Property(lambda standing: standing.balance, NUMBER),
        "Influence.io Tier ID": Property(lambda standing: standing.tier, TEXT),
        "Influence.io Tier Title": Property(lambda standing: standing.shop.title(standing.tier), TEXT),
        "Influence.io Referral Code": Property(lambda standing: standing.referral_code, TEXT),
        "Influence.io Referral URL": Property(lambda standing: standing.referral_link, TEXT),
        "Influence.io Customer Member Status": Property(
            lambda standing: "member" if standing.state == "member" else "guest", TEXT
        ),
        "Influence.io Birthday": Property(lambda standing: yearless(standing, _BIRTHDAY), TEXT, stays=True),
        "Influence.io Last Seen At": Property(
            lambda standing: instant(standing.last_activity_at), MOMENT, stays=True
        ),
        "Influence.io Points Expire At": Property(lambda standing: instant(standing.expires_at), MOMENT),
        # What it holds is not documented. The code that a member has from the start is the nearest: it names one member and nobody else.
        "Influence.io Loyalty Card Lookup": Property(
            lambda standing: own_or_given(standing.member_id, standing.given_code), TEXT
        ),
    },
    notes=(
        (
            "Of the events' names only “Influence.io Referral started” is documented, and of their keys only “rewardCode”; the other names are the "
            "nearest to these and to the words of its webhooks. Compare them with your flows before you switch over."
        ),
        "Stamp cards do not exist here. Reaching a number of orders is told as “Influence.io Card completed”.",
        "A birthday is a text in Influence.io's own form, 0000-MM-DDT00:00:00, which Klaviyo does not read as a date.",
    ),
)
