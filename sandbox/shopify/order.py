"""An order as the shop keeps it: lines, discounts, money moved and money given back.

The objects only hold what happened; `totals` derives every amount from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sandbox.shopify.addresses import Address
from sandbox.shopify.money import ZERO, portion
from sandbox.shopify.people import later


@dataclass
class Line:
    """One line of an order."""

    id: int
    title: str
    quantity: int
    price: Decimal
    product_id: int | None = None
    variant_id: int | None = None
    variant_title: str | None = None
    sku: str | None = None
    vendor: str | None = None
    gift_card: bool = False
    tip: bool = False
    taxable: bool = True
    tax_rate: Decimal = ZERO
    properties: list[dict[str, str]] = field(default_factory=list)
    # (index of the discount application, amount over the whole line)
    allocations: list[tuple[int, Decimal]] = field(default_factory=list)
    refunded: int = 0
    removed: int = 0

    @property
    def ships(self) -> bool:
        """Whether it is a thing that goes somewhere."""
        return not self.gift_card and not self.tip

    @property
    def gross(self) -> Decimal:
        """Price times quantity, before discounts."""
        return self.price * self.quantity

    @property
    def discount(self) -> Decimal:
        """All discounts on the line, its share of order-level ones included."""
        return sum((amount for _, amount in self.allocations), ZERO)

    @property
    def net(self) -> Decimal:
        """What the whole line costs after all discounts."""
        return self.gross - self.discount

    @property
    def current_quantity(self) -> int:
        """Units neither refunded nor removed by an edit."""
        return self.quantity - self.refunded - self.removed

    def units_net(self, count: int) -> Decimal:
        """The discounted price of the next `count` units to leave the order."""
        gone = self.refunded + self.removed
        return portion(self.net, gone + count, self.quantity) - portion(self.net, gone, self.quantity)

    def units_tax(self, tax: Decimal, count: int) -> Decimal:
        """The tax on the next `count` units to leave the order."""
        gone = self.refunded + self.removed
        return portion(tax, gone + count, self.quantity) - portion(tax, gone, self.quantity)


@dataclass(frozen=True)
class AppliedDiscount:
    """A discount that was applied to the order, by code or by hand."""

    kind: str
    title: str
    code: str | None
    value: Decimal
    value_type: str
    target_type: str = "line_item"
    target_selection: str = "all"
    allocation_method: str = "across"
    amount: Decimal = ZERO


@dataclass
class Shipping:
    """The one shipping line of an order."""

    id: int
    title: str
    price: Decimal
    discount: Decimal = ZERO
    discount_index: int | None = None
    refunded: Decimal = ZERO
    tax_rate: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        """What shipping costs after its discount."""
        return self.price - self.discount


@dataclass
class Transaction:
    """Money moved, or meant to move."""

    id: int
    kind: str
    status: str
    amount: Decimal
    created_at: datetime
    gateway: str = "bogus"
    parent_id: int | None = None
    test: bool = False


@dataclass(frozen=True)
class RefundedLine:
    """Units of one line that a refund takes out of the order."""

    id: int
    line_id: int
    quantity: int
    subtotal: Decimal
    tax: Decimal
    restock_type: str


@dataclass(frozen=True)
class RefundedShipping:
    """Shipping money that a refund gives back: the price of it, and apart from that its tax."""

    id: int
    amount: Decimal
    tax: Decimal = ZERO


@dataclass(frozen=True)
class RefundedDuties:
    """Duties that a refund gives back."""

    id: int
    amount: Decimal


@dataclass(frozen=True)
class Adjustment:
    """The difference between what a refund gives back and what its lines are worth."""

    id: int
    amount: Decimal
    reason: str = "Refund discrepancy"


@dataclass
class Refund:
    """One refund: what left the order and which money moves for it."""

    id: int
    created_at: datetime
    updated_at: datetime
    note: str | None = None
    restock: bool = False
    lines: list[RefundedLine] = field(default_factory=list)
    shipping: list[RefundedShipping] = field(default_factory=list)
    duties: list[RefundedDuties] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)


@dataclass
class Dispute:
    """A chargeback or inquiry on an order."""

    id: int
    kind: str
    status: str
    amount: Decimal
    initiated_at: datetime


@dataclass
class Order:
    """One order and everything that happened to it."""

    id: int
    number: int
    created_at: datetime
    updated_at: datetime
    processed_at: datetime
    currency: str
    presentment_currency: str
    rate: Decimal
    taxes_included: bool
    lines: list[Line]
    customer_id: int | None = None
    email: str | None = None
    phone: str | None = None
    test: bool = False
    tags: list[str] = field(default_factory=list)
    note: str | None = None
    source_name: str = "web"
    locale: str = "en"
    attributes: list[dict[str, str]] = field(default_factory=list)
    shipping_address: Address | None = None
    billing_address: Address | None = None
    shipping: Shipping | None = None
    tip: Decimal = ZERO
    duties: Decimal = ZERO
    duties_refunded: Decimal = ZERO
    discounts: list[AppliedDiscount] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    closed_at: datetime | None = None
    fulfillment_status: str | None = None
    edited: bool = False
    # Totals at the moment of purchase, which no later event changes.
    placed: dict[str, Decimal] = field(default_factory=dict)
    moved_by_amounts: bool = False

    @property
    def name(self) -> str:
        """The number people see."""
        return f"#{self.number}"

    @property
    def codes(self) -> list[str]:
        """The discount codes used."""
        return [item.code for item in self.discounts if item.code]

    def line(self, line_id: int) -> Line | None:
        """Find a line by id."""
        return next((line for line in self.lines if line.id == line_id), None)

    def touch(self, now: datetime) -> None:
        """Move `updated_at` on, always strictly upwards in whole seconds."""
        self.updated_at = later(now, self.updated_at)
