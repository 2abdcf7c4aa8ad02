"""Brings an amount of the customer's money into the shop's, at the rate of the sale and no other.

What Shopify says a later payment or refund was worth in the shop's money may follow the rate of that day. An order's total stands in
both currencies, so the rate of the sale is in every order.
"""

from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")


def at_rate_of_sale(amount: Decimal, *, ours: Decimal, theirs: Decimal) -> Decimal:
    """``amount`` in the shop's currency, where the order's total is ``ours`` in the shop's and ``theirs`` in the customer's."""
    return (amount * ours / theirs).quantize(_CENT, ROUND_HALF_UP) if theirs else amount
