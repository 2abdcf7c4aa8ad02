"""How what Shopify says of a reward becomes an outcome. What it says beside its codes may quote what we sent and is left alone."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from loyalty.core.facts import RewardDeactivated, RewardFailed, RewardIssued
from loyalty.delivery import Delivered, Outcome, Refused
from loyalty.models import RewardIssue

# Trouble of Shopify's own that passes.
PASSING = frozenset({"INTERNAL_ERROR"})


def issued(row: RewardIssue, remote_id: str, now: datetime) -> Outcome:
    """It is there."""
    return Delivered(200, (RewardIssued(row.id, remote_id, now),))


def failed(row: RewardIssue, reason: str, now: datetime) -> Outcome:
    """It cannot be made."""
    return Refused(reason, None, (RewardFailed(row.id, reason, now),))


def ended(row: RewardIssue, now: datetime, *, used: bool) -> Outcome:
    """It can no longer be used."""
    return Delivered(200, (RewardDeactivated(row.id, used, now),))


def error_codes(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """The codes of a mutation's user errors."""
    return tuple(str(error.get("code") or "INVALID") for error in payload.get("userErrors") or ())


def later_by(attempt: int) -> float:
    """Seconds to wait after an attempt: 2, 4, 8 … up to a quarter of an hour."""
    return float(min(2 ** min(attempt, 10), 900))
