"""Every amount of an order, derived from its lines, refunds and transactions.

Pure arithmetic in the shop's currency; `in_presentment` converts a single amount for the customer's.
"""

from __future__ import annotations

from decimal import Decimal

from sandbox.shopify.money import CENT, ZERO, portion, rounded
from sandbox.shopify.order import Line, Order


def line_tax(order: Order, line: Line) -> Decimal:
    """The tax on the whole line as bought: inside the price, or on top of it."""
    if not line.taxable or line.gift_card or not line.tax_rate:
        return ZERO
    if order.taxes_included:
        return (line.net - line.net / (1 + line.tax_rate)).quantize(CENT)
    return (line.net * line.tax_rate).quantize(CENT)


def shipping_tax(order: Order) -> Decimal:
    """The tax on shipping as bought: inside its price, or on top of it."""
    line = order.shipping
    if line is None or not line.tax_rate:
        return ZERO
    if order.taxes_included:
        return (line.net - line.net / (1 + line.tax_rate)).quantize(CENT)
    return (line.net * line.tax_rate).quantize(CENT)


def current_shipping_tax(order: Order) -> Decimal:
    """The tax on the shipping that was not given back."""
    line = order.shipping
    if line is None or not line.net:
        return ZERO
    return (shipping_tax(order) * (line.net - line.refunded) / line.net).quantize(CENT)


def current_net(line: Line) -> Decimal:
    """The discounted price of the units that are still in the order."""
    return line.net - portion(line.net, line.quantity - line.current_quantity, line.quantity)


def current_line_tax(order: Order, line: Line) -> Decimal:
    """The tax on the units that are still in the order."""
    tax = line_tax(order, line)
    return tax - portion(tax, line.quantity - line.current_quantity, line.quantity)


def at_purchase(order: Order) -> dict[str, Decimal]:
    """Compute the totals to freeze when the order is placed."""
    lines = sum((line.gross for line in order.lines if not line.tip), ZERO)
    line_discounts = sum((line.discount for line in order.lines), ZERO)
    shipping = order.shipping.net if order.shipping else ZERO
    shipping_discount = order.shipping.discount if order.shipping else ZERO
    tax = sum((line_tax(order, line) for line in order.lines), shipping_tax(order))
    subtotal = lines - line_discounts
    total = subtotal + shipping + order.tip + order.duties + (ZERO if order.taxes_included else tax)
    return {
        "line_items": lines,
        "discounts": line_discounts + shipping_discount,
        "subtotal": subtotal,
        "shipping": shipping,
        "tax": tax,
        "total": total,
    }


def discrepancy(order: Order) -> Decimal:
    """Money given back (negative) or held back (positive) beyond what the refunded lines are worth."""
    return sum((item.amount for refund in order.refunds for item in refund.adjustments), ZERO)


def current_subtotal(order: Order) -> Decimal:
    """What the units still in the order cost; amount-only refunds move it only when the shop is set so."""
    value = sum((current_net(line) for line in order.lines if not line.tip), ZERO)
    if order.moved_by_amounts:
        value = max(ZERO, value + discrepancy(order))
    return value


def current_discounts(order: Order) -> Decimal:
    """The discounts on the units still in the order, and on shipping."""
    lines = sum((portion(line.discount, line.current_quantity, line.quantity) for line in order.lines), ZERO)
    return lines + (order.shipping.discount if order.shipping else ZERO)


def current_tax(order: Order) -> Decimal:
    """The tax on the units still in the order, and on its shipping."""
    return sum((current_line_tax(order, line) for line in order.lines), current_shipping_tax(order))


def current_shipping(order: Order) -> Decimal:
    """Shipping after its discount and refunds."""
    return order.shipping.net - order.shipping.refunded if order.shipping else ZERO


def current_duties(order: Order) -> Decimal:
    """Duties after refunds."""
    return order.duties - order.duties_refunded


def current_total(order: Order) -> Decimal:
    """The order's value today: after edits, returns and refunds. A tip is among the lines."""
    lines = sum((current_net(line) for line in order.lines), ZERO)
    tax = ZERO if order.taxes_included else current_tax(order)
    return max(ZERO, lines + current_shipping(order) + current_duties(order) + tax + discrepancy(order))


def _moved(order: Order, kinds: tuple[str, ...]) -> Decimal:
    return sum((t.amount for t in order.transactions if t.kind in kinds and t.status == "success"), ZERO)


def received(order: Order) -> Decimal:
    """Money that came in."""
    return _moved(order, ("sale", "capture"))


def refunded(order: Order) -> Decimal:
    """Money that went back: settled refunds only."""
    return _moved(order, ("refund",))


def pending_refunds(order: Order) -> Decimal:
    """Money that is on its way back."""
    rows = (t.amount for t in order.transactions if t.kind == "refund" and t.status == "pending")
    return sum(rows, ZERO)


def refundable(order: Order) -> Decimal:
    """Money that could still be given back."""
    return received(order) - refunded(order) - pending_refunds(order)


def net_payment(order: Order) -> Decimal:
    """Money in, less money back."""
    return received(order) - refunded(order)


def outstanding(order: Order) -> Decimal:
    """What is still to be moved: positive when the customer owes, negative when the shop does."""
    return current_total(order) - net_payment(order)


def financial_status(order: Order) -> str:
    """The payment state in webhook spelling."""
    paid, back = received(order), refunded(order)
    if paid == 0:
        if order.cancelled_at is not None:
            return "voided"
        return "paid" if order.placed.get("total") == 0 else "pending"
    if back >= paid:
        return "refunded"
    if back > 0:
        return "partially_refunded"
    return "partially_paid" if outstanding(order) > 0 else "paid"


def in_presentment(order: Order, amount: Decimal) -> Decimal:
    """Convert an amount to the currency the customer paid in."""
    if order.presentment_currency == order.currency:
        return amount
    return rounded(amount * order.rate, order.presentment_currency)
