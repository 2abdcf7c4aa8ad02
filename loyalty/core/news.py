"""What is worth telling: the kinds of news and what each of them says. Frozen as it happened; how it is told is the edges' work."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.core.ledger import Entry

JOINED = "joined_program"
EARNED = "points_earned"
REDEEMED = "points_redeemed"
ADJUSTED = "points_adjusted"
EXPIRED = "points_expired"
EXPIRING = "points_expiring"
BALANCE_REMINDER = "balance_reminder"
BIRTHDAY_SET = "birthday_set"
TIER_CHANGED = "tier_changed"
REWARD_GIVEN = "reward_given"
REWARD_EXPIRING = "reward_expiring"
REWARD_EXPIRED = "reward_expired"
REWARD_USED = "reward_used"
REWARD_CANCELLED = "reward_cancelled"
REFERRAL_SHARED = "referral_shared"
REFERRAL_RECEIVED = "referral_received"
REFERRAL_ACCEPTED = "referral_accepted"
REFERRAL_COMPLETED = "referral_completed"

NEWS_KINDS = (
    JOINED,
    EARNED,
    REDEEMED,
    ADJUSTED,
    EXPIRED,
    EXPIRING,
    BALANCE_REMINDER,
    BIRTHDAY_SET,
    TIER_CHANGED,
    REWARD_GIVEN,
    REWARD_EXPIRING,
    REWARD_EXPIRED,
    REWARD_USED,
    REWARD_CANCELLED,
    REFERRAL_SHARED,
    REFERRAL_RECEIVED,
    REFERRAL_ACCEPTED,
    REFERRAL_COMPLETED,
)


@dataclass(frozen=True, slots=True)
class News:
    """Something worth telling, frozen as it happened. ``entry`` is the movement that it tells of, if it tells of one; otherwise
    ``subject`` makes it one of its kind for the member (a tier change's instant, a warning's date).

    ``history`` means that it is old: it is recorded at Klaviyo, but must start no flow. ``not_before`` means that it has to wait.
    """

    kind: str
    properties: Mapping[str, Any]
    occurred_at: datetime
    history: bool = False
    entry: Entry | None = None
    subject: str = ""
    not_before: datetime | None = None


def entry_news(
    entry: Entry, *, balance: int, extra: Mapping[str, Any] | None = None, history: bool = False
) -> News:
    """The news of a movement that was decided; ``balance`` is what there is after it."""
    kind = EARNED if entry.kind == "earn" else EXPIRED if entry.kind == "expire" else ADJUSTED
    properties = {
        "points": entry.points,
        "points_balance": balance,
        "source": entry.source.kind,
        "rule": entry.rule,
        "reason": entry.reason,
        **{key: value for key, value in (extra or {}).items() if value is not None},
    }
    return News(kind, properties, entry.occurred_at, history=history, entry=entry)
