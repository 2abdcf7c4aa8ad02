"""What a shop grants the app, and what follows when it grants more."""

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from loyalty import outbox
from loyalty.models import OrderStanding, Shop
from shopify_app.config import ALL_ORDERS

READ_UNREADABLE = "read_unreadable"
# So many are queued in one transaction.
ORDERS_AT_ONCE = 1000


def take_scopes(session: Session, shop: Shop, scopes: str, *, now: datetime) -> None:
    """Keep what the shop grants. From the moment on which the app may see all orders, those are read that were believed because Shopify did
    not show them. One that it does not show even then (a deleted one) is not asked for every day: only when the right is new."""
    assert shop.id is not None
    gained = ALL_ORDERS in scopes.split(",") and ALL_ORDERS not in shop.scopes.split(",")
    shop.scopes = scopes
    session.add(shop)
    if gained:
        outbox.put_many(session, [_request(shop.id, f"granted:{now.isoformat()}", after=0, now=now)])


def read_unreadable(session: Session, shop_id: int, occasion: str, *, after: int, now: datetime) -> None:
    """Queue the reading of the unreadable orders behind the id ``after``, and where there are more than ``ORDERS_AT_ONCE``, another message
    for the rest. Again for one ``occasion``, it changes nothing. Nobody waits for these: what happens meanwhile goes before them."""
    order_ids = session.exec(
        select(OrderStanding.order_id)
        .where(OrderStanding.shop_id == shop_id, col(OrderStanding.unreadable))
        .where(col(OrderStanding.order_id) > after)
        .order_by(col(OrderStanding.order_id))
        .limit(ORDERS_AT_ONCE)
    ).all()
    rows = [
        outbox.rereading(shop_id, order_id, occasion, now=now) | {"backfill": True} for order_id in order_ids
    ]
    if len(order_ids) == ORDERS_AT_ONCE:
        rows.append(_request(shop_id, occasion, after=order_ids[-1], now=now))
    outbox.put_many(session, rows)


def _request(shop_id: int, occasion: str, *, after: int, now: datetime) -> dict[str, Any]:
    payload = {"occasion": occasion, "after": after}
    unique_id = f"{READ_UNREADABLE}:{occasion}:{after}"
    return outbox.row(shop_id, outbox.SHOPIFY, READ_UNREADABLE, unique_id, payload, occurred_at=now, now=now)
