"""What the outside world can tell us, in our own words. Facts are past tense, frozen and free of Shopify's and Klaviyo's shapes."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Identity:
    """How a person is known outside: by Shopify customer id, by e-mail, or by both. ``email`` is normalised (trimmed, lower case).

    ``verified``: the customer has shown that the address is theirs, by what Shopify says. What somebody typed at a till or a checkout
    without an account belongs to the address, and nobody has to show anything for that.
    """

    customer_id: int | None
    email: str | None
    verified: bool = True

    def is_nobody(self) -> bool:
        """Whether there is nothing here that could name a person."""
        return self.customer_id is None and not self.email


@dataclass(frozen=True, slots=True)
class CustomerSeen:
    """A customer record exists and looked like this at ``updated_at``. ``subscribed_at``: since when the customer agrees to marketing
    e-mail, or None when they do not. ``has_account``: where accounts are classic ones, Shopify keeps a record of everybody who
    orders with an address too, and only whoever has an account is a member."""

    identity: Identity
    first_name: str | None
    last_name: str | None
    locale: str | None
    created_at: datetime
    updated_at: datetime
    history: bool = False
    subscribed_at: datetime | None = None
    has_account: bool = True


@dataclass(frozen=True, slots=True)
class CustomerVisited:
    """A customer is logged in at the storefront: whatever the record says, there is an account."""

    identity: Identity
    at: datetime


@dataclass(frozen=True, slots=True)
class CustomerDeleted:
    """The customer record is gone; the points stay on the books."""

    customer_id: int


@dataclass(frozen=True, slots=True)
class CustomersMerged:
    """Shopify made one customer of two: ``deleted`` is now part of ``kept``."""

    kept_customer_id: int
    deleted_customer_id: int
    merged_at: datetime


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order, in the shop's currency.

    ``amount`` is what the whole line cost after every discount and without tax; ``tax`` is the tax on it. Both are for ``quantity``
    pieces; ``remaining`` of them were neither returned nor removed. ``tags`` and ``collections`` (Shopify's ids) are those of its product,
    or None where nobody has asked for them: webhooks do not tell. A
    ``tip`` is a line that is no goods.
    """

    line_id: int
    product_id: int | None
    quantity: int
    remaining: int
    amount: Decimal
    tax: Decimal
    gift_card: bool
    tags: tuple[str, ...] | None = None
    collections: tuple[int, ...] | None = None
    tip: bool = False


@dataclass(frozen=True, slots=True)
class OrderSnapshot:
    """The state of an order at ``updated_at``, in the shop's currency and without personal data.

    ``refunded`` is the money that really went back (successful refund transactions), ``refunded_shipping`` the part of all refunds
    that was for shipping, tax included; ``outstanding`` is what the customer still has to pay. ``received`` is the money that came
    in for the lines (all payments, less shipping, tips and duties), or None where it is not told. ``shipping`` is what the shipping cost,
    after discounts and with its tax. All of them are at the exchange
    rate of the sale: a refund in the buyer's currency must not count more or less for the rate having moved. ``address_mark`` is a mark
    of where it went, by which nobody can be found (or None where it is not told); it makes no difference between two snapshots.
    """

    order_id: int
    name: str
    created_at: datetime
    updated_at: datetime
    currency: str
    financial_status: str
    cancelled: bool
    test: bool
    source: str
    lines: tuple[OrderLine, ...]
    outstanding: Decimal
    refunded: Decimal
    refunded_shipping: Decimal
    discount_codes: tuple[str, ...] = ()
    received: Decimal | None = None
    shipping: Decimal = Decimal(0)
    address_mark: str | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The snapshot as plain JSON values; ``from_json`` gives an equal snapshot back."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        return plain | {
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "outstanding": str(self.outstanding),
            "refunded": str(self.refunded),
            "refunded_shipping": str(self.refunded_shipping),
            "received": None if self.received is None else str(self.received),
            "shipping": str(self.shipping),
            "discount_codes": list(self.discount_codes),
            **({"address_mark": self.address_mark} if self.address_mark else {}),
            "lines": [
                [
                    *(
                        x.line_id,
                        x.product_id,
                        x.quantity,
                        x.remaining,
                        str(x.amount),
                        str(x.tax),
                        x.gift_card,
                    ),
                    None if x.tags is None else list(x.tags),
                    None if x.collections is None else list(x.collections),
                    x.tip,
                ]
                for x in self.lines
            ],
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> "OrderSnapshot":
        """Rebuild a snapshot from ``to_json``'s form."""
        return OrderSnapshot(
            **{name: value[name] for name in _PLAIN},
            created_at=datetime.fromisoformat(value["created_at"]),
            updated_at=datetime.fromisoformat(value["updated_at"]),
            outstanding=Decimal(value["outstanding"]),
            refunded=Decimal(value["refunded"]),
            refunded_shipping=Decimal(value["refunded_shipping"]),
            received=None if value["received"] is None else Decimal(value["received"]),
            shipping=Decimal(value.get("shipping", 0)),  # older rows do not say
            discount_codes=tuple(value["discount_codes"]),
            address_mark=value.get("address_mark"),
            lines=tuple(_line(*line) for line in value["lines"]),
        )


def _line(
    line_id: int,
    product_id: int | None,
    quantity: int,
    remaining: int,
    amount: str,
    tax: str,
    gift_card: bool,  # noqa: FBT001  # in the order of ``to_json``
    tags: list[str] | None = None,
    collections: list[int] | None = None,
    tip: bool = False,  # noqa: FBT001, FBT002
) -> OrderLine:
    return OrderLine(
        line_id,
        product_id,
        quantity,
        remaining,
        Decimal(amount),
        Decimal(tax),
        gift_card,
        None if tags is None else tuple(tags),
        None if collections is None else tuple(collections),
        tip,
    )


_PLAIN = ("order_id", "name", "currency", "financial_status", "cancelled", "test", "source")


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """An order looked like this. ``authoritative`` means that we asked Shopify for it, rather than being told by a webhook:
    points are only ever taken back on an authoritative snapshot, or on an ``unreadable`` one, of which Shopify has nothing better to
    say (see ``OrderUnreadable``). ``history`` means that it reached us by an import."""

    order: OrderSnapshot
    identity: Identity
    authoritative: bool = False
    history: bool = False
    unreadable: bool = False

    @property
    def is_last_word(self) -> bool:
        """Whether points may be taken back on it."""
        return self.authoritative or self.unreadable


@dataclass(frozen=True, slots=True)
class OrderUnreadable:
    """Shopify does not show us this order: it is too old for the app to see, or was deleted. The newest that it told is its last word."""

    order_id: int


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """Something about an order moved, but the message does not say what the order is now: it has to be read again.

    ``signal`` names the message (for example ``refund:123``), so that each signal asks for one reading.
    """

    order_id: int
    signal: str


@dataclass(frozen=True, slots=True)
class ReviewSeen:
    """A review exists and looked like this at ``seen_at``. ``kind``: review, rating, question, store, or whatever else Klaviyo says.
    ``has_media``: it shows a photo or a video; ``has_video``: a video."""

    review_id: str
    email: str | None
    kind: str
    rating: int | None
    verified: bool
    has_media: bool
    status: str
    submitted_at: datetime
    seen_at: datetime
    has_video: bool = False


@dataclass(frozen=True, slots=True)
class ActionDone:
    """A person did something that a rule rewards: a social follow or share, an answer, an NPS score, or a custom action.

    ``rule`` is the rule's key. ``key`` is the caller's id of the occasion, for a custom action; the same key never earns twice. It is
    empty for what a member does once.
    """

    rule: str
    key: str
    identity: Identity
    done_at: datetime


@dataclass(frozen=True, slots=True)
class BirthdayTold:
    """A member told their birthday. No year is asked for."""

    identity: Identity
    month: int
    day: int
    told_at: datetime


@dataclass(frozen=True, slots=True)
class RewardRequested:
    """A member asks for a reward. ``issue_id`` is made by the caller, ``request_key`` by the caller's client. ``points`` is how many are
    spent on a reward of which one can have more or less. ``code`` is only said by who knows it already: otherwise it is made from
    ``issue_id`` when Shopify is asked for it."""

    reward: str
    request_key: str
    issue_id: str
    requested_at: datetime
    points: int | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class RewardIssued:
    """Shopify made the discount for a reward."""

    issue_id: str
    discount_id: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class RewardFailed:
    """The discount for a reward cannot be made; the points go back."""

    issue_id: str
    reason: str
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class RewardDeactivated:
    """Shopify will no longer take the code of a reward. ``used``: somebody used it before."""

    issue_id: str
    used: bool
    deactivated_at: datetime


@dataclass(frozen=True, slots=True)
class PointsAdjusted:
    """Somebody of the merchant's staff gave or took points. ``key`` makes it happen once; ``note`` is what the customer may read,
    ``internal_note`` what only staff may."""

    points: int
    key: str
    note: str
    staff: str
    adjusted_at: datetime
    may_go_negative: bool = False
    internal_note: str = ""


@dataclass(frozen=True, slots=True)
class ShopMessage:
    """Something about the shop or the app itself (uninstalled, scopes, settings, privacy), for the edge that knows what to do."""

    topic: str
    payload: dict[str, Any]


Fact = (
    CustomerSeen
    | CustomerVisited
    | CustomerDeleted
    | CustomersMerged
    | OrderSeen
    | OrderUnreadable
    | OrderChanged
    | ReviewSeen
    | ActionDone
    | BirthdayTold
    | RewardIssued
    | RewardFailed
    | RewardDeactivated
    | ShopMessage
)
