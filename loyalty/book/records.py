"""Rows as they are while their batch is decided."""

from dataclasses import dataclass, field
from datetime import datetime

from loyalty.core.decide import News
from loyalty.core.facts import OrderSnapshot
from loyalty.core.ledger import Entry

MEMBER_FIELDS = (
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
)


@dataclass(eq=False, slots=True)
class Account:
    """A member's row while its batch is decided. ``pending`` are entries that are decided and not yet written."""

    id: int | None = None
    shopify_customer_id: int | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    state: str = "guest"
    joined_at: datetime | None = None
    customer_updated_at: datetime | None = None
    merged_into: int | None = None
    balance: int = 0
    lifetime_earned: int = 0
    lifetime_spent: int = 0
    entry_count: int = 0
    chain_head: str = ""
    created_at: datetime | None = None
    changed: bool = False
    pending: list[Entry] = field(default_factory=list)
    news: list[News] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class OrderRecord:
    """An order's row while its batch is decided."""

    order_id: int
    snapshot: OrderSnapshot
    authoritative: bool
    id: int | None = None
    account: Account | None = None
    program_version: int | None = None
    posted: int = 0
    postings: int = 0
    changed: bool = True
