"""Made-up members and what they have done, made by the database itself: a million of them in a minute or two."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from bench.orders import FIRST_CUSTOMER
from loyalty.models import KlaviyoConnection
from loyalty.runtime import Runtime

# What a member's columns hold, by the member's number.
_MEMBER = {
    "shop_id": ":shop_id",
    "shopify_customer_id": ":first_customer + n",
    "email": "'shopper' || n || '@fernandfig.shop'",
    "first_name": "'Robin'",
    "last_name": "'Marsh ' || n",
    "locale": "'en-US'",
    "state": "'member'",
    "joined_at": ":at",
    "customer_updated_at": ":at",
    "balance": "100",
    "lifetime_earned": "100",
    "lifetime_spent": "0",
    "entry_count": "1",
    "chain_head": "encode(sha256(n::text::bytea), 'hex')",
    "created_at": ":at",
    "updated_at": ":at",
}
_MEMBERS = """
INSERT INTO member ({columns}) SELECT {values}
FROM generate_series(CAST(:start AS bigint), CAST(:stop AS bigint)) AS n
"""

_ENTRIES = """
INSERT INTO ledger_entry (id, shop_id, member_id, position, points, kind, source_kind, source_ref, rule, sequence,
    program_version, reason, why, occurred_at, recorded_at, previous_hash, hash)
SELECT left(encode(sha256(member.id::text::bytea), 'hex'), 32), :shop_id, member.id, 1, 100, 'earn', 'signup',
    member.shopify_customer_id::text, 'signup', 0, 1, 'Create an account', '{"points": 100}', :at, :at, '',
    member.chain_head
FROM member WHERE member.shop_id = :shop_id
    AND member.shopify_customer_id BETWEEN :first_customer + :start AND :first_customer + :stop
"""

# Three orders of each member, twenty days apart, and the points for them. How much an order counts follows from the member's number.
_COUNTED = "((n * 7 + {order} * 31) % 300)"
_ORDERS = f"""
INSERT INTO order_standing (shop_id, order_id, member_id, name, snapshot, snapshot_at, authoritative, program_version,
    placed_at, counted, updated_at)
SELECT :shop_id, n * 10 + nth, member.id, '#' || nth, '{{}}', :bought_at, true, 2,
    :bought_at + nth * interval '20 days', {_COUNTED.format(order="nth")}::text, :bought_at
FROM (SELECT id, shopify_customer_id - :first_customer AS n FROM member WHERE shop_id = :shop_id) AS member
    CROSS JOIN generate_series(1, 3) AS nth
WHERE n BETWEEN :start AND :stop
"""
_AWARDS = """
INSERT INTO award (shop_id, member_id, source_kind, source_ref, rule, way, title, worth, posted, postings, slot,
    program_version, why, occurred_at, updated_at)
SELECT :shop_id, member_id, 'order', order_id::text, 'order', 'order', 'Place an order', 100, 100, 1, '', 2, '{}', placed_at, :bought_at
FROM order_standing WHERE shop_id = :shop_id AND order_id BETWEEN :start * 10 AND :stop * 10 + 9
"""
_LONG_AGO = datetime(2026, 1, 5, tzinfo=UTC)
# What the orders of a member count together.
SPENT = "(" + " + ".join(_COUNTED.format(order=order) for order in (1, 2, 3)) + ")"


def add_members(
    runtime: Runtime,
    shop_id: int,
    start: int,
    stop: int,
    *,
    columns: Mapping[str, str] | None = None,
    values: Mapping[str, Any] | None = None,
) -> None:
    """Members ``start`` to ``stop``, each with the one ledger entry of having signed up. ``columns`` are more of a member's, as SQL of the
    member's number ``n`` and of ``values``."""
    member = _MEMBER | dict(columns or {})
    statement = _MEMBERS.format(columns=", ".join(member), values=", ".join(member.values()))
    known = {"shop_id": shop_id, "first_customer": FIRST_CUSTOMER, "at": _LONG_AGO}
    with runtime.transaction() as session:
        trust(session)
        session.execute(text(statement), known | {"start": start, "stop": stop} | dict(values or {}))
        session.execute(text(_ENTRIES), known | {"start": start, "stop": stop})


def add_purchases(runtime: Runtime, shop_id: int, start: int, stop: int, *, at: datetime) -> None:
    """Three orders of each of these members in the weeks after an instant, as they are once they are settled; ``SPENT`` is what they count."""
    known = {"shop_id": shop_id, "start": start, "stop": stop, "bought_at": at}
    with runtime.transaction() as session:
        trust(session)
        session.execute(text(_ORDERS), known | {"first_customer": FIRST_CUSTOMER})
        session.execute(text(_AWARDS), known)


def trust(session: Session) -> None:
    """Let the database believe that what rows refer to is there: to ask for each of millions takes longer than to make them."""
    session.execute(text("SET LOCAL session_replication_role = replica"))


def connect_klaviyo(runtime: Runtime, shop_id: int, key: str = "pk_nobody", account: str = "Nobody") -> None:
    """Link the shop to a Klaviyo account by a private key, so that there is somebody to tell news to."""
    now = runtime.clock()
    with runtime.transaction() as session:
        session.add(
            KlaviyoConnection(
                shop_id=shop_id,
                road="private_key",
                state="connected",
                account_id=account,
                last_account_id=account,
                api_key=runtime.cipher.seal(key, row=f"klaviyo:{shop_id}"),
                scopes="accounts:read events:write lists:read lists:write profiles:read profiles:write",
                connected_at=now,
            )
        )
