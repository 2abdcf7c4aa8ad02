"""What the discount of each kind of reward is, in the words of the Admin API. Pure.

Every code can be used once. A free product is the price of one piece off that variant: taking per cent off would make every piece in
the cart free, and a buy-one-get-one discount would want other goods named that have to be bought.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from loyalty.core.program import Reward
from loyalty.models import RewardIssue
from loyalty.redemption import terms_of
from shopify_app import documents
from shopify_app.gids import gid
from shopify_app.reward_codes import title_of

TAG = "laurel"


class CannotBeMade(Exception):
    """Shopify has no discount for these terms. ``reason`` is what staff read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Creation:
    """A mutation that makes a discount, the name of its answer, and its input."""

    document: str
    field: str
    discount: Mapping[str, Any]


def creation(row: RewardIssue, customer_id: int | None, *, unit_price: Decimal | None = None) -> Creation:
    """How the discount of a reward is made. ``unit_price`` is what the free product costs. Raises ``CannotBeMade``."""
    terms = terms_of(row)
    shared = _shared(row, terms, customer_id)
    if terms.kind == "free_shipping":
        discount = shared | {"destination": {"all": True}}
        return Creation(documents.FREE_SHIPPING_CREATE, "discountCodeFreeShippingCreate", discount)
    gets = {"items": _items(terms), "value": _value(row, terms, unit_price)}
    discount = shared | {"customerGets": gets}
    return Creation(documents.DISCOUNT_CREATE, "discountCodeBasicCreate", discount)


def _shared(row: RewardIssue, terms: Reward, customer_id: int | None) -> dict[str, Any]:
    if row.bound and customer_id is None:
        raise CannotBeMade("no_customer")
    who = (
        {"customers": {"add": [gid("Customer", customer_id)]}}
        if row.bound and customer_id
        else {"all": "ALL"}
    )
    made: dict[str, Any] = {
        "title": title_of(row),
        "code": row.code,
        "startsAt": instant(row.created_at),
        "endsAt": instant(row.expires_at) if row.expires_at else None,
        "usageLimit": 1,
        "appliesOncePerCustomer": True,
        "context": who,
        "combinesWith": {
            "orderDiscounts": terms.combines.order,
            "productDiscounts": terms.combines.product,
            # Two discounts on the same shipping never go together at Shopify.
            "shippingDiscounts": terms.combines.shipping and terms.kind != "free_shipping",
        },
        "tags": [TAG],
    }
    if row.minimum_subtotal:
        if terms.kind == "free_product":
            # Shopify counts a minimum over the goods that a discount is for, which is the free product itself.
            raise CannotBeMade("free_product_with_minimum")
        made["minimumRequirement"] = {"subtotal": {"greaterThanOrEqualToSubtotal": str(row.minimum_subtotal)}}
    return made


def _items(terms: Reward) -> dict[str, Any]:
    if terms.kind == "free_product":
        if terms.variant_id is None:
            raise CannotBeMade("no_product")
        return {"products": {"productVariantsToAdd": [gid("ProductVariant", terms.variant_id)]}}
    if terms.products:
        return {"products": {"productsToAdd": [gid("Product", one) for one in sorted(terms.products)]}}
    if terms.collections:
        return {"collections": {"add": [gid("Collection", one) for one in sorted(terms.collections)]}}
    return {"all": True}


def _value(row: RewardIssue, terms: Reward, unit_price: Decimal | None) -> dict[str, Any]:
    if terms.kind == "percentage_off":
        return {"percentage": float(terms.percentage / 100)}
    amount = unit_price if terms.kind == "free_product" else row.amount
    if not amount:
        raise CannotBeMade("worth_nothing")
    return {"discountAmount": {"amount": str(amount), "appliesOnEachItem": False}}


def instant(at: datetime) -> str:
    """An instant as the Admin API writes it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
