"""Orders: place, pay, fulfil, refund, settle, cancel, edit, dispute, delete."""

from __future__ import annotations

import itertools
from typing import Any

from flask import Blueprint, request

from sandbox.shopify import describe
from sandbox.shopify.actions import afterwards, checkout, refunds
from sandbox.shopify.control.common import body, shop, world

routes = Blueprint("orders", __name__)


@routes.get("/shops/<domain>/orders")
def listed(domain: str) -> dict[str, Any]:
    """The newest orders: `?limit=50`, `?customer=<id>`."""
    wanted = request.args.get("customer")
    with world().lock:
        rows = (
            o for o in reversed(shop(domain).orders.values()) if not wanted or str(o.customer_id) == wanted
        )
        page = itertools.islice(rows, min(250, int(request.args.get("limit", 50))))
        return {"orders": [describe.order(item) for item in page], "total": len(shop(domain).orders)}


@routes.post("/shops/<domain>/orders")
def place(domain: str) -> tuple[dict[str, Any], int]:
    """Place an order."""
    with world().lock:
        return describe.order(checkout.place(world(), shop(domain), body())), 201


@routes.post("/shops/<domain>/orders/many")
def place_many(domain: str) -> tuple[dict[str, Any], int]:
    """Place every order of `orders`, or the one in `order` `count` times; returns the ids only."""
    given = body()
    specs = list(given["orders"]) if "orders" in given else [given["order"]] * int(given["count"])
    made = []
    for spec in specs:
        with world().lock:
            made.append(checkout.place(world(), shop(domain), dict(spec)).id)
    return {"ids": made}, 201


@routes.get("/shops/<domain>/orders/<order_id>")
def one(domain: str, order_id: str) -> dict[str, Any]:
    """One order."""
    with world().lock:
        return describe.order(afterwards.find(shop(domain), order_id))


@routes.post("/shops/<domain>/orders/<order_id>/<action>")
def act(domain: str, order_id: str, action: str) -> dict[str, Any]:
    """Do something to an order; the answer is the order, and the refund where one was made."""
    given = body()
    with world().lock:
        store = shop(domain)
        order = afterwards.find(store, order_id)
        answer: dict[str, Any] = {}
        if action == "pay":
            afterwards.pay(world(), store, order)
        elif action == "fulfill":
            afterwards.fulfil(world(), store, order, partial=bool(given.get("partial", False)))
        elif action == "refund":
            answer["refund"] = describe.refund(refunds.refund(world(), store, order, given))
        elif action == "settle":
            refunds.settle(world(), store, order, status=str(given.get("status", "success")))
        elif action == "cancel":
            reason, back = str(given.get("reason", "customer")), bool(given.get("refund", True))
            afterwards.cancel(world(), store, order, reason=reason, money_back=back)
        elif action == "edit":
            afterwards.edit(world(), store, order, given)
        elif action == "dispute":
            kind, status = str(given.get("kind", "chargeback")), str(given.get("status", "needs_response"))
            afterwards.dispute(world(), store, order, kind=kind, status=status)
        else:
            raise ValueError(f"an order knows no action {action}")
        return answer | {"order": describe.order(order)}


@routes.delete("/shops/<domain>/orders/<order_id>")
def delete(domain: str, order_id: str) -> dict[str, Any]:
    """Delete an order outright; sends orders/delete."""
    with world().lock:
        order = afterwards.find(shop(domain), order_id)
        afterwards.delete(world(), shop(domain), order)
    return {"deleted": order.id}
