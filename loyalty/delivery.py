"""How a channel is drained: claim, send with no transaction open, record what came of it.

The senders live in the edges and are joined by the roots. An outcome is a value, never an exception and never "unknown": a lost
reply is ``Later``, and the message's ``unique_id`` makes the repeat harmless.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from loyalty.core.facts import Fact


@dataclass(frozen=True, slots=True)
class Delivered:
    """The remote has it. ``facts`` are what we learned by it; they are absorbed in the transaction that records the delivery. ``told`` are
    the names under which the remote knows it, where it has names for
    messages; none at all when it was told nothing that has a name."""

    status_code: int | None = None
    facts: tuple[Fact, ...] = ()
    told: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: try again after ``seconds``. ``counts`` is False when the message is not to blame (rate limit, nobody home)."""

    seconds: float
    reason: str
    status_code: int | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The remote will never take this. It is kept with its reason and shown; ``facts`` as in ``Delivered``."""

    reason: str
    status_code: int | None = None
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """There is nobody to tell or nothing to read (not connected, a person without e-mail). Not an error; ``facts`` as in ``Delivered``."""

    reason: str
    facts: tuple[Fact, ...] = ()


Outcome = Delivered | Later | Refused | Dropped


@dataclass(frozen=True, slots=True)
class Recipient:
    """The member that a message is about, as true at the moment of sending. ``referral_code`` is one that was given; None means that the
    member has the code from the start."""

    member_id: int
    email: str | None
    customer_id: int | None
    first_name: str | None
    last_name: str | None
    state: str
    balance: int
    lifetime_earned: int
    lifetime_spent: int
    joined_at: datetime | None
    pending: int = 0
    tier: str | None = None
    tier_since: datetime | None = None
    tier_until: datetime | None = None
    next_tier: str | None = None
    next_tier_distance: Decimal | None = None
    expires_at: datetime | None = None
    expiring_points: int = 0
    birthday_month: int | None = None
    birthday_day: int | None = None
    last_activity_at: datetime | None = None
    referral_code: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """An outbox row on its way out. ``about`` is whom else it is about (a friend, whoever brought one), where its payload names a member;
    None for somebody who was erased since."""

    id: int
    shop_id: int
    kind: str
    unique_id: str
    payload: Mapping[str, Any]
    occurred_at: datetime
    backfill: bool
    attempts: int
    recipient: Recipient | None = field(default=None, repr=False)
    about: Recipient | None = field(default=None, repr=False)


class Sender(Protocol):
    """One channel's way out. ``send`` answers for every message it was given, keyed by message id, and never raises for the remote."""

    channel: str
    batch_size: int

    def send(self, shop_id: int, messages: Sequence[Message]) -> Mapping[int, Outcome]: ...
