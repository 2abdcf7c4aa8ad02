"""The names of Beans, for merchants who moved from there. Beans sends every value as text, which breaks segments by number: here numbers are
numbers.

Documented are the metrics, what a new member's event says, and what one of credited points says. That the other events say the same
things is our reading.
"""

from collections.abc import Mapping

from klaviyo_oauth.dialects.dialect import Dialect, Reader, Telling, metric
from klaviyo_oauth.dialects.readers import always, balance, now, said
from loyalty.core import news

# Beans' own name for the rule that rewards orders, which is the one that is documented.
_RULES: Mapping[str, str] = {"order": "rule:liana:repeat_purchase"}


def _rule(telling: Telling) -> str | None:
    rule = telling.said.get("rule") or telling.said.get("reward") or telling.said.get("source")
    return _RULES.get(telling.said.get("way", "")) or (f"rule:laurel:{rule}" if rule else None)


def _delta(telling: Telling) -> int | None:
    """How many points moved. Which way they went is the sign's part."""
    points = telling.said.get("points")
    return abs(points) if isinstance(points, int) else None


def _worth(telling: Telling) -> int | float | None:
    points = balance(telling)
    return None if points is None else telling.shop.worth(points)


_MEMBER: Mapping[str, Reader] = {
    "Beans Member ID": now(lambda standing: standing.member_id),
    "Beans Member Points": balance,
    "Beans Member Points Value": _worth,
    "Beans Tier": now(lambda standing: standing.shop.title(standing.tier)),
    # Beans sets it to the balance. It is the event's value at Klaviyo.
    "$value": balance,
}


def _transaction(sign: str, kind: str) -> Mapping[str, Reader]:
    return {
        **_MEMBER,
        "Beans Transaction Delta": _delta,
        "Beans Transaction Rule": _rule,
        "Beans Transaction Sign": always(sign),
        "Beans Transaction Type": always(kind),
        "Beans Transaction Description": said("activity_title", "reason"),
    }


_CREDIT, _DEBIT = _transaction("+", "credit"), _transaction("-", "debit")
_TIER: Mapping[str, Reader] = {
    **_MEMBER,
    "Beans Tier": said("tier_title", "tier"),
    "Beans Previous Tier": said("previous_tier_title", "previous_tier"),
    "Beans Tier Description": said("reason"),
}
_FRIEND: Mapping[str, Reader] = {
    **_MEMBER,
    "Beans Referrer Name": said("advocate_name"),
    "Beans Referral Link": said("referral_link"),
    "Beans Reward": said("reward_title"),
}

BEANS = Dialect(
    key="beans",
    title="Beans",
    metrics=(
        metric("Beans member created", news.JOINED, _MEMBER),
        metric("Beans points credited", news.EARNED, _CREDIT),
        metric("Beans points credited", news.ADJUSTED, _CREDIT, sign="+"),
        # Spent, taken and lost alike.
        metric("Beans points debited", news.REDEEMED, _DEBIT),
        metric("Beans points debited", news.ADJUSTED, _DEBIT, sign="-"),
        metric("Beans points debited", news.EXPIRED, _DEBIT),
        metric("Beans tier downgraded", news.TIER_CHANGED, _TIER, direction="down"),
        metric("Beans tier upgraded", news.TIER_CHANGED, _TIER, direction="up"),
        # Both to the friend: the invitation, and the reward that is waiting.
        metric("Beans friend invited", news.REFERRAL_RECEIVED, _FRIEND),
        metric(
            "Beans friend rewarded",
            news.REFERRAL_ACCEPTED,
            {**_FRIEND, "Beans Reward Code": said("coupon_code")},
        ),
    ),
    properties={},
    notes=(
        "Beans has no properties on profiles: choose it beside another dialect to keep balances there.",
        "Numbers are numbers here; Beans sends them as text.",
        "“$value” is the event's value at Klaviyo, which Beans sets to the balance: points, not money. Our own events never have one.",
        (
            "What Beans says of tiers and of friends is not documented: “Beans Previous Tier”, “Beans Tier Description”, “Beans Referrer Name”, "
            "“Beans Referral Link”, “Beans Reward” and “Beans Reward Code” are the nearest names."
        ),
        "For reminders of points Beans has no event.",
    ),
)
