"""Discount codes: what the app created, and whether a checkout may use one.

It holds one code per discount; automatic discounts and pooled codes are not part of the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.shopify.errors import ActionRefused
from sandbox.shopify.money import ZERO, spread
from sandbox.shopify.order import AppliedDiscount, Line, Shipping


@dataclass
class Discount:
    """One discount with its one code."""

    id: int
    kind: str
    title: str
    code: str
    code_id: int
    starts_at: datetime
    created_at: datetime
    updated_at: datetime
    ends_at: datetime | None = None
    usage_limit: int | None = None
    once_per_customer: bool = False
    customers: set[int] | None = None
    combines: dict[str, bool] = field(default_factory=dict)
    value_type: str = "fixed_amount"
    value: Decimal = ZERO
    each_item: bool = False
    products: set[int] | None = None
    collections: set[int] | None = None
    variants: set[int] | None = None
    # The shop's products by id, to know what is in a collection.
    catalogue: Mapping[int, Any] = field(default_factory=dict, repr=False)
    minimum_subtotal: Decimal | None = None
    minimum_quantity: int | None = None
    maximum_shipping: Decimal | None = None
    gets_quantity: int = 0
    uses_per_order: int | None = None
    tags: list[str] = field(default_factory=list)
    # (order id, customer id, when)
    uses: list[tuple[int, int | None, datetime]] = field(default_factory=list)

    def status(self, now: datetime) -> str:
        """ACTIVE, EXPIRED or SCHEDULED."""
        if now < self.starts_at:
            return "SCHEDULED"
        return "EXPIRED" if self.ends_at is not None and self.ends_at <= now else "ACTIVE"

    @property
    def discount_class(self) -> str:
        """ORDER, PRODUCT or SHIPPING, which decides what it may be combined with."""
        if self.kind == "FreeShipping":
            return "SHIPPING"
        return "PRODUCT" if self.kind == "Bxgy" or self.is_narrow else "ORDER"

    def combines_with(self, other: Discount) -> bool:
        """Whether this one allows the other's class beside it."""
        return self.combines.get(f"{other.discount_class.lower()}Discounts", False)

    def check(self, customer_id: int | None, lines: list[Line], now: datetime) -> None:
        """Raise ActionRefused unless this customer may use the code on these lines now."""
        if self.status(now) != "ACTIVE":
            raise ActionRefused("discount_inactive", f"The code {self.code} is not active.")
        if self.customers is not None and customer_id not in self.customers:
            raise ActionRefused("discount_not_yours", f"The code {self.code} belongs to another customer.")
        if self.usage_limit is not None and len(self.uses) >= self.usage_limit:
            raise ActionRefused("discount_used", f"The code {self.code} has been used up.")
        if self.once_per_customer and any(
            user == customer_id for _, user, _ in self.uses if user is not None
        ):
            raise ActionRefused("discount_used", f"This customer has used the code {self.code} before.")
        bought = self.entitled(lines)
        if self.kind != "FreeShipping" and not bought:
            raise ActionRefused("discount_not_applicable", f"The code {self.code} applies to nothing here.")
        subtotal = sum((line.gross for line in bought), ZERO)
        if self.minimum_subtotal is not None and subtotal < self.minimum_subtotal:
            raise ActionRefused(
                "discount_minimum", f"The code {self.code} needs {self.minimum_subtotal} or more."
            )
        if (
            self.minimum_quantity is not None
            and sum(line.quantity for line in bought) < self.minimum_quantity
        ):
            raise ActionRefused("discount_minimum", f"The code {self.code} needs more items.")

    def entitled(self, lines: list[Line]) -> list[Line]:
        """The lines the discount may touch: never gift cards."""
        plain = [line for line in lines if not line.gift_card]
        return [line for line in plain if self._is_for(line)] if self.is_narrow else plain

    @property
    def is_narrow(self) -> bool:
        """Whether the discount is for some goods only."""
        return any(chosen is not None for chosen in (self.products, self.collections, self.variants))

    def _is_for(self, line: Line) -> bool:
        known = self.catalogue.get(line.product_id or 0)
        return (
            line.product_id in (self.products or ())
            or line.variant_id in (self.variants or ())
            or (known is not None and bool(set(known.collections) & (self.collections or set())))
        )

    def apply(self, lines: list[Line], shipping: Shipping | None, index: int) -> AppliedDiscount:
        """Take the discount off the lines or the shipping and say how much that was."""
        if self.kind == "FreeShipping":
            return self._apply_shipping(shipping, index)
        lines = self.entitled(lines)
        if self.kind == "Bxgy":
            amounts = self._free_units(lines)
        elif self.value_type == "percentage":
            whole = sum((line.net for line in lines), ZERO)
            amounts = spread((whole * self.value).quantize(Decimal("0.01")), [line.net for line in lines])
        elif self.each_item:
            amounts = [min(line.net, self.value * line.quantity) for line in lines]
        else:
            whole = sum((line.net for line in lines), ZERO)
            amounts = spread(min(self.value, whole), [line.net for line in lines])
        for line, amount in zip(lines, amounts, strict=True):
            if amount:
                line.allocations.append((index, amount))
        entitled = self.is_narrow or self.kind == "Bxgy"
        shown = self.value * 100 if self.value_type == "percentage" else self.value
        return AppliedDiscount(
            kind="discount_code",
            title=self.title,
            code=self.code,
            value=shown,
            value_type=self.value_type,
            target_selection="entitled" if entitled else "all",
            allocation_method="each" if self.each_item or self.kind == "Bxgy" else "across",
            amount=sum(amounts, ZERO),
        )

    def _free_units(self, lines: list[Line]) -> list[Decimal]:
        left, amounts = self.gets_quantity * (self.uses_per_order or 1), []
        for line in lines:
            units = min(left, line.quantity)
            left -= units
            amounts.append((line.price * units * self.value).quantize(Decimal("0.01")))
        return amounts

    def _apply_shipping(self, shipping: Shipping | None, index: int) -> AppliedDiscount:
        price = shipping.price if shipping else ZERO
        if self.maximum_shipping is not None and price > self.maximum_shipping:
            raise ActionRefused("discount_not_applicable", f"Shipping costs more than {self.code} covers.")
        if shipping is not None:
            shipping.discount, shipping.discount_index = price, index
        return AppliedDiscount(
            kind="discount_code",
            title=self.title,
            code=self.code,
            value=Decimal(100),
            value_type="percentage",
            target_type="shipping_line",
            amount=price,
        )
