"""What happens to an order after it was placed: payment, shipment, cancellation, edits, disputes, deletion."""

from __future__ import annotations

from typing import Any

from sandbox.shopify import totals
from sandbox.shopify.actions import checkout
from sandbox.shopify.actions.refunds import (
    give_duties_back,
    give_shipping_back,
    refund_events,
    requested_lines,
    take_lines,
    worth_of,
)
from sandbox.shopify.errors import ActionRefused, NotFound
from sandbox.shopify.money import ZERO
from sandbox.shopify.order import Adjustment, Dispute, Order, Refund, Transaction
from sandbox.shopify.shop import Shop
from sandbox.shopify.webhooks import line_payloads, order_payloads
from sandbox.shopify.world import World


def find(shop: Shop, order_id: int | str) -> Order:
    """Find an order by id or by its name (`#1001`)."""
    for order in reversed(shop.orders.values()):
        if str(order_id) in (str(order.id), order.name, str(order.number)):
            return order
    raise NotFound("order")


def pay(world: World, shop: Shop, order: Order) -> Order:
    """Mark an order as paid."""
    if order.cancelled_at is not None:
        raise ActionRefused("cancelled", "A cancelled order cannot be paid.", status=409)
    if totals.current_total(order) <= totals.net_payment(order):
        raise ActionRefused("paid", "The order is already paid.", status=409)
    sale = checkout.sale(world, order)
    sale.created_at = world.now().replace(microsecond=0)
    order.transactions.append(sale)
    order.touch(world.now())
    body = order_payloads.order(shop, order)
    moved = line_payloads.transaction(shop, order, sale)
    events = [("order_transactions/create", moved), ("orders/paid", body), ("orders/updated", body)]
    world.fire(shop, events)
    return order


def fulfil(world: World, shop: Shop, order: Order, *, partial: bool = False) -> Order:
    """Ship an order, in whole or in part."""
    order.fulfillment_status = "partial" if partial else "fulfilled"
    order.touch(world.now())
    body = order_payloads.order(shop, order)
    topic = "orders/partially_fulfilled" if partial else "orders/fulfilled"
    world.fire(shop, [(topic, body), ("orders/updated", body)])
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
    worth = worth_of(order, wanted, shipping, duties)
    left = totals.refundable(order)
    unpaid = totals.received(order) == 0
    amount = left if money_back else ZERO
    made = Refund(world.ids.next("Refund"), now, now, restock=True)
    made.lines = take_lines(world, order, wanted, "cancel")
    if money_back or unpaid:
        give_shipping_back(world, order, made, shipping)
        give_duties_back(world, order, made, duties)
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
    world.fire(shop, [*refund_events(shop, order, made), ("orders/cancelled", body)])
    return order


def edit(world: World, shop: Shop, order: Order, spec: dict[str, Any]) -> Order:
    """Edit an order: `add` new lines, `remove` units of lines. Money owed afterwards is left open."""
    if order.cancelled_at is not None:
        raise ActionRefused("cancelled", "A cancelled order cannot be edited.", status=409)
    added, removed = [], []
    fresh = [checkout.make_line(world, shop, row, shop.tax_rate) for row in spec.get("add", [])]
    leaving = requested_lines(order, list(spec.get("remove", [])))
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
