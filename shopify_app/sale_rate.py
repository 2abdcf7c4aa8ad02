"""Brings an amount of the customer's money into the shop's, at the rate of the sale and no other.

What Shopify says a later payment or refund was worth in the shop's money may follow the rate of that day. An order's total stands in
both currencies, so the rate of the sale is in every order.
"""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from babel.numbers import get_currency_precision

from loyalty.core.facts import OrderSnapshot

_CENT = Decimal("0.01")


def at_rate_of_sale(amount: Decimal, *, ours: Decimal, theirs: Decimal) -> Decimal:
    """``amount`` in the shop's currency, where the order's total is ``ours`` in the shop's and ``theirs`` in the customer's."""
    return (amount * ours / theirs).quantize(_CENT, ROUND_HALF_UP) if theirs else amount


def refunded_as_sold(order: OrderSnapshot, currency: str, *, ours: Decimal, theirs: Decimal) -> OrderSnapshot:
    """The order with what went back as its lines say it, where no more than the rounding of the customer's ``currency`` lies between: every
    price was rounded to that currency's coin, which may be worth more than the shop's, and a whole line that came back must not take
    anything off the others."""
    if not (ours and theirs):
        return order
    back, pieces = Fraction(order.refunded_shipping), 0
    for line in order.lines:
        gone = line.quantity - min(max(line.remaining, 0), line.quantity)
        if gone > 0:
            back += Fraction(line.amount + line.tax) * gone / line.quantity
            pieces += gone
    coin = _coin(order.currency)
    rounded = Fraction(_coin(currency)) * Fraction(ours) / Fraction(theirs) + Fraction(coin)
    if abs(back - Fraction(order.refunded)) > (pieces + 1) * rounded:
        return order
    exact = Decimal(back.numerator) / Decimal(back.denominator)
    return replace(order, refunded=exact.quantize(coin, ROUND_HALF_UP))


def _coin(currency: str) -> Decimal:
    return Decimal(1).scaleb(-get_currency_precision(currency))
