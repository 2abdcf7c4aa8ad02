"""What of an order counts, and how many points that is.

What counts: goods, after every discount, without tax, shipping, tips and gift cards (a gift card earns when it is spent on goods,
so counting its sale too would pay twice). Test, cancelled and voided orders count nothing. Only what was paid counts: what is
still outstanding is taken off. Returned or removed pieces do not count. Money that went back beyond the value of returned pieces
and shipping takes its share off the goods that remain, so that an amount-only refund and a refund by line end alike.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from loyalty.core.facts import OrderLine, OrderSnapshot
from loyalty.core.program import OrderRule

_NOTHING_PAID = frozenset({"pending", "authorized", "voided", "expired", ""})


@dataclass(frozen=True, slots=True)
class Award:
    """How many points an order is worth now, and the amount of money (in the shop's currency) that this rests on."""

    points: int
    basis: Fraction


def order_award(order: OrderSnapshot, rule: OrderRule) -> Award:
    """Points and basis of an order under a rule. A function of its arguments alone, so every history of an order ends alike."""
    basis = counted_amount(order)
    return Award(round_points(basis * Fraction(rule.rate), rule.rounding), basis)


def counted_amount(order: OrderSnapshot) -> Fraction:
    """The part of an order that counts (see the module), in the shop's currency; never negative."""
    if order.test or order.cancelled or order.financial_status in _NOTHING_PAID or order.financial_status == "refunded":
        return Fraction(0)
    goods = sum((_remaining_share(line) * Fraction(line.amount) for line in order.lines if not line.gift_card), Fraction(0))
    held = sum((_remaining_share(line) * _paid_for(line) for line in order.lines), Fraction(0))
    returned = sum((_paid_for(line) for line in order.lines), Fraction(0)) - held
    given_back = Fraction(order.refunded) - Fraction(order.refunded_shipping) - returned
    missing = max(Fraction(0), given_back) + max(Fraction(0), Fraction(order.outstanding))
    if held <= 0 or missing >= held:
        return Fraction(0)
    return goods * (held - missing) / held


def round_points(points: Fraction, rounding: str) -> int:
    """Whole points: ``down`` (the usual), ``half_up`` or ``up``. ``points`` is never negative."""
    if rounding == "up":
        return ceil(points)
    if rounding == "half_up":
        return floor(points + Fraction(1, 2))
    return floor(points)


def _remaining_share(line: OrderLine) -> Fraction:
    if line.quantity <= 0:
        return Fraction(0)
    return Fraction(min(max(line.remaining, 0), line.quantity), line.quantity)


def _paid_for(line: OrderLine) -> Fraction:
    return Fraction(line.amount) + Fraction(line.tax)
