"""The names of Smile.io, for merchants who moved from there.

The metrics and properties are those that its help pages list. What an event says is the object of its REST interface, with the fields at
the top level of the event, where segments can reach them; whether Klaviyo always got exactly that shape is not documented.
"""

from collections.abc import Mapping

from klaviyo_oauth.dialects.dialect import NUMBER, TEXT, Dialect, Inner, Property, Reader, metric
from klaviyo_oauth.dialects.readers import (
    always,
    balance,
    instant,
    now,
    number_of,
    occurred,
    of_person,
    said,
    yearless,
)
from klaviyo_oauth.standing import Standing
from loyalty.core import news

# Smile calls a shopper without an account a candidate.
_STATES: Mapping[str, str] = {"member": "member", "guest": "candidate", "deleted": "disabled"}

# 1004 is Smile's own mark for a birthday whose year nobody knows.
_BIRTHDAY = "1004-{month:02}-{day:02}"


def _state(standing: Standing) -> str:
    return _STATES.get(standing.state, "disabled")


def _missing(standing: Standing) -> float | None:
    distance = standing.next_tier_distance
    return float(distance) if distance is not None and standing.next_tier is not None else None


# Of a person. How far somebody has come in the period and what keeps a tier are not known at the moment of sending, so progress_value,
# current_vip_period_end and delta_to_retain_vip_tier are not said.
_VIP_STATUS: Mapping[str, Reader] = {
    "vip_tier_id": lambda person: number_of(person.standing.tier),
    "vip_tier_expires_at": lambda person: (
        instant(person.standing.tier_until) if person.standing.tier is not None else None
    ),
    "next_vip_tier_id": lambda person: number_of(person.standing.next_tier),
    "delta_to_next_vip_tier": lambda person: _missing(person.standing),
}
_CUSTOMER: Mapping[str, Reader] = {
    "id": lambda person: person.who.member_id,
    "first_name": lambda person: person.who.first_name,
    "last_name": lambda person: person.who.last_name,
    "email": lambda person: person.who.email,
    "state": lambda person: _state(person.standing),
    "date_of_birth": lambda person: yearless(person.standing, _BIRTHDAY),
    "points_balance": lambda person: person.standing.balance,
    "referral_url": lambda person: person.standing.referral_link,
    "vip_tier_id": lambda person: number_of(person.standing.tier),
    "vip_status": Inner(_VIP_STATUS),
    "created_at": lambda person: instant(person.who.joined_at),
    "updated_at": lambda person: instant(person.standing.last_activity_at),
}
# The same of whom the event is told; the balance is the one that was frozen when it happened.
_TOLD: Mapping[str, Reader] = {name: of_person(reader) for name, reader in _CUSTOMER.items()} | {
    "points_balance": balance,
    "vip_status": Inner(_VIP_STATUS, lambda telling: telling.person),
}
_WHOSE = now(lambda standing: standing.member_id)

# The internal note is what customers never see, so it stays here.
_TRANSACTION: Mapping[str, Reader] = {
    "id": lambda telling: telling.message.unique_id,
    "customer_id": _WHOSE,
    "points_change": said("points"),
    "description": said("reason", "activity_title"),
    "created_at": occurred,
    "updated_at": occurred,
}
# Pictures, buttons and small print are not part of our rewards.
_FULFILLMENT: Mapping[str, Reader] = {
    "id": said("reward_id"),
    "name": said("reward_title"),
    "code": said("coupon_code"),
    "customer_id": _WHOSE,
    "fulfillment_status": always("issued"),
    "expires_at": said("coupon_expires_at"),
    "usage_status": always("unused"),
    "created_at": said("coupon_created_at"),
    "updated_at": occurred,
}
# A birthday that is rewarded with points: the points take the place of the reward.
_BIRTHDAY_POINTS: Mapping[str, Reader] = {
    "id": lambda telling: telling.message.unique_id,
    "name": said("points_text", "reason"),
    "customer_id": _WHOSE,
    "fulfillment_status": always("issued"),
    "usage_status": always("untracked"),
    "points_change": said("points"),
    "created_at": occurred,
    "updated_at": occurred,
}
_PURCHASE: Mapping[str, Reader] = {
    "id": lambda telling: telling.message.unique_id,
    "customer_id": _WHOSE,
    # Smile has a number here; the key of our reward is what tells rewards apart.
    "points_product_id": said("reward"),
    "points_spent": said("points"),
    "reward_fulfillment": Inner(_FULFILLMENT),
    "created_at": occurred,
    "updated_at": occurred,
}
# Of the other side of a referral only what a mail about it needs: birthday and balance of somebody else have no place on a profile.
_OTHER: Mapping[str, Reader] = {
    name: _CUSTOMER[name] for name in ("id", "first_name", "last_name", "email", "state", "referral_url")
}
_STARTED: Mapping[str, Reader] = {
    "id": said("referral"),
    "receiver_customer_email": said("friend_email"),
    "receiver_reward_fulfillment": Inner(_FULFILLMENT),
    "sender_customer": Inner(_OTHER, lambda telling: telling.advocate),
    "created_at": occurred,
    "updated_at": occurred,
}
_COMPLETED: Mapping[str, Reader] = {
    "id": said("referral"),
    "receiver_customer": Inner(_OTHER, lambda telling: telling.friend),
    "receiver_customer_email": said("friend_email"),
    "receiver_reward_fulfillment": Inner({"code": said("friend_coupon_code")}),
    "sender_customer": Inner(_CUSTOMER, lambda telling: telling.advocate),
    "sender_reward_fulfillment": Inner(
        _FULFILLMENT, lambda telling: telling if "reward" in telling.said else None
    ),
    "created_at": occurred,
    "updated_at": occurred,
}
_TIER_CHANGE: Mapping[str, Reader] = {
    "id": lambda telling: telling.message.unique_id,
    "customer_id": _WHOSE,
    "previous_vip_tier": Inner(
        {
            "id": lambda telling: number_of(telling.said.get("previous_tier")),
            "name": said("previous_tier_title", "previous_tier"),
        }
    ),
    "current_vip_tier": Inner(
        {"id": lambda telling: number_of(telling.said.get("tier")), "name": said("tier_title", "tier")}
    ),
    "description": said("reason"),
    "created_at": occurred,
}

SMILE = Dialect(
    key="smile",
    title="Smile.io",
    metrics=(
        metric("Birthday Reward Issued", news.REWARD_GIVEN, _FULFILLMENT, given_for="birthday"),
        metric("Birthday Reward Issued", news.EARNED, _BIRTHDAY_POINTS, way="birthday"),
        metric("Points Earned on Order", news.EARNED, _TRANSACTION, source="order"),
        metric("Points Redeemed", news.REDEEMED, _PURCHASE),
        metric("Points Expiring", news.EXPIRING, _TOLD),
        metric("Referral Started", news.REFERRAL_ACCEPTED, _STARTED),
        metric("Referral Completed", news.REFERRAL_COMPLETED, _COMPLETED),
        metric("Reward Expiring", news.REWARD_EXPIRING, _FULFILLMENT),
        metric("VIP Tier Achieved", news.TIER_CHANGED, _TIER_CHANGE, direction="up"),
    ),
    properties={
        "Smile Points Balance": Property(lambda standing: standing.balance, NUMBER),
        "Smile Referral URL": Property(lambda standing: standing.referral_link, TEXT),
        "Smile State": Property(_state, TEXT),
        "Smile VIP Tier Name": Property(lambda standing: standing.shop.title(standing.tier), TEXT),
        "Smile VIP Tier ID": Property(lambda standing: number_of(standing.tier), NUMBER),
    },
    notes=(
        "Of the other side of a referral an event says name, address, state and link, and neither birthday nor balance.",
        "Smile.io has no event for points that are not earned on an order, nor for corrections, expired points, lost tiers and reminders.",
        (
            "“Points Redeemed”, “Points Expiring”, “Reward Expiring” and “Referral Completed” are names of ours as well. With both chosen, each "
            "of them is one event that says everything that either would say."
        ),
        (
            "Numbers of tiers: a tier whose key ends with a number (gold_48213) keeps that one, so that segments by “Smile VIP Tier ID” can go on; "
            "any other gets a number that is made of its key."
        ),
    ),
)
