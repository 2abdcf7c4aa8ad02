"""Rows as they are while their batch is decided."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from loyalty.core.decide import Pin
from loyalty.core.facts import OrderSnapshot
from loyalty.core.ledger import Entry
from loyalty.core.news import News
from loyalty.core.standing import Birthday, HandTier, Standing

# The states of people for whom anything can still happen.
ALIVE = ("member", "guest")
# Columns of a member that are fields of an account as they are.
PLAIN_FIELDS = (
    "id",
    "shopify_customer_id",
    "email",
    "first_name",
    "last_name",
    "locale",
    "state",
    "joined_at",
    "customer_updated_at",
    "merged_into",
    "balance",
    "lifetime_earned",
    "lifetime_spent",
    "entry_count",
    "chain_head",
    "created_at",
    "tier",
    "tier_since",
    "tier_until",
    "next_tier",
    "next_tier_distance",
    "subscribed_at",
    "referral_code",
    "last_activity_at",
    "last_order_at",
    "expires_at",
    "expiry_not_before",
    "expiring_points",
    "calendar_at",
    "calendar_due",
    "gone_at",
    "hand_tier_by",
)
MADE_FIELDS = (
    "pending",
    "hand_tier",
    "hand_tier_since",
    "hand_tier_until",
    "birthday_month",
    "birthday_day",
    "birthday_told_at",
)
MEMBER_FIELDS = PLAIN_FIELDS + MADE_FIELDS
# What of an account a profile shows, or is found by.
_shown = attrgetter(
    "email",
    "first_name",
    "last_name",
    "state",
    "joined_at",
    "balance",
    "lifetime_earned",
    "lifetime_spent",
    "held",
    "tier",
    "tier_since",
    "tier_until",
    "next_tier",
    "next_tier_distance",
    "expires_at",
    "expiring_points",
    "birthday",
    "last_activity_at",
    "referral_code",
)


@dataclass(eq=False, slots=True)
class Account(Standing):
    """A member's row and standing while its batch is decided.

    ``unwritten`` are entries that are decided and not yet in the ledger. ``has_history``: all that the member has done is loaded.
    ``known_as`` is the identity that the row has, ``as_shown`` what the row says of what a profile shows (None while there is no row).
    ``rewards_changed``: the member's rewards, which are on the profile too, are others now, and no news says so.
    """

    id: int | None = None
    shopify_customer_id: int | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    state: str = "guest"
    customer_updated_at: datetime | None = None
    merged_into: int | None = None
    entry_count: int = 0
    chain_head: str = ""
    created_at: datetime | None = None
    tier_until: datetime | None = None
    next_tier: str | None = None
    next_tier_distance: Decimal | None = None
    subscribed_at: datetime | None = None
    referral_code: str | None = None
    expires_at: datetime | None = None
    expiring_points: int = 0
    calendar_due: datetime | None = None
    hand_tier_by: str | None = None
    gone_at: datetime | None = None
    changed: bool = False
    has_history: bool = False
    has_entries: bool = False
    unwritten: list[Entry] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    as_shown: tuple[Any, ...] | None = None
    known_as: tuple[int | None, str | None] = (None, None)
    rewards_changed: bool = False

    def identity(self) -> tuple[int | None, str | None]:
        """By what the person is known."""
        return self.shopify_customer_id, self.email

    def shows_otherwise(self) -> bool:
        """Whether a profile would show something else than it did before. Of somebody new there is something to show once there are
        points or a tier."""
        if self.email is None or self.merged_into is not None:
            return False
        if self.as_shown is None:
            return bool(self.balance or self.held or self.tier)
        return self.rewards_changed or self.as_shown != _shown(self)

    def is_told(self) -> None:
        """From now on only what changes again is told."""
        self.news, self.as_shown, self.rewards_changed = [], _shown(self), False


def account_of(row: dict[str, Any]) -> Account:
    """The account of a member's row (``MEMBER_FIELDS``)."""
    account = Account(**{name: row[name] for name in PLAIN_FIELDS})
    account.name = str(row["id"])
    account.is_guest = row["joined_at"] is None
    account.held = row["pending"]
    if row["birthday_told_at"] is not None:
        account.birthday = Birthday(row["birthday_month"], row["birthday_day"], row["birthday_told_at"])
    if row["hand_tier"] is not None:
        account.hand_tier = HandTier(row["hand_tier"], row["hand_tier_since"], row["hand_tier_until"])
    account.as_shown, account.known_as = _shown(account), account.identity()
    return account


def row_of(account: Account) -> dict[str, Any]:
    """The values of a member's row, but for its id."""
    values = {name: getattr(account, name) for name in PLAIN_FIELDS if name != "id"}
    birthday, hand = account.birthday, account.hand_tier
    return values | {
        "pending": account.held,
        "hand_tier": hand.tier if hand else None,
        "hand_tier_since": hand.since if hand else None,
        "hand_tier_until": hand.ends_at if hand else None,
        "birthday_month": birthday.month if birthday else None,
        "birthday_day": birthday.day if birthday else None,
        "birthday_told_at": birthday.told_at if birthday else None,
    }


@dataclass(eq=False, slots=True)
class OrderRecord:
    """An order's row while its batch is decided. ``pin``: by what its points are reckoned; None until it earns something. ``unreadable``:
    Shopify did not show it when it was asked for the newest that was told."""

    order_id: int
    snapshot: OrderSnapshot
    authoritative: bool
    id: int | None = None
    account: Account | None = None
    pin: Pin | None = None
    counted: Decimal = Decimal(0)
    unreadable: bool = False
    changed: bool = True
