"""A shop and everything in it, and the app's installation there.

State only: what people and the app do to it lives in `actions`, `oauth` and `graphql`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sandbox.shopify.discount import Discount
from sandbox.shopify.money import ZERO
from sandbox.shopify.order import Order
from sandbox.shopify.people import CustomerBook


@dataclass(frozen=True)
class Collection:
    """A group of products, kept by hand."""

    id: int
    title: str
    handle: str
    created_at: datetime | None = None


@dataclass(frozen=True)
class Product:
    """Something the shop sells, with one variant. `collections` are the ids of those that it is in."""

    id: int
    variant_id: int
    title: str
    handle: str
    price: Decimal
    sku: str
    vendor: str = "Fern & Fig"
    product_type: str = ""
    tags: tuple[str, ...] = ()
    collections: tuple[int, ...] = ()
    gift_card: bool = False
    taxable: bool = True
    created_at: datetime | None = None


@dataclass
class Metafield:
    """A stored value that belongs to a customer, an order, the shop or the installation."""

    id: int
    owner: str
    owner_type: str
    namespace: str
    key: str
    type: str
    value: str
    created_at: datetime
    updated_at: datetime


@dataclass
class AccessToken:
    """An expiring offline token."""

    value: str
    expires_at: datetime
    refresh: str


@dataclass
class RefreshToken:
    """A refresh token and what it was exchanged for."""

    value: str
    expires_at: datetime
    first_used_at: datetime | None = None
    replacement: str | None = None
    parent: str | None = None
    used: bool = False


@dataclass
class Installation:
    """The app in one shop."""

    id: int
    scopes: tuple[str, ...]
    installed_at: datetime
    access: OrderedDict[str, AccessToken] = field(default_factory=OrderedDict)
    refresh: OrderedDict[str, RefreshToken] = field(default_factory=OrderedDict)

    def grants(self, scope: str) -> bool:
        """Whether the scope was granted; the right to write includes the right to read."""
        return not scope or scope in self.scopes or scope.replace("read_", "write_", 1) in self.scopes


@dataclass
class StoreCredit:
    """A customer's store credit in one currency."""

    id: int
    customer_id: int
    currency: str
    balance: Decimal = ZERO
    # (id, kind, amount, balance after, when, expires at)
    moves: list[tuple[int, str, Decimal, Decimal, datetime, datetime | None]] = field(default_factory=list)


@dataclass
class GiftCard:
    """A gift card made by the app."""

    id: int
    code: str
    initial: Decimal
    currency: str
    created_at: datetime
    customer_id: int | None = None
    expires_on: str | None = None
    note: str | None = None
    disabled_at: datetime | None = None
    spent: Decimal = ZERO

    @property
    def balance(self) -> Decimal:
        """What is left of it."""
        return self.initial - self.spent


@dataclass
class BulkOperation:
    """One bulk query: asked for, run in the background, its result kept as a file."""

    id: int
    query: str
    created_at: datetime
    group_objects: bool = False
    status: str = "CREATED"
    error_code: str | None = None
    completed_at: datetime | None = None
    object_count: int = 0
    root_object_count: int = 0
    file_size: int | None = None
    path: str | None = None
    secret: str = ""


@dataclass
class Shop:
    """One store."""

    id: int
    domain: str
    name: str
    email: str
    created_at: datetime
    currency: str = "USD"
    money_format: str = "${{amount}}"
    timezone: str = "America/New_York"
    country: str = "US"
    locale: str = "en"
    plan: str = "Basic"
    owner: str = "Willow Hart"
    # CLASSIC or NEW_CUSTOMER_ACCOUNTS.
    accounts: str = "CLASSIC"
    taxes_included: bool = False
    tax_rate: Decimal = ZERO
    rates: dict[str, Decimal] = field(
        default_factory=lambda: {"EUR": Decimal("0.92"), "CAD": Decimal("1.37")}
    )
    amount_refunds_move_subtotal: bool = False
    # What the app was approved for: all personal fields, none of them, or some by name ("name,email").
    protected_data: str = "level2"
    updated_at: datetime | None = None
    next_order_number: int = 1001
    products: OrderedDict[int, Product] = field(default_factory=OrderedDict)
    collections: OrderedDict[int, Collection] = field(default_factory=OrderedDict)
    customers: CustomerBook = field(default_factory=CustomerBook)
    orders: OrderedDict[int, Order] = field(default_factory=OrderedDict)
    discounts: OrderedDict[int, Discount] = field(default_factory=OrderedDict)
    codes: dict[str, int] = field(default_factory=dict)
    metafields: dict[tuple[str, str, str], Metafield] = field(default_factory=dict)
    store_credit: dict[int, StoreCredit] = field(default_factory=dict)
    gift_cards: OrderedDict[int, GiftCard] = field(default_factory=OrderedDict)
    bulk: OrderedDict[int, BulkOperation] = field(default_factory=OrderedDict)
    installation: Installation | None = None
    embeds: dict[str, bool] = field(default_factory=dict)

    @property
    def handle(self) -> str:
        """The short name in admin addresses."""
        return self.domain.removesuffix(".myshopify.com")

    def approves(self, kind: str) -> bool:
        """Whether the app may see names, addresses, e-mails or phones here."""
        if self.protected_data in ("level2", "none"):
            return self.protected_data == "level2"
        return kind in self.protected_data.split(",")

    def discount_by_code(self, code: str) -> Discount | None:
        """Find a discount by its code, whatever the letter case."""
        found = self.codes.get(code.strip().lower())
        return self.discounts.get(found) if found is not None else None
