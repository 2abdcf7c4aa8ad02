"""Asks Shopify for an order as it is now: the only word on which points are taken back."""

from collections.abc import Mapping
from typing import Any

from loyalty.core.facts import OrderSeen, OrderUnreadable
from loyalty.delivery import Delivered, Dropped, Later, Outcome, Refused
from loyalty.inbox import Malformed
from shopify_app import documents
from shopify_app.admin_api import ACCESS_DENIED, AdminClient, Answer
from shopify_app.errors import AccessDenied, RequestInvalid, Unreachable
from shopify_app.gids import gid
from shopify_app.order_node import identity_of_node, snapshot_of_node
from shopify_app.reward_outcomes import later_by

NOT_SHOWN = "order_not_shown"
# Half a minute, with the waits of ``later_by``.
ATTEMPTS_TO_SEE = 5
_UNTIL_ALLOWED = 3600.0
# Of ten lines each: a page also carries what its products are of.
_MOST_PAGES = 100


def reread(api: AdminClient, order_id: int, *, history: bool = False, attempt: int = 1) -> Outcome:
    """The order as a fact; ``history`` if an import asked. Raises ``ShopifyError``.

    Shopify shows no order that was deleted, none older than sixty days unless the shop has granted ``read_all_orders``, and for a moment
    none that has just been placed: only after the last attempt is it taken for one that cannot be read. An app that may read no orders
    at all waits until it may.
    """
    try:
        order, lines = _read(api, order_id)
    except AccessDenied as denied:
        return Later(_UNTIL_ALLOWED, denied.reason.lower(), denied.status, counts=False)
    if order is None and attempt < ATTEMPTS_TO_SEE:
        return Later(later_by(attempt), NOT_SHOWN)
    if order is None:
        return Dropped(NOT_SHOWN, (OrderUnreadable(order_id),))
    try:
        snapshot = snapshot_of_node(order, lines)
        seen = OrderSeen(snapshot, identity_of_node(order), authoritative=True, history=history)
    except Malformed as error:
        return Refused(f"unreadable: {error}", 200)
    return Delivered(200, (seen,))


def _read(api: AdminClient, order_id: int) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]]]:
    lines: list[Mapping[str, Any]] = []
    first: Mapping[str, Any] | None = None
    after = None
    for _ in range(_MOST_PAGES):
        answer = _ask(api, {"id": gid("Order", order_id), "after": after})
        order = answer.data.get("order")
        if order is None and ACCESS_DENIED in answer.errors:
            raise AccessDenied(ACCESS_DENIED, status=200)
        if order is None and answer.errors:
            raise Unreachable(",".join(answer.errors), status=200)
        if order is None:
            return None, []
        if first is not None and order["updatedAt"] != first["updatedAt"]:
            # The order changed between two pages: lines of two states do not make one.
            first, lines, after = None, [], None
            continue
        first = first or order
        lines.extend(order["lineItems"]["nodes"])
        page = order["lineItems"]["pageInfo"]
        if not page["hasNextPage"]:
            return first, lines
        after = page["endCursor"]
    raise Unreachable("order_keeps_changing")


def _ask(api: AdminClient, variables: Mapping[str, Any]) -> Answer:
    """A page of the order. Where Shopify refuses to tell of an order because it may not tell where that went, it is not asked for it."""
    try:
        answer = api.query(documents.ORDER, variables)
    except RequestInvalid:
        return api.query(documents.ORDER_WITHOUT_ADDRESS, variables)
    if answer.errors and answer.data.get("order") is None:
        return api.query(documents.ORDER_WITHOUT_ADDRESS, variables)
    return answer
