"""What test events say: one of every kind that the chosen dialects have, with made-up values. ``klaviyo_oauth.sampling`` sends them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from klaviyo_oauth.dialects import Event, Metric
from klaviyo_oauth.payloads import Teller
from loyalty.core import news
from loyalty.delivery import Message, Recipient

MARK = "laurel_test"

_MONTH = timedelta(days=30)
_REWARD: Mapping[str, Any] = {
    "reward": "five_off",
    "reward_id": "sample",
    "reward_title": "$5 off",
    "reward_kind": "amount_off",
    "reward_value": 5,
    "reward_points": 500,
    "reward_amount": "5.00",
    "minimum_subtotal": 30,
    "currency": "USD",
    "coupon_code": "SAMPLE-5OFF",
}
_REFERRAL: Mapping[str, Any] = {
    **_REWARD,
    "referral": "sample",
    "referral_title": "Give $5, get 100 points",
    "referral_code": "SAMPLE",
    "referral_link": "https://example.com/?ref=SAMPLE",
    "reward_for": "friend",
}
_EARNED: Mapping[str, Any] = {
    "points": 120,
    "source": "order",
    "rule": "order",
    "way": "order",
    "reason": "Place an order",
    "order_name": "#1001",
}
_SAMPLES: Mapping[str, Mapping[str, Any]] = {
    news.JOINED: {"source": "account"},
    news.EARNED: _EARNED,
    news.REDEEMED: {"points": 500, "source": "reward", **_REWARD},
    news.ADJUSTED: {**_EARNED, "points": -120, "reason": "Order #1001 changed"},
    news.EXPIRED: {
        "points": -40,
        "points_expired": 40,
        "source": "expiry",
        "rule": "inactivity",
        "reason": "Points expired",
    },
    news.EXPIRING: {"which": "warning", "points": 40, "days_left": 30},
    news.BALANCE_REMINDER: {"every": "month", "period": "2026-11"},
    news.BIRTHDAY_SET: {"birthday_month": 2, "birthday_day": 9},
    news.TIER_CHANGED: {
        "direction": "up",
        "previous_tier": "silver",
        "previous_tier_title": "Silver",
        "tier": "gold",
        "tier_title": "Gold",
        "by_hand": False,
        "reason": "Reached 500 spent",
        "metric": "spent",
        "threshold": 500,
        "progress": 510,
        "next_tier": "platinum",
        "next_tier_title": "Platinum",
        "next_tier_distance": 490,
    },
    news.REWARD_GIVEN: {**_REWARD, "given_for": "birthday"},
    news.REWARD_EXPIRING: _REWARD,
    news.REWARD_EXPIRED: _REWARD,
    news.REWARD_USED: {**_REWARD, "order_name": "#1002"},
    news.REWARD_CANCELLED: _REWARD,
    news.REFERRAL_SHARED: _REFERRAL,
    news.REFERRAL_RECEIVED: _REFERRAL,
    news.REFERRAL_ACCEPTED: _REFERRAL,
    news.REFERRAL_COMPLETED: {
        **_REFERRAL,
        "points": 100,
        "reward_for": "customer",
        "friend_coupon_code": "SAMPLE-FRIEND",
    },
}


def events(teller: Teller, message: Message) -> list[Event]:
    """One event of every kind that the chosen dialects have."""
    found: dict[str, Event] = {}
    for dialect in teller.choice.spoken:
        for metric in dialect.metrics:
            sample = sample_of(metric, message)
            for event in teller.words(sample):
                properties = event.properties | {MARK: True}
                unique_id = f"{message.unique_id}:{event.metric}"
                known = found.get(event.metric)
                if known is None or len(properties) > len(known.properties):
                    found[event.metric] = Event(event.metric, unique_id, properties, event.value)
    return list(found.values())


def sample_of(metric: Metric, message: Message) -> Message:
    """A made-up message that a metric tells of, to the recipient of ``message``."""
    at = message.occurred_at
    payload: dict[str, Any] = {
        "points_balance": 540,
        "last_activity_at": at.isoformat(),
        "expires_at": (at + _MONTH).isoformat(),
        "expires_on": (at + _MONTH).date().isoformat(),
        "coupon_created_at": at.isoformat(),
        "coupon_expires_at": (at + _MONTH).isoformat(),
        "tier_until": (at + _MONTH).isoformat(),
        **_SAMPLES[metric.kind],
    }
    for name, allowed in metric.only.items():
        if name == "sign":
            payload["points"] = abs(payload["points"]) * (1 if "+" in allowed else -1)
        else:
            payload[name] = payload.get(name) if payload.get(name) in allowed else min(allowed)
    return replace(message, kind=metric.kind, payload=payload, about=_FRIEND)


def stranger(email: str, *, now: datetime) -> Recipient:
    """Whom made-up values are shown of, where the address is no member's."""
    return replace(
        _FRIEND, email=email, first_name=None, last_name=None, joined_at=now - _MONTH, last_activity_at=now
    )


_FRIEND = Recipient(
    member_id=0,
    email="sam@example.com",
    customer_id=None,
    first_name="Sam",
    last_name="Sample",
    state="member",
    balance=540,
    lifetime_earned=600,
    lifetime_spent=60,
    joined_at=datetime(2026, 1, 1, tzinfo=UTC),
    pending=20,
    tier="gold",
    tier_since=datetime(2026, 1, 1, tzinfo=UTC),
    next_tier="platinum",
    next_tier_distance=Decimal(490),
    expires_at=datetime(2027, 1, 1, tzinfo=UTC),
    expiring_points=40,
    birthday_month=2,
    birthday_day=9,
    last_activity_at=datetime(2026, 1, 1, tzinfo=UTC),
    referral_code="SAMPLE",
)
