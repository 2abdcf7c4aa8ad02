"""Made-up members, made by the database itself: a million of them in well under a minute."""

from datetime import UTC, datetime

from sqlalchemy import text

from bench.orders import FIRST_CUSTOMER
from loyalty.models import KlaviyoConnection
from loyalty.runtime import Runtime

_MEMBERS = """
INSERT INTO member (shop_id, shopify_customer_id, email, first_name, last_name, locale, state, joined_at,
    customer_updated_at, balance, lifetime_earned, lifetime_spent, entry_count, chain_head, created_at, updated_at)
SELECT :shop_id, :first_customer + n, 'shopper' || n || '@fernandfig.shop', 'Robin', 'Marsh ' || n, 'en-US', 'member', :at,
    :at, 100, 100, 0, 1, encode(sha256(n::text::bytea), 'hex'), :at, :at
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

_LONG_AGO = datetime(2026, 1, 5, tzinfo=UTC)


def add_members(runtime: Runtime, shop_id: int, start: int, stop: int) -> None:
    """Members ``start`` to ``stop``, each with the one ledger entry of having signed up."""
    values = {"shop_id": shop_id, "first_customer": FIRST_CUSTOMER, "at": _LONG_AGO}
    with runtime.transaction() as session:
        for statement in (_MEMBERS, _ENTRIES):
            session.execute(text(statement), values | {"start": start, "stop": stop})


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
