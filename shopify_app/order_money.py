"""The money of an order that was asked for: what came in for its lines, and what went back.

It reads the order's head and lines as the Admin API answers them, and refuses to guess: an order whose payments were not asked for
has received nothing that is known.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from loyalty.core.facts import OrderSnapshot
from shopify_app import reading
from shopify_app.documents import MOST_REFUNDS, MOST_TRANSACTIONS
from shopify_app.sale_rate import at_rate_of_sale, refunded_as_sold

NOTHING = Decimal(0)

Node = Mapping[str, Any]


def shop_money(value: Node, key: str) -> Decimal:
    """An amount in the shop's currency."""
    return _side(value, key, "shopMoney")


def settled(order: Node, snapshot: OrderSnapshot) -> OrderSnapshot:
    """The snapshot, with refunds in the customer's money as the lines say them."""
    currency = reading.optional_text(order, "presentmentCurrencyCode")
    if currency is None or currency == snapshot.currency or not snapshot.refunded:
        return snapshot
    ours, theirs = shop_money(order, "totalPriceSet"), _side(order, "totalPriceSet", "presentmentMoney")
    return refunded_as_sold(snapshot, currency, ours=ours, theirs=theirs)


def received(order: Node, lines: Sequence[Node]) -> Decimal | None:
    """All payments, less shipping with its tax, duties, fees, and a tip that is no line. None if payments were not asked for.

    It is below zero while somebody still owes the shipping of an order of which nothing was paid: what is outstanding says so too.
    """
    if "totalReceivedSet" not in order:
        return None
    apart = shipping(order) + _duties_and_fees(order)
    if not tip_lines(order, lines):
        apart += _optional(order, "totalTipReceivedSet")
    return _at_sale(order, order, "totalReceivedSet") - apart


def shipping(order: Node) -> Decimal:
    """What the shipping cost, with its tax and before anything of it went back; nothing if it was taken off the order."""
    line = order.get("shippingLine")
    if not isinstance(line, dict) or reading.flag(line, "isRemoved"):
        return NOTHING
    price = shop_money(line, "discountedPriceSet")
    if reading.flag(order, "taxesIncluded"):
        return price
    return price + sum((shop_money(tax, "priceSet") for tax in reading.tables(line, "taxLines")), NOTHING)


def refunded(order: Node) -> Decimal:
    """Money that really went back: the successful refunds, or the order's own total when there are too many to list."""
    moves = reading.tables(order, "transactions")
    if len(moves) >= MOST_TRANSACTIONS:
        return _at_sale(order, order, "totalRefundedSet")
    back = (move for move in moves if move.get("kind") == "REFUND" and move.get("status") == "SUCCESS")
    return sum((_at_sale(order, move, "amountSet") for move in back), NOTHING)


def refunded_apart(order: Node) -> Decimal:
    """What of all refunds was for shipping, with its tax, and for duties.

    An import's file has only the order's own total of the shipping.
    """
    if "refunds" not in order:
        return shop_money(order, "totalRefundedShippingSet")
    refunds = reading.tables(order, "refunds")
    duties = _all(refunds, lambda refund: reading.tables(refund, "duties"), "amountSet")
    if len(refunds) >= MOST_REFUNDS:
        return duties + shop_money(order, "totalRefundedShippingSet")
    return (
        duties
        + _all(refunds, _shipping_lines, "subtotalAmountSet")
        + _all(refunds, _shipping_lines, "taxAmountSet")
    )


def tip_lines(order: Node, lines: Sequence[Node]) -> frozenset[str]:
    """The ids of the lines that are the order's tip. Nothing marks such a line: it is of no product, untaxed, and costs what was tipped."""
    tip = _optional(order, "totalTipReceivedSet")
    if not tip:
        return frozenset()
    candidates = [line for line in lines if _may_be_tip(line)]
    prices = [
        shop_money(line, "originalUnitPriceSet") * reading.number(line, "quantity") for line in candidates
    ]
    ids = [reading.text(line, "id") for line in candidates]
    if tip in prices:
        # Of several lines of no product at one price any would do, for their money is the same; a tip is put on last.
        return frozenset({ids[len(prices) - 1 - prices[::-1].index(tip)]})
    return frozenset(ids) if sum(prices, NOTHING) == tip else frozenset()


def _may_be_tip(line: Node) -> bool:
    has_goods = isinstance(line.get("product"), dict) or reading.flag(line, "isGiftCard")
    return not has_goods and not reading.tables(line, "taxLines")


def _duties_and_fees(order: Node) -> Decimal:
    """Fees may be told with the duties in them, so the greater of both counts. Duties may lie inside the prices of the lines."""
    duties = NOTHING
    if not reading.flag(order, "dutiesIncluded"):
        duties = _optional(order, "currentTotalDutiesSet")
    return max(duties, _optional(order, "currentTotalAdditionalFeesSet"))


def _at_sale(order: Node, value: Node, key: str) -> Decimal:
    if order.get("presentmentCurrencyCode") in (None, order.get("currencyCode")):
        return shop_money(value, key)
    ours, theirs = shop_money(order, "totalPriceSet"), _side(order, "totalPriceSet", "presentmentMoney")
    return at_rate_of_sale(_side(value, key, "presentmentMoney"), ours=ours, theirs=theirs)


def _all(refunds: Sequence[Node], parts: Callable[[Node], Sequence[Node]], key: str) -> Decimal:
    return sum((shop_money(part, key) for refund in refunds for part in parts(refund)), NOTHING)


def _shipping_lines(refund: Node) -> Sequence[Node]:
    return reading.tables(reading.table(refund, "refundShippingLines"), "nodes")


def _optional(value: Node, key: str) -> Decimal:
    return NOTHING if value.get(key) is None else shop_money(value, key)


def _side(value: Node, key: str, side: str) -> Decimal:
    return reading.amount(reading.table(reading.table(value, key), side).get("amount"), key)
