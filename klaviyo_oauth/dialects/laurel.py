"""Our own names. Merchants build segments and flows on them: they may be added to, never renamed, and a property never changes its type."""

from decimal import Decimal

from klaviyo_oauth.dialects.dialect import DATE, NUMBER, TEXT, TEXTS, Dialect, Property, metric
from loyalty.core import news


def _number(amount: Decimal | None) -> int | float | None:
    if amount is None:
        return None
    return int(amount) if amount == amount.to_integral_value() else float(amount)


LAUREL = Dialect(
    key="laurel",
    title="Laurel",
    # What they say is the subject of klaviyo_oauth.event_properties.
    metrics=(
        metric("Joined Program", news.JOINED),
        metric("Points Earned", news.EARNED),
        metric("Points Redeemed", news.REDEEMED),
        metric("Points Adjusted", news.ADJUSTED),
        metric("Points Expired", news.EXPIRED),
        metric("Points Expiring", news.EXPIRING),
        metric("Points Balance Reminder", news.BALANCE_REMINDER),
        metric("Birthday Set", news.BIRTHDAY_SET),
        metric("Tier Changed", news.TIER_CHANGED),
        metric("Reward Given", news.REWARD_GIVEN),
        metric("Reward Expiring", news.REWARD_EXPIRING),
        metric("Reward Expired", news.REWARD_EXPIRED),
        metric("Purchased With Reward", news.REWARD_USED),
        metric("Reward Cancelled", news.REWARD_CANCELLED),
        metric("Referral Shared", news.REFERRAL_SHARED),
        metric("Referral Received", news.REFERRAL_RECEIVED),
        metric("Referral Accepted", news.REFERRAL_ACCEPTED),
        metric("Referral Completed", news.REFERRAL_COMPLETED),
    ),
    properties={
        "Laurel Points Balance": Property(lambda standing: standing.balance, NUMBER),
        "Laurel Lifetime Points": Property(lambda standing: standing.lifetime_earned, NUMBER),
        "Laurel Points Spent": Property(lambda standing: standing.lifetime_spent, NUMBER),
        "Laurel Pending Points": Property(lambda standing: standing.pending, NUMBER),
        "Laurel State": Property(lambda standing: standing.state, TEXT),
        "Laurel Joined At": Property(lambda standing: standing.shop.day(standing.joined_at), DATE),
        "Laurel Last Activity": Property(lambda standing: standing.shop.day(standing.last_activity_at), DATE),
        "Laurel Last Redeemed At": Property(
            lambda standing: standing.shop.day(standing.last_redeemed_at), DATE
        ),
        "Laurel Points Expire At": Property(lambda standing: standing.shop.day(standing.expires_at), DATE),
        "Laurel Expiring Points": Property(
            lambda standing: standing.expiring_points if standing.expires_at is not None else None, NUMBER
        ),
        "Laurel Tier": Property(lambda standing: standing.shop.title(standing.tier), TEXT),
        "Laurel Tier Key": Property(lambda standing: standing.tier, TEXT),
        "Laurel Tier Since": Property(
            lambda standing: standing.shop.day(standing.tier_since) if standing.tier is not None else None,
            DATE,
        ),
        "Laurel Tier Until": Property(
            lambda standing: standing.shop.day(standing.tier_until) if standing.tier is not None else None,
            DATE,
        ),
        "Laurel Next Tier": Property(lambda standing: standing.shop.title(standing.next_tier), TEXT),
        "Laurel Next Tier Distance": Property(
            lambda standing: _number(standing.next_tier_distance) if standing.next_tier is not None else None,
            NUMBER,
        ),
        "Laurel Birthday": Property(lambda standing: standing.birthday, TEXT),
        "Laurel Referral Code": Property(lambda standing: standing.referral_code, TEXT),
        "Laurel Referral Link": Property(lambda standing: standing.referral_link, TEXT),
        "Laurel Rewards Ready": Property(lambda standing: list(standing.codes) or None, TEXTS),
    },
)
