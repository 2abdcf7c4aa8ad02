"""Customers: sign up, change, delete, merge, privacy requests, and a million synthetic ones."""

from __future__ import annotations

import itertools
from typing import Any

from flask import Blueprint, request

from sandbox.shopify import describe
from sandbox.shopify.actions import customers
from sandbox.shopify.control.common import body, shop, world

routes = Blueprint("people", __name__)


@routes.get("/shops/<domain>/customers")
def listed(domain: str) -> dict[str, Any]:
    """Customers by id, a page at a time: `?after=<id>&limit=50`; or one by `?email=`."""
    with world().lock:
        store = shop(domain)
        if request.args.get("email"):
            found = store.customers.by_email(request.args["email"])
            return {
                "customers": [describe.customer(store, found)] if found else [],
                "total": len(store.customers),
            }
        walk = store.customers.after(int(request.args.get("after", 0)))
        rows = itertools.islice(walk, min(250, int(request.args.get("limit", 50))))
        return {"customers": [describe.customer(store, row) for row in rows], "total": len(store.customers)}


@routes.post("/shops/<domain>/customers")
def sign_up(domain: str) -> tuple[dict[str, Any], int]:
    """A shopper opens an account; sends customers/create (or customers/enable for a former guest)."""
    with world().lock:
        person = customers.sign_up(world(), shop(domain), **body())
        return describe.customer(shop(domain), person), 201


@routes.post("/shops/<domain>/customers/synthetic")
def synthesize(domain: str) -> tuple[dict[str, Any], int]:
    """Add `count` computed customers, silently."""
    given = body()
    with world().lock:
        label = str(given.get("label", "person"))
        made = customers.synthesize(world(), shop(domain), int(given["count"]), label=label)
        answer = {"first_id": made.first_id, "step": 32, "count": made.count, "label": made.label}
        return answer | {"total": len(shop(domain).customers)}, 201


@routes.get("/shops/<domain>/customers/<who>")
def one(domain: str, who: str) -> dict[str, Any]:
    """One customer by id or e-mail."""
    with world().lock:
        return describe.customer(shop(domain), customers.find(shop(domain), who))


@routes.patch("/shops/<domain>/customers/<who>")
def change(domain: str, who: str) -> dict[str, Any]:
    """Change a customer; sends customers/update, and consent or tags on their own topics."""
    with world().lock:
        person = customers.update(world(), shop(domain), who, body())
        return describe.customer(shop(domain), person)


@routes.delete("/shops/<domain>/customers/<who>")
def delete(domain: str, who: str) -> dict[str, Any]:
    """Delete a customer without orders; sends customers/delete."""
    with world().lock:
        return {"deleted": customers.delete(world(), shop(domain), who)}


@routes.post("/shops/<domain>/customers/<who>/merge")
def merge(domain: str, who: str) -> dict[str, Any]:
    """Merge `with` into this customer; `fail: true` announces a failed merge instead."""
    given = body()
    with world().lock:
        kept = customers.merge(world(), shop(domain), who, given["with"], fail=bool(given.get("fail", False)))
        return describe.customer(shop(domain), kept)


@routes.post("/shops/<domain>/customers/<who>/data_request")
def data_request(domain: str, who: str) -> dict[str, Any]:
    """Sends customers/data_request."""
    with world().lock:
        customers.request_data(world(), shop(domain), who)
    return {"sent": "customers/data_request"}


@routes.post("/shops/<domain>/customers/<who>/redact")
def redact(domain: str, who: str) -> dict[str, Any]:
    """Sends customers/redact and forgets the person here too."""
    with world().lock:
        customers.redact(world(), shop(domain), who)
    return {"sent": "customers/redact"}
