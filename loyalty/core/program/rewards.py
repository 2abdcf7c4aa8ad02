"""What members can have for their points."""

from dataclasses import dataclass
from decimal import Decimal

from loyalty.core.program.earning import Limit

# These are discount codes at Shopify; the others are money.
DISCOUNTS = frozenset({"amount_off", "percentage_off", "free_shipping", "free_product", "incremental"})
REWARD_KINDS = DISCOUNTS | {"gift_card", "store_credit"}


@dataclass(frozen=True, slots=True)
class Combines:
    """With which other discounts a code may be used in one order."""

    order: bool = False
    product: bool = True
    shipping: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """One thing to be had.

    ``points`` is its price; for an ``incremental`` one it is the price of one step, a member chooses from ``minimum_points`` to
    ``maximum_points`` and gets ``amount`` for each step. ``amount`` is in the shop's currency (not for percentage_off, free_shipping and
    free_product), ``percentage`` is from 0 to 100, ``variant_id`` is the free product. ``products`` and ``collections`` say for what a
    code holds (everything, when both are empty). ``listed``: whether it can be had for points; one that is not listed is only given
    (on a birthday, on entering a tier, for a referral) and has no price.
    """

    key: str
    kind: str
    title: str
    points: int = 0
    amount: Decimal = Decimal(0)
    percentage: Decimal = Decimal(0)
    variant_id: int | None = None
    minimum_points: int | None = None
    maximum_points: int | None = None
    listed: bool = True
    code_prefix: str = "LAUREL"
    expires_after_days: int | None = None
    minimum_subtotal: Decimal | None = None
    products: frozenset[int] = frozenset()
    collections: frozenset[int] = frozenset()
    combines: Combines = Combines()
    limit: Limit | None = None
    tiers: frozenset[str] = frozenset()
