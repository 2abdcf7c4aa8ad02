"""Switches for tests: the app's address, webhooks, faults, limits, the clock, and what was called."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from sandbox.shopify.clock import zulu
from sandbox.shopify.config import Subscription, scope_list
from sandbox.shopify.control.common import body, set_fields, shop, world
from sandbox.shopify.errors import NotFound
from sandbox.shopify.faults import Fault
from sandbox.shopify.webhooks.sender import Modes

routes = Blueprint("switches", __name__)


@routes.get("/app")
def app_shown() -> dict[str, Any]:
    """The app as the sandbox knows it, without its secret."""
    config = world().config
    return {
        "client_id": config.client_id,
        "app_url": config.app_url,
        "scopes": list(config.scopes),
        "optional_scopes": list(config.optional_scopes),
        "subscriptions": [vars(item) for item in config.subscriptions],
    }


@routes.post("/app")
def app_changed() -> dict[str, Any]:
    """Set `app_url`, `client_secret`, `scopes`, `optional_scopes` or `subscriptions` ({topic, uri})."""
    given, config = body(), world().config
    with world().lock:
        config.app_url = given.get("app_url", config.app_url)
        config.client_secret = given.get("client_secret", config.client_secret)
        if "scopes" in given:
            config.scopes = scope_list(given["scopes"])
        if "optional_scopes" in given:
            config.optional_scopes = scope_list(given["optional_scopes"])
        if "subscriptions" in given:
            config.subscriptions = [Subscription(**row) for row in given["subscriptions"]]
    return app_shown()


@routes.get("/webhooks")
def deliveries() -> dict[str, Any]:
    """Deliveries, oldest first: `?topic=&shop=&body=1&limit=1000`."""
    asked = request.args
    rows = world().sender.deliveries(topic=asked.get("topic"), shop=asked.get("shop"))
    kept = rows[-int(asked.get("limit", 1000)) :]
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.state] = counts.get(row.state, 0) + 1
    return {"deliveries": [row.summary(body=bool(asked.get("body"))) for row in kept], "states": counts}


@routes.delete("/webhooks")
def forget() -> dict[str, Any]:
    """Forget the log and everything waiting."""
    world().sender.clear()
    return {"cleared": True}


@routes.get("/webhooks/modes")
def modes() -> dict[str, Any]:
    """How unreliable delivery is."""
    return dict(vars(world().sender.modes))


@routes.post("/webhooks/modes")
def set_modes() -> dict[str, Any]:
    """Set `copies`, `shuffle`, `drop_percent`, `corrupt_signature`, `hold`, `events_headers`, `seed`."""
    set_fields(Modes(), given := body())
    return dict(vars(world().sender.set_modes(**given)))


@routes.post("/webhooks/wait")
def wait() -> tuple[dict[str, Any], int]:
    """Wait until nothing is due: `timeout` seconds at most (10). 408 when something still is."""
    idle = world().sender.idle(min(60.0, float(body().get("timeout", 10))))
    return {"idle": idle}, 200 if idle else 408


@routes.post("/webhooks/<delivery_id>/redeliver")
def redeliver(delivery_id: str) -> dict[str, Any]:
    """Send a delivery once more with the same ids."""
    if not world().sender.redeliver(delivery_id):
        raise NotFound("delivery")
    return {"queued": True}


@routes.post("/shops/<domain>/webhooks")
def custom(domain: str) -> dict[str, Any]:
    """Send any `topic` with any `payload`, signed as usual."""
    given = body()
    with world().lock:
        return {"event_id": world().fire(shop(domain), [(given["topic"], given["payload"])])}


@routes.get("/faults")
def faults() -> dict[str, Any]:
    """The faults still to come."""
    return {"faults": world().faults.listed()}


@routes.post("/faults")
def add_fault() -> tuple[dict[str, Any], int]:
    """Queue a fault: `place`, `kind`, `times`, and by kind `status`, `retry_after`, `seconds`; `shop`, `match`."""
    world().faults.add(Fault(**body()))
    return faults(), 201


@routes.delete("/faults")
def clear_faults() -> dict[str, Any]:
    """Forget all faults."""
    world().faults.clear()
    return faults()


@routes.get("/limits")
def limits() -> dict[str, Any]:
    """The numbers a test may set."""
    return dict(vars(world().limits))


@routes.post("/limits")
def set_limits() -> dict[str, Any]:
    """Set `bucket_size`, `restore_rate`, `bulk_url_seconds`, `usage_count_lag_seconds`, `bulk_hold`, `bulk_unapproved`."""
    with world().lock:
        set_fields(world().limits, body())
    return limits()


@routes.get("/clock")
def clock() -> dict[str, Any]:
    """The sandbox's present."""
    return {"now": zulu(world().now())}


@routes.post("/clock")
def advance() -> dict[str, Any]:
    """Move the present `advance` seconds forward: tokens, discounts and links age; queues do not."""
    return {"now": zulu(world().clock.advance(float(body()["advance"])))}


@routes.get("/requests")
def requests() -> dict[str, Any]:
    """The app's calls, oldest first: `?place=graphql&limit=200`."""
    place = request.args.get("place")
    rows = [row for row in list(world().requests) if place in (None, row["place"])]
    return {"requests": rows[-int(request.args.get("limit", 200)) :]}


@routes.delete("/requests")
def forget_requests() -> dict[str, Any]:
    """Forget the calls seen so far."""
    world().requests.clear()
    return {"cleared": True}
