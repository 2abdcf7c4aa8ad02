"""What events say of a reward: numbers as numbers, instants in ISO 8601, and only what is known."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from loyalty.models import RewardIssue
from loyalty.redemption.terms import percentage_of


def said_of(issue: RewardIssue) -> dict[str, Any]:
    """The properties of an event about a reward. ``reward_value`` is money or, for a percentage, per cent."""
    value = percentage_of(issue) if issue.kind == "percentage_off" else issue.amount
    said: dict[str, Any] = {
        "reward": issue.reward,
        "reward_id": issue.id,
        "reward_title": issue.title,
        "reward_kind": issue.kind,
        "reward_value": _number(value) if value else None,
        "reward_points": issue.points,
        "reward_amount": str(issue.amount) if issue.amount else None,
        "minimum_subtotal": _number(issue.minimum_subtotal) if issue.minimum_subtotal is not None else None,
        "currency": issue.currency,
        "given_for": issue.given_for,
        "coupon_code": issue.code,
        "coupon_created_at": _instant(issue.created_at),
        "coupon_expires_at": _instant(issue.expires_at) if issue.expires_at else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
