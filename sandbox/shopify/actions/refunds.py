"""Money goes back: by line, by amount, of shipping and duties, at once or when the bank has answered."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.shopify import totals
from sandbox.shopify.errors import ActionRefused, NotFound
from sandbox.shopify.money import CENT, ZERO, parse
from sandbox.shopify.order import (
    Adjustment,
    Line,
    Order,
    Refund,
    RefundedDuties,
    RefundedLine,
    RefundedShipping,
    Transaction,
)
from sandbox.shopify.shop import Shop
from sandbox.shopify.webhooks import line_payloads, order_payloads
from sandbox.shopify.world import World


def requested_lines(order: Order, rows: list[dict[str, Any]]) -> list[tuple[Line, int]]:
    """The lines that are to leave an order, each once and with no more units than it still has."""
    wanted = []
    for row in rows:
        line = order.line(int(row["id"])) if "id" in row else order.lines[int(row["index"])]
        if line is None:
            raise NotFound("line")
        count = int(row.get("quantity", line.current_quantity))
        if not 1 <= count <= line.current_quantity:
            raise ActionRefused("bad_quantity", "A refund cannot take more units than the order still has.")
        wanted.append((line, count))
    if len({line.id for line, _ in wanted}) != len(wanted):
        raise ActionRefused("line_twice", "Name each line once.")
    return wanted


def take_lines(world: World, order: Order, wanted: list[tuple[Line, int]], kind: str) -> list[RefundedLine]:
    """Take units out of the order."""
    rows = []
    for line, count in wanted:
        subtotal = line.units_net(count)
        tax = line.units_tax(totals.line_tax(order, line), count)
        line.refunded += count
        rows.append(RefundedLine(world.ids.next("RefundLineItem"), line.id, count, subtotal, tax, kind))
    return rows


def _shipping_back_tax(order: Order, shipping: Decimal) -> Decimal:
    """The tax on the next `shipping` to be given back."""
    line = order.shipping
    if line is None or not shipping:
        return ZERO
    before = totals.current_shipping_tax(order)
    after = (totals.shipping_tax(order) * (line.net - line.refunded - shipping) / line.net).quantize(CENT)
    return before - after


def give_shipping_back(world: World, order: Order, made: Refund, shipping: Decimal) -> None:
    """Note shipping that goes back, with its tax."""
    if not shipping or order.shipping is None:
        return
    tax = _shipping_back_tax(order, shipping)
    order.shipping.refunded += shipping
    price = shipping - tax if order.taxes_included else shipping
    made.shipping.append(RefundedShipping(world.ids.next("RefundShippingLine"), price, tax))


def give_duties_back(world: World, order: Order, made: Refund, duties: Decimal) -> None:
    """Note duties that go back."""
    if duties:
        order.duties_refunded += duties
        made.duties.append(RefundedDuties(world.ids.next("RefundDuty"), duties))


def _apart(spec: dict[str, Any], key: str, left: Decimal) -> Decimal:
    """How much of the shipping or the duties a refund gives back."""
    wanted = left if spec.get("full") else parse(spec.get(key, "0"))
    if not ZERO <= wanted <= left:
        raise ActionRefused("bad_amount", f"That is more {key} than the order still has.")
    return wanted


def worth_of(order: Order, wanted: list[tuple[Line, int]], shipping: Decimal, duties: Decimal) -> Decimal:
    """What the leaving lines, shipping and duties are worth, tax included."""
    worth = shipping + duties
    if not order.taxes_included:
        worth += _shipping_back_tax(order, shipping)
    for line, count in wanted:
        tax = ZERO if order.taxes_included else line.units_tax(totals.line_tax(order, line), count)
        worth += line.units_net(count) + tax
    return worth


def refund(world: World, shop: Shop, order: Order, spec: dict[str, Any]) -> Refund:
    """Refund by line, by amount, of shipping, or any mix; the money may be pending, failed or moved at once.

    `{"lines": [{"index": 0, "quantity": 1}], "shipping": "5.00", "duties": "2.00", "amount": "12.00", "status": "pending",
    "full": true}`: with no amount, what the lines and shipping are worth is given back.
    """
    wanted = requested_lines(order, _rows(order, spec))
    shipping = _apart(spec, "shipping", totals.current_shipping(order))
    duties = _apart(spec, "duties", totals.current_duties(order))
    worth = worth_of(order, wanted, shipping, duties)
    left = totals.refundable(order)
    amount = parse(spec["amount"]) if "amount" in spec else left if spec.get("full") else min(worth, left)
    if amount < 0 or amount > left:
        raise ActionRefused("bad_amount", f"At most {left} can be refunded.")
    if not wanted and not shipping and not duties and not amount:
        raise ActionRefused("nothing", "There is nothing to refund.")
    status = str(spec.get("status", "success"))
    if status not in ("success", "pending", "failure"):
        raise ActionRefused("bad_status", "status is success, pending or failure.")
    made = _book(world, order, wanted, (shipping, duties), worth, amount, status=status, spec=spec)
    world.fire(shop, refund_events(shop, order, made))
    return made


def _rows(order: Order, spec: dict[str, Any]) -> list[dict[str, Any]]:
    if spec.get("full"):
        return [
            {"id": line.id, "quantity": line.current_quantity}
            for line in order.lines
            if line.current_quantity
        ]
    return list(spec.get("lines", []))


def _book(
    world: World,
    order: Order,
    wanted: list[tuple[Line, int]],
    apart: tuple[Decimal, Decimal],
    worth: Decimal,
    amount: Decimal,
    *,
    status: str,
    spec: dict[str, Any],
) -> Refund:
    now = world.now().replace(microsecond=0)
    made = Refund(
        id=world.ids.next("Refund"),
        created_at=now,
        updated_at=now,
        note=spec.get("note"),
        restock=bool(spec.get("restock", True)),
    )
    made.lines = take_lines(world, order, wanted, "return" if made.restock else "no_restock")
    give_shipping_back(world, order, made, apart[0])
    give_duties_back(world, order, made, apart[1])
    if amount != worth:
        # Less money than the goods are worth leaves a positive difference, more leaves a negative one.
        made.adjustments.append(Adjustment(world.ids.next("OrderAdjustment"), worth - amount))
    if amount:
        parent = next((t for t in order.transactions if t.kind in ("sale", "capture")), None)
        moved = Transaction(
            id=world.ids.next("OrderTransaction"),
            kind="refund",
            status=status,
            amount=amount,
            created_at=now,
            parent_id=parent.id if parent else None,
            test=order.test,
        )
        made.transactions.append(moved)
        order.transactions.append(moved)
    order.refunds.append(made)
    order.touch(world.now())
    return made


def refund_events(shop: Shop, order: Order, made: Refund) -> list[tuple[str, Any]]:
    """The webhooks of a refund: money that has not moved yet is not told of."""
    events: list[tuple[str, Any]] = [("refunds/create", line_payloads.refund(shop, order, made))]
    for item in made.transactions:
        if item.status in ("success", "failure", "error"):
            events.append(("order_transactions/create", line_payloads.transaction(shop, order, item)))
    events.append(("orders/updated", order_payloads.order(shop, order)))
    return events


def settle(world: World, shop: Shop, order: Order, *, status: str = "success") -> Order:
    """The bank answers about the order's pending refunds; no new refunds/create is sent."""
    waiting = [item for item in order.transactions if item.kind == "refund" and item.status == "pending"]
    if not waiting or status not in ("success", "failure"):
        raise ActionRefused("nothing", "No refund of this order is pending.", status=409)
    events: list[tuple[str, Any]] = []
    order.touch(world.now())
    for item in waiting:
        item.status = status
        events.append(("order_transactions/create", line_payloads.transaction(shop, order, item)))
    world.fire(shop, [*events, ("orders/updated", order_payloads.order(shop, order))])
    return order
