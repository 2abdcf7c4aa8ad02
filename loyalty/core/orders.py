"""What of an order counts.

What counts: goods, after every discount, without tax, shipping, tips and gift cards (a gift card earns when it is spent on goods,
so counting its sale too would pay twice); a program's basis may add tax, shipping and gift cards. Test, cancelled and voided orders count nothing. Only what was paid counts: what is
still outstanding is taken off. Returned or removed pieces do not count. Money that went back beyond the value of returned pieces
and shipping takes its share off the goods that remain, so that an amount-only refund and a refund by line end alike. Everything is
reckoned in exact fractions; only the points are rounded, once, at the end.
"""

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

from loyalty.core.facts import OrderLine, OrderSeen, OrderSnapshot
from loyalty.core.program import Basis, Goods, OrderRule

_NOTHING = Fraction(0)
_NOTHING_COUNTS = frozenset({"pending", "authorized", "voided", "expired", "refunded", ""})
# Currencies whose smallest coin is not a hundredth (ISO 4217).
_WITHOUT_CENTS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)  # fmt: skip
_WITH_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
GOODS_ALONE, EVERYTHING = Basis(), Goods()
_ONCE = Fraction(1)


@dataclass(frozen=True, slots=True)
class Worth:
    """How many points an order is worth now by a rule, and the amount of money (in the shop's currency) that this rests on."""

    points: int
    basis: Fraction


def order_worth(
    order: OrderSnapshot,
    rule: OrderRule,
    basis: Basis = GOODS_ALONE,
    multiplier: Fraction = _ONCE,
) -> Worth:
    """Points and counted amount of an order by a rule. A function of its arguments alone, so every history of an order ends alike."""
    return amount_worth(counted_amount(order, basis, rule.goods), rule, multiplier)


def amount_worth(counted: Fraction, rule: OrderRule, multiplier: Fraction = _ONCE) -> Worth:
    """What an order is worth by a rule when so much of it counts.

    The minimum is asked of the counted amount as it is now: an order that a refund takes below it loses its points.
    """
    if counted <= 0 or (rule.minimum and counted < exact(rule.minimum)):
        return Worth(0, counted)
    points = counted * exact(rule.rate) if rule.way == "order" else Fraction(rule.points)
    return Worth(round_points(points if multiplier == 1 else points * multiplier, rule.rounding), counted)


@lru_cache(maxsize=1 << 12)
def exact(number: Decimal) -> Fraction:
    """A decimal number as a fraction. Rates and prices are asked for again and again, and cost more to turn over than to remember."""
    return Fraction(number)


def counted_amount(order: OrderSnapshot, basis: Basis = GOODS_ALONE, goods: Goods = EVERYTHING) -> Fraction:
    """The part of an order that counts (see the module), in the shop's currency; never negative.

    ``goods`` narrows it to some of the lines; the shipping counts (if the basis says so) while any of these goods do. A function of
    its arguments alone, so every history of an order ends alike.
    """
    if order.test or order.cancelled or order.financial_status in _NOTHING_COUNTS:
        return _NOTHING
    if _is_whole(order):
        return _with_shipping(_of_whole(order, basis, goods), order, basis)
    sums = _sums(order, basis, goods)
    missing = _given_back(order, sums) + max(_NOTHING, Fraction(order.outstanding))
    if sums.held <= 0 or missing >= sums.held:
        return _NOTHING
    return _with_shipping(min(sums.sold, sums.kept * (sums.held - missing) / sums.held), order, basis)


def _is_whole(order: OrderSnapshot) -> bool:
    """Whether it is as most orders are: every piece was kept, no money went back, and none is owed."""
    if order.refunded > order.refunded_shipping or order.outstanding > 0:
        return False
    return all(line.remaining >= line.quantity for line in order.lines if line.quantity > 0)


def _of_whole(order: OrderSnapshot, basis: Basis, goods: Goods) -> Fraction:
    """What counts of an order that is whole: what ``_sums`` would find, without adding up what went back."""
    lines = [line for line in order.lines if line.quantity > 0]
    counting = [line for line in lines if _counts(line, basis, goods)]
    if not any(line.tax for line in lines):
        sold = _total([exact(line.amount) for line in counting])
        held = sold if len(counting) == len(lines) else _total([exact(line.amount) for line in lines])
    else:
        held = _total([_price(line) for line in lines])
        sold = _total([_price(line) if basis.tax else exact(line.amount) for line in counting])
    return sold if held > 0 else _NOTHING


def _with_shipping(counted: Fraction, order: OrderSnapshot, basis: Basis) -> Fraction:
    if basis.shipping and counted > 0:
        counted += max(_NOTHING, Fraction(order.shipping) - Fraction(order.refunded_shipping))
    return counted


def counting_lines(order: OrderSnapshot, basis: Basis, goods: Goods) -> list[int]:
    """The ids of the lines that count."""
    return [line.line_id for line in order.lines if line.quantity > 0 and _counts(line, basis, goods)]


def _is_of(line: OrderLine, goods: Goods) -> bool:
    """Whether a line is of these goods. What is not known of its product is taken as none; see ``needs_catalogue``."""
    if goods.is_everything:
        return True
    products = {line.product_id} if line.product_id is not None else set()
    collections = set(line.collections or ())
    tags = {tag.casefold() for tag in line.tags or ()}
    if (
        goods.without_products & products
        or goods.without_collections & collections
        or goods.without_tags & tags
    ):
        return False
    names_some = goods.products or goods.collections or goods.tags
    return not names_some or bool(
        goods.products & products or goods.collections & collections or goods.tags & tags
    )


def needs_catalogue(order: OrderSnapshot, goods: Goods) -> bool:
    """Whether one has to ask Shopify for the tags and collections of the order's products before it can be judged."""
    return goods.asks_catalogue and any(line.tags is None or line.collections is None for line in order.lines)


def keep_catalogue(order: OrderSnapshot, known: OrderSnapshot) -> OrderSnapshot:
    """The order with the tags and collections that its lines had when they were first known: what a merchant does to the catalogue
    later changes no order's points. Where it went is kept too, when Shopify tells it no longer."""
    if order.address_mark is None and known.address_mark is not None:
        order = replace(order, address_mark=known.address_mark)
    first = {line.line_id: line for line in known.lines if line.tags is not None}
    if not first:
        return order
    lines = tuple(
        replace(line, tags=first[line.line_id].tags, collections=first[line.line_id].collections)
        if line.line_id in first
        else line
        for line in order.lines
    )
    return order if lines == order.lines else replace(order, lines=lines)


def is_newer(seen: OrderSeen, known: OrderSnapshot, *, read: bool) -> bool:
    """Whether a state takes the place of the one that is known (``read``: that one was read at Shopify).

    Shopify's times are whole seconds. Of two states of the same second, the one that was read decides. Of two that were told, the one to
    which more has happened: an order is cancelled, refunded, sent back and paid once and for all. Where that does not tell either, any
    rule will do that takes the same one whichever came first.
    """
    if seen.order.updated_at != known.updated_at:
        return seen.order.updated_at > known.updated_at
    return seen.authoritative or (not read and _happened(seen.order) > _happened(known))


def _happened(order: OrderSnapshot) -> tuple[object, ...]:
    return (
        order.cancelled,
        order.refunded,
        sum(line.quantity - line.remaining for line in order.lines),
        sum(line.quantity for line in order.lines),
        -order.outstanding,
        json.dumps(replace(order, received=None, address_mark=None).to_json(), sort_keys=True),
    )


@dataclass(slots=True)
class _Sums:
    """The lines of an order, summed: of what counts, what was ``sold`` and what of it was ``kept``; of all of it, with tax, what was
    ``invoiced`` and what is still ``held``; and how many pieces went back."""

    sold: Fraction = _NOTHING
    kept: Fraction = _NOTHING
    invoiced: Fraction = _NOTHING
    held: Fraction = _NOTHING
    pieces_back: int = 0


def _sums(order: OrderSnapshot, basis: Basis, goods: Goods) -> _Sums:
    sums = _Sums()
    for line in order.lines:
        if line.quantity <= 0:
            continue
        amount, price = exact(line.amount), _price(line)
        sums.invoiced += price
        sums.held += _remaining(line, price)
        sums.pieces_back += line.quantity - min(max(line.remaining, 0), line.quantity)
        if _counts(line, basis, goods):
            worth = price if basis.tax else amount
            sums.sold += worth
            sums.kept += _remaining(line, worth)
    return sums


def _counts(line: OrderLine, basis: Basis, goods: Goods) -> bool:
    return not line.tip and (basis.gift_cards or not line.gift_card) and _is_of(line, goods)


def _price(line: OrderLine) -> Fraction:
    return exact(line.amount) + exact(line.tax) if line.tax else exact(line.amount)


def _total(amounts: list[Fraction]) -> Fraction:
    return sum(amounts[1:], amounts[0]) if amounts else _NOTHING


def _remaining(line: OrderLine, worth: Fraction) -> Fraction:
    """The part of a line's worth that is of pieces which the customer has kept."""
    if line.remaining >= line.quantity:
        return worth
    return worth * Fraction(max(line.remaining, 0), line.quantity)


def _given_back(order: OrderSnapshot, sums: _Sums) -> Fraction:
    """The money that went back beyond the value of returned pieces.

    Refunds are rounded to the smallest coin, piece by piece, so within the slack of a coin for each piece the money decides and
    this may be a little below zero. Further below, the pieces are back and the money is still on its way: the pieces decide.
    """
    slack = sums.pieces_back * _smallest_coin(order.currency)
    returned = sums.invoiced - sums.held
    if order.received is not None:
        # Pieces that were taken off before anybody paid for them must not hide money that went back for others.
        owed = max(_NOTHING, Fraction(order.outstanding))
        unpaid = max(_NOTHING, sums.invoiced - Fraction(order.received) - owed)
        if unpaid > slack:  # less than that is the rounding of cash and of currencies
            returned -= min(returned, unpaid)
    difference = Fraction(order.refunded) - Fraction(order.refunded_shipping) - returned
    return difference if difference >= -slack else _NOTHING


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
