"""What of an order counts, and how many points that is.

What counts: goods, after every discount, without tax, shipping, tips and gift cards (a gift card earns when it is spent on goods,
so counting its sale too would pay twice). Test, cancelled and voided orders count nothing. Only what was paid counts: what is
still outstanding is taken off. Returned or removed pieces do not count. Money that went back beyond the value of returned pieces
and shipping takes its share off the goods that remain, so that an amount-only refund and a refund by line end alike. Everything is
reckoned in exact fractions; only the points are rounded, once, at the end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from loyalty.core.facts import OrderLine, OrderSnapshot
from loyalty.core.program import OrderRule

_NOTHING_COUNTS = frozenset({"pending", "authorized", "voided", "expired", "refunded", ""})
# Currencies whose smallest coin is not a hundredth (ISO 4217).
_WITHOUT_CENTS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)  # fmt: skip
_WITH_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


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
    if order.test or order.cancelled or order.financial_status in _NOTHING_COUNTS:
        return Fraction(0)
    lines = [line for line in order.lines if line.quantity > 0]
    sold = _total(Fraction(line.amount) for line in lines if not line.gift_card)
    goods = _total(_remaining_share(line) * Fraction(line.amount) for line in lines if not line.gift_card)
    invoiced = _total(_price(line) for line in lines)
    held = _total(_remaining_share(line) * _price(line) for line in lines)
    taken_off = _total((1 - _remaining_share(line)) * line.quantity for line in lines)
    slack = taken_off * _smallest_coin(order.currency)
    missing = _given_back(order, invoiced, held, slack) + max(Fraction(0), Fraction(order.outstanding))
    if held <= 0 or missing >= held:
        return Fraction(0)
    return min(sold, goods * (held - missing) / held)


def _given_back(order: OrderSnapshot, invoiced: Fraction, held: Fraction, slack: Fraction) -> Fraction:
    """The money that went back beyond the value of returned pieces.

    Refunds are rounded to the smallest coin, piece by piece, so within ``slack`` (a coin for each piece) the money decides and
    this may be a little below zero. Further below, the pieces are back and the money is still on its way: the pieces decide.
    """
    returned = invoiced - held
    if order.received is not None:
        # Pieces that were taken off before anybody paid for them must not hide money that went back for others.
        owed = max(Fraction(0), Fraction(order.outstanding))
        returned -= min(returned, max(Fraction(0), invoiced - Fraction(order.received) - owed))
    difference = Fraction(order.refunded) - Fraction(order.refunded_shipping) - returned
    return difference if difference >= -slack else Fraction(0)


def _smallest_coin(currency: str) -> Fraction:
    if currency in _WITHOUT_CENTS:
        return Fraction(1)
    return Fraction(1, 1000 if currency in _WITH_THOUSANDTHS else 100)


def round_points(points: Fraction, rounding: str) -> int:
    """Whole points: ``down`` (the usual), ``half_up`` or ``up``. ``points`` is never negative."""
    if rounding == "up":
        return ceil(points)
    if rounding == "half_up":
        return floor(points + Fraction(1, 2))
    return floor(points)


def _total(amounts: Iterable[Fraction]) -> Fraction:
    return sum(amounts, Fraction(0))


def _remaining_share(line: OrderLine) -> Fraction:
    return Fraction(min(max(line.remaining, 0), line.quantity), line.quantity)


def _price(line: OrderLine) -> Fraction:
    return Fraction(line.amount) + Fraction(line.tax)
