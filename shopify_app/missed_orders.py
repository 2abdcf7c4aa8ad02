"""Finds the orders of which no message came: Shopify promises none, and gives one up after four hours.

What it lists as changed, and what we do not know in that state, is read again like any other order. It looks from where it looked the last
time, and never at what was before the installation: that is for the merchant to import.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import requests
import structlog
from sqlmodel import Session, col, select

from loyalty import leases, outbox
from loyalty.inbox import Malformed
from loyalty.models import InboxMessage, OrderStanding, Shop
from loyalty.runtime import Runtime
from shopify_app import documents, reading
from shopify_app.admin_api import AdminClient
from shopify_app.config import ShopifyConfig
from shopify_app.discounts.inputs import instant
from shopify_app.errors import ShopifyError
from shopify_app.gids import number_of

# A message may be on its way for some minutes, and so may the list.
SETTLED_AFTER = timedelta(minutes=10)
# So far the first look goes back.
_AT_FIRST = timedelta(days=1)
_MOST_PAGES = 50

log = structlog.get_logger(__name__)


def find(runtime: Runtime, config: ShopifyConfig, shop_id: int, *, session: requests.Session) -> int:
    """Queue the reading of every order that changed unheard since the last look; how many there were. What Shopify does not tell now it
    tells the next time. Nothing is unheard while older deliveries wait to be settled."""
    api, until = AdminClient(runtime, config, shop_id, session), runtime.clock() - SETTLED_AFTER
    since, found, after = _looked_until(runtime, shop_id), 0, None
    if since is None or since >= until:
        return 0
    search = f"updated_at:>='{instant(since)}' AND updated_at:<'{instant(until)}'"
    try:
        for _ in range(_MOST_PAGES):
            answer = api.query(documents.ORDERS_CHANGED, {"search": search, "after": after})
            orders = reading.table(answer.data, "orders")
            page = reading.table(orders, "pageInfo")
            states = [_state(node) for node in reading.tables(orders, "nodes")]
            seen = states[-1][1] if states and page["hasNextPage"] else until
            found += _queue(runtime, shop_id, states, seen)
            if not page["hasNextPage"]:
                break
            after = page["endCursor"]
    except (ShopifyError, Malformed) as error:
        log.warning("orders_not_looked_through", shop_id=shop_id, kind=type(error).__name__)
    return found


def begin_anew(session: Session, shop_id: int) -> None:
    """Forget how far it looked: the app was away, and what happened meanwhile was not told on purpose."""
    leases.forget(session, _name(shop_id))


def _looked_until(runtime: Runtime, shop_id: int) -> datetime | None:
    """Up to where the last look went; None when this is no time for another."""
    with runtime.reading() as session:
        shop = session.get(Shop, shop_id)
        if shop is None or shop.uninstalled_at is not None:
            return None
        now = runtime.clock()
        waiting = select(InboxMessage.id).where(
            InboxMessage.shop_domain == shop.domain,
            InboxMessage.state == "due",
            col(InboxMessage.due_at) <= now,
            col(InboxMessage.received_at) < now - SETTLED_AFTER,
        )
        if session.exec(waiting.limit(1)).first() is not None:
            return None
        began = max(shop.installed_at, now - _AT_FIRST)
        return leases.done_at(session, _name(shop_id)) or began


def _state(node: dict[str, Any]) -> tuple[int, datetime]:
    try:
        return number_of(node.get("id"), "Order"), reading.instant(node, "updatedAt")
    except ValueError as error:
        raise Malformed(str(error)) from None


def _queue(runtime: Runtime, shop_id: int, states: Sequence[tuple[int, datetime]], seen: datetime) -> int:
    now = runtime.clock()
    with runtime.transaction() as session:
        mine = (
            OrderStanding.shop_id == shop_id,
            col(OrderStanding.order_id).in_([order_id for order_id, _ in states]),
        )
        known = dict(
            session.execute(select(OrderStanding.order_id, OrderStanding.snapshot_at).where(*mine)).all()
        )
        missed = [(order_id, at) for order_id, at in states if order_id not in known or known[order_id] < at]
        rows = [
            outbox.rereading(shop_id, order_id, f"missed:{at.isoformat()}", now=now)
            for order_id, at in missed
        ]
        outbox.put_many(session, rows)
        leases.note_done(session, _name(shop_id), at=seen)
    return len(missed)


def _name(shop_id: int) -> str:
    return f"orders-looked-through:{shop_id}"
