"""What happens to an order after it was placed: refunds, cancellation, edits, disputes, deletion."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.shopify import totals
from sandbox.shopify.actions import checkout
from sandbox.shopify.errors import ActionRefused, NotFound
from sandbox.shopify.money import CENT, ZERO, parse
from sandbox.shopify.order import (
    Adjustment,
    Dispute,
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


def find(shop: Shop, order_id: int | str) -> Order:
    """Find an order by id or by its name (`#1001`)."""
    for order in reversed(shop.orders.values()):
        if str(order_id) in (str(order.id), order.name, str(order.number)):
            return order
    raise NotFound("order")


def _requested_lines(order: Order, rows: list[dict[str, Any]]) -> list[tuple[Line, int]]:
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


def _take_lines(world: World, order: Order, wanted: list[tuple[Line, int]], kind: str) -> list[RefundedLine]:
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


def _give_shipping_back(world: World, order: Order, made: Refund, shipping: Decimal) -> None:
    if not shipping or order.shipping is None:
        return
    tax = _shipping_back_tax(order, shipping)
    order.shipping.refunded += shipping
    price = shipping - tax if order.taxes_included else shipping
    made.shipping.append(RefundedShipping(world.ids.next("RefundShippingLine"), price, tax))


def _give_duties_back(world: World, order: Order, made: Refund, duties: Decimal) -> None:
    if duties:
        order.duties_refunded += duties
        made.duties.append(RefundedDuties(world.ids.next("RefundDuty"), duties))


def _apart(spec: dict[str, Any], key: str, left: Decimal) -> Decimal:
    """How much of the shipping or the duties a refund gives back."""
    wanted = left if spec.get("full") else parse(spec.get(key, "0"))
    if not ZERO <= wanted <= left:
        raise ActionRefused("bad_amount", f"That is more {key} than the order still has.")
    return wanted


def _worth(order: Order, wanted: list[tuple[Line, int]], shipping: Decimal, duties: Decimal) -> Decimal:
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
    wanted = _requested_lines(order, _rows(order, spec))
    shipping = _apart(spec, "shipping", totals.current_shipping(order))
    duties = _apart(spec, "duties", totals.current_duties(order))
    worth = _worth(order, wanted, shipping, duties)
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
    world.fire(shop, _refund_events(shop, order, made))
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
    made.lines = _take_lines(world, order, wanted, "return" if made.restock else "no_restock")
    _give_shipping_back(world, order, made, apart[0])
    _give_duties_back(world, order, made, apart[1])
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


def _refund_events(shop: Shop, order: Order, made: Refund) -> list[tuple[str, Any]]:
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


def cancel(
    world: World, shop: Shop, order: Order, *, reason: str = "customer", money_back: bool = True
) -> Order:
    """Cancel an order: all goods leave it, and the money goes back if it came in and that was asked for."""
    if order.cancelled_at is not None:
        raise ActionRefused("cancelled", "The order is already cancelled.", status=409)
    now = world.now().replace(microsecond=0)
    wanted = [(line, line.current_quantity) for line in order.lines if line.current_quantity]
    shipping, duties = totals.current_shipping(order), totals.current_duties(order)
    worth = _worth(order, wanted, shipping, duties)
    left = totals.refundable(order)
    unpaid = totals.received(order) == 0
    amount = left if money_back else ZERO
    made = Refund(world.ids.next("Refund"), now, now, restock=True)
    made.lines = _take_lines(world, order, wanted, "cancel")
    if money_back or unpaid:
        _give_shipping_back(world, order, made, shipping)
        _give_duties_back(world, order, made, duties)
    if not unpaid and amount != worth and money_back:
        made.adjustments.append(Adjustment(world.ids.next("OrderAdjustment"), worth - amount))
    kind = "void" if unpaid else "refund"
    if unpaid or amount:
        moved = Transaction(world.ids.next("OrderTransaction"), kind, "success", amount, now, test=order.test)
        made.transactions.append(moved)
        order.transactions.append(moved)
    order.refunds.append(made)
    order.cancelled_at, order.cancel_reason, order.closed_at = now, reason, now
    order.touch(world.now())
    body = order_payloads.order(shop, order)
    world.fire(shop, [*_refund_events(shop, order, made), ("orders/cancelled", body)])
    return order


def edit(world: World, shop: Shop, order: Order, spec: dict[str, Any]) -> Order:
    """Edit an order: `add` new lines, `remove` units of lines. Money owed afterwards is left open."""
    if order.cancelled_at is not None:
        raise ActionRefused("cancelled", "A cancelled order cannot be edited.", status=409)
    added, removed = [], []
    fresh = [checkout.make_line(world, shop, row, shop.tax_rate) for row in spec.get("add", [])]
    leaving = _requested_lines(order, list(spec.get("remove", [])))
    if not fresh and not leaving:
        raise ActionRefused("nothing", "An edit adds or removes something.")
    for line in fresh:
        order.lines.append(line)
        added.append({"id": line.id, "delta": line.quantity})
    for line, count in leaving:
        line.removed += count
        removed.append({"id": line.id, "delta": count})
    order.edited = True
    order.touch(world.now())
    note = order_payloads.edited(shop, order, world.ids.next("OrderEdit"), added, removed)
    world.fire(shop, [("orders/edited", note), ("orders/updated", order_payloads.order(shop, order))])
    return order


def dispute(
    world: World, shop: Shop, order: Order, *, kind: str = "chargeback", status: str = "needs_response"
) -> Dispute:
    """The buyer's bank opens a dispute, or its state changes."""
    if kind not in ("chargeback", "inquiry"):
        raise ActionRefused("bad_kind", "A dispute is a chargeback or an inquiry.")
    existing = order.disputes[-1] if order.disputes else None
    if existing is not None:
        existing.status = status
        world.fire(shop, [("disputes/update", order_payloads.dispute(shop, order, existing))])
        return existing
    made = Dispute(
        world.ids.next("ShopifyPaymentsDispute"), kind, status, totals.net_payment(order), world.now()
    )
    order.disputes.append(made)
    order.touch(world.now())
    body = order_payloads.order(shop, order)
    world.fire(
        shop, [("disputes/create", order_payloads.dispute(shop, order, made)), ("orders/updated", body)]
    )
    return made


def delete(world: World, shop: Shop, order: Order) -> None:
    """Delete an order outright: only its id is ever heard of again."""
    del shop.orders[order.id]
    world.fire(shop, [("orders/delete", {"id": order.id})])
