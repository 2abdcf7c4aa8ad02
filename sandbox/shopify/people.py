"""Customers of a shop, including a million synthetic ones that take no memory until touched.

A synthetic customer is computed from its position; the first change turns it into a stored one.
"""

from __future__ import annotations

import bisect
import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.shopify.addresses import Address
from sandbox.shopify.money import ZERO

GIVEN = (
    "Ada",
    "Bo",
    "Chloé",
    "Dmitri",
    "Esi",
    "Farah",
    "Goro",
    "Hana",
    "Iñaki",
    "Jonas",
    "Kaia",
    "Łucja",
    "Mei",
)
FAMILY = (
    "Abara",
    "Brandt",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "García",
    "Hosseini",
    "Ito",
    "Jansen",
    "Kaya",
)
STEP = 32
_PLAIN_NUMBER = re.compile("0|[1-9][0-9]{0,8}")


@dataclass
class Customer:
    """One person with an account or an address in a shop."""

    id: int
    email: str | None
    first_name: str | None
    last_name: str | None
    created_at: datetime
    updated_at: datetime
    phone: str | None = None
    state: str = "disabled"
    verified_email: bool = True
    note: str | None = None
    locale: str = "en"
    tags: list[str] = field(default_factory=list)
    email_consent: str = "not_subscribed"
    sms_consent: str = "not_subscribed"
    consent_at: datetime | None = None
    address: Address | None = None
    orders: int = 0
    spent: Decimal = ZERO
    last_order_id: int | None = None

    @property
    def display_name(self) -> str:
        """The name the admin shows."""
        return (
            " ".join(part for part in (self.first_name, self.last_name) if part) or self.email or "Customer"
        )

    def touch(self, now: datetime) -> None:
        """Move `updated_at` on, always strictly upwards in whole seconds."""
        self.updated_at = later(now, self.updated_at)


def later(now: datetime, previous: datetime) -> datetime:
    """Return now in whole seconds, or one second after the previous value when that is not later."""
    whole = now.replace(microsecond=0)
    return whole if whole > previous else previous + timedelta(seconds=1)


@dataclass(frozen=True)
class SyntheticRange:
    """`count` customers whose every field follows from their position."""

    first_id: int
    count: int
    label: str
    made_at: datetime

    def at(self, position: int) -> Customer:
        """Compute the customer at a position."""
        given, family = GIVEN[position % len(GIVEN)], FAMILY[position % len(FAMILY)]
        # At least a day old: they were customers long before whatever is being tested.
        created = self.made_at - timedelta(days=1, seconds=self.count - position)
        return Customer(
            id=self.first_id + position * STEP,
            email=f"{self.label}-{position}@people.fernandfig.shop",
            first_name=given,
            last_name=family,
            created_at=created,
            updated_at=created,
            state="enabled",
            email_consent="subscribed" if position % 3 else "not_subscribed",
        )

    def position(self, customer_id: int) -> int | None:
        """Return where an id lies in this range, if it does."""
        index, rest = divmod(customer_id - self.first_id, STEP)
        return index if rest == 0 and 0 <= index < self.count else None

    def position_of_email(self, email: str) -> int | None:
        """Return where an address lies in this range, if it does."""
        local, _, host = email.partition("@")
        label, _, digits = local.rpartition("-")
        if host != "people.fernandfig.shop" or label != self.label or not _PLAIN_NUMBER.fullmatch(digits):
            return None
        return int(digits) if int(digits) < self.count else None


class CustomerBook:
    """All customers of one shop, found by id or e-mail and walked in id order."""

    def __init__(self) -> None:
        self._stored: dict[int, Customer] = {}
        self._sorted: list[int] = []
        self._by_email: dict[str, int] = {}
        self._ranges: list[SyntheticRange] = []
        self._gone: set[int] = set()
        # How many of the stored ones are a computed one that was changed.
        self._shadowed = 0

    def __len__(self) -> int:
        return len(self._stored) + sum(r.count for r in self._ranges) - self._shadowed - len(self._gone)

    def add(self, customer: Customer) -> None:
        """Store a customer, new or changed."""
        if customer.id not in self._stored:
            bisect.insort(self._sorted, customer.id)
            self._shadowed += self._in_ranges(customer.id) is not None
        self._stored[customer.id] = customer
        if customer.email:
            self._by_email[customer.email.lower()] = customer.id

    def add_range(self, synthetic: SyntheticRange) -> None:
        """Add a block of synthetic customers."""
        self._ranges.append(synthetic)

    def labels(self) -> set[str]:
        """The labels of the synthetic blocks, which their addresses begin with."""
        return {synthetic.label for synthetic in self._ranges}

    def _in_ranges(self, customer_id: int) -> Customer | None:
        if customer_id in self._gone:
            return None
        for synthetic in self._ranges:
            position = synthetic.position(customer_id)
            if position is not None:
                return synthetic.at(position)
        return None

    def get(self, customer_id: int) -> Customer | None:
        """Find a customer; a synthetic one is computed and not kept."""
        return self._stored.get(customer_id) or self._in_ranges(customer_id)

    def keep(self, customer_id: int) -> Customer | None:
        """Find a customer in order to change it: a synthetic one becomes stored."""
        customer = self.get(customer_id)
        if customer is not None and customer_id not in self._stored:
            self.add(customer)
        return customer

    def by_email(self, email: str) -> Customer | None:
        """Find a customer by address, whatever its letter case."""
        wanted = email.strip().lower()
        if wanted in self._by_email:
            return self.get(self._by_email[wanted])
        for synthetic in self._ranges:
            position = synthetic.position_of_email(wanted)
            if position is not None:
                number = synthetic.first_id + position * STEP
                return None if number in self._stored or number in self._gone else synthetic.at(position)
        return None

    def rename(self, customer: Customer, email: str | None) -> None:
        """Change a stored customer's address and keep the look-up true."""
        if customer.email:
            self._by_email.pop(customer.email.lower(), None)
        customer.email = email
        if email:
            self._by_email[email.lower()] = customer.id

    def remove(self, customer_id: int) -> None:
        """Forget a customer for good."""
        customer = self._stored.pop(customer_id, None)
        if customer is not None:
            self._sorted.pop(bisect.bisect_left(self._sorted, customer_id))
            self._shadowed -= self._in_ranges(customer_id) is not None
            if customer.email:
                self._by_email.pop(customer.email.lower(), None)
        if self._in_ranges(customer_id) is not None:
            self._gone.add(customer_id)

    def after(self, customer_id: int = 0) -> Iterator[Customer]:
        """Walk the customers with a higher id, in id order, without building a list."""
        start = bisect.bisect_right(self._sorted, customer_id)
        ids = self._sorted[start:]  # a copy, so that a walk survives changes made while it rests
        walks: list[Iterator[Customer]] = [(self._stored[n] for n in ids if n in self._stored)]
        walks.extend(self._walk_range(synthetic, customer_id) for synthetic in self._ranges)
        return heapq.merge(*walks, key=lambda customer: customer.id)

    def _walk_range(self, synthetic: SyntheticRange, customer_id: int) -> Iterator[Customer]:
        skipped = max(0, (customer_id - synthetic.first_id) // STEP + 1)
        for position in range(skipped, synthetic.count):
            number = synthetic.first_id + position * STEP
            if number not in self._stored and number not in self._gone:
                yield synthetic.at(position)
