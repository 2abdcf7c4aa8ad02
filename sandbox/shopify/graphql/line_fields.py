"""The lines of orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.shopify import totals
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.money_fields import bag
from sandbox.shopify.graphql.order_fields import LineItem, applications, tax_lines
from sandbox.shopify.graphql.registry import Resolver, fields, represents
from sandbox.shopify.graphql.shop_fields import variant
from sandbox.shopify.ids import gid
from sandbox.shopify.money import ZERO
from sandbox.shopify.order import Line


def _unit(line: Line, amount: Decimal) -> Decimal:
    return (amount / line.quantity).quantize(Decimal("0.01")) if line.quantity else ZERO


def _line_set(amount: Any) -> Resolver:
    return lambda item, context, **_: bag(item.order, amount(item.part))


def _discounted_total(item: LineItem, _context: Context, **arguments: bool | None) -> dict[str, Any]:
    """Never includes discounts on the whole order; code discounts of the line itself only when asked for."""
    taken = ZERO
    if arguments.get("withCodeDiscounts"):
        applied = item.order.discounts
        taken = sum(
            (part for index, part in item.part.allocations if applied[index].allocation_method == "each"),
            ZERO,
        )
    return bag(item.order, item.part.gross - taken)


def _product(item: LineItem, context: Context) -> Any:
    return context.shop.products.get(item.part.product_id) if item.part.product_id else None


def _allocations(item: LineItem, _context: Context) -> list[dict[str, Any]]:
    applied = applications(item.order)
    return [
        {"allocatedAmountSet": bag(item.order, amount), "discountApplication": applied[index]}
        for index, amount in item.part.allocations
    ]


fields(
    "LineItem",
    {
        "id": lambda i, c: gid("LineItem", i.part.id),
        "name": lambda i, c: i.part.title,
        "title": lambda i, c: i.part.title,
        "quantity": lambda i, c: i.part.quantity,
        "currentQuantity": lambda i, c: i.part.current_quantity,
        "refundableQuantity": lambda i, c: i.part.current_quantity,
        "sku": lambda i, c: i.part.sku,
        "vendor": lambda i, c: i.part.vendor,
        "variantTitle": lambda i, c: i.part.variant_title,
        "isGiftCard": lambda i, c: i.part.gift_card,
        "taxable": lambda i, c: i.part.taxable,
        "requiresShipping": lambda i, c: i.part.ships,
        "product": _product,
        "variant": lambda i, c: variant(found) if (found := _product(i, c)) else None,
        "customAttributes": lambda i, c: [
            {"key": row["name"], "value": row["value"]} for row in i.part.properties
        ],
        "originalUnitPriceSet": _line_set(lambda line: line.price),
        "originalTotalSet": _line_set(lambda line: line.gross),
        "discountedUnitPriceSet": _line_set(lambda line: line.price),
        "discountedUnitPriceAfterAllDiscountsSet": _line_set(lambda line: _unit(line, line.net)),
        "discountedTotalSet": _discounted_total,
        "totalDiscountSet": _line_set(lambda line: ZERO),
        "discountAllocations": _allocations,
        "taxLines": lambda i, c, first=None: tax_lines(i.order, [(i.part, totals.line_tax(i.order, i.part))]),
    },
)


represents(LineItem, "LineItem")
