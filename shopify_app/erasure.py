"""Removes everything of a shop, when Shopify asks for it two days after the app was removed.

It is a run of small batches. While it lasts the shop is marked, which is what lets the ledger's guard allow the removal, and
nobody can install the app anew in the middle of it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, select, update
from sqlmodel import Session, SQLModel, col

from loyalty import runs
from loyalty.models import InboxMessage, Lease, Member, Run, Shop
from loyalty.runs import RunView, Step
from loyalty.runtime import Runtime

SHOP_ERASURE = "shop_erasure"
BATCH = 2_000
# The shop and its runs go last: the erasure is a run itself.
_LAST = frozenset({"shop", "run"})
_INBOX: Table = InboxMessage.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it


def begin(session: Session, shop: Shop, *, now: datetime) -> None:
    """Mark the shop, which does not have the app any more, and begin the run."""
    assert shop.id is not None
    shop.erasing_at = shop.erasing_at or now
    shop.name, shop.contact_email, shop.code_key = "", None, ""
    shop.access_token = shop.refresh_token = None
    session.add(shop)
    session.flush()
    runs.start(session, shop.id, SHOP_ERASURE, {}, now=now)


def erase_step(runtime: Runtime, view: RunView) -> Step:
    """Remove one batch. The last step removes the shop and with it the run."""
    with runtime.transaction() as session:
        shop = session.get(Shop, view.shop_id, with_for_update=True)
        if shop is None or shop.erasing_at is None:
            return Step(error="not_being_erased")
        removed = _remove_some(session, shop)
        if removed:
            runs.save(session, view.id, done=removed)
            return Step()
        _remove_shop(session, shop)
    return Step(finished=True)


def _remove_some(session: Session, shop: Shop) -> int:
    deliveries = _remove(session, _INBOX, _INBOX.c.shop_domain == shop.domain)
    if deliveries:
        return deliveries
    # Members point at each other; a batch must not leave one that points at nothing.
    signposts = select(col(Member.id)).where(
        col(Member.shop_id) == shop.id, col(Member.merged_into).is_not(None)
    )
    cut = session.execute(
        update(Member)
        .where(col(Member.id).in_(signposts.limit(BATCH)))
        .values(merged_into=None)
        .execution_options(synchronize_session=False)
    ).rowcount  # type: ignore[attr-defined]
    if cut:
        return int(cut)
    for table in owned_tables():
        removed = _remove(session, table, _belongs(table, shop))
        if removed:
            return removed
    return 0


def owned_tables() -> list[Table]:
    """Every table with rows of a shop, what refers to others before what it refers to. A new table is among them by having ``shop_id``
    (or by belonging to a run)."""
    return [
        table
        for table in reversed(SQLModel.metadata.sorted_tables)
        if table.name not in _LAST and {"shop_id", "run_id"} & set(table.c.keys())
    ]


def _belongs(table: Table, shop: Shop) -> ColumnElement[bool]:
    if "shop_id" in table.c:
        return table.c.shop_id == shop.id
    return table.c.run_id.in_(select(col(Run.id)).where(col(Run.shop_id) == shop.id))


def _remove(session: Session, table: Table, condition: Any) -> int:
    (key,) = table.primary_key.columns
    some = select(key).where(condition).limit(BATCH)
    removed = session.execute(delete(table).where(key.in_(some)))
    return int(removed.rowcount)  # type: ignore[attr-defined]


def _remove_shop(session: Session, shop: Shop) -> None:
    # Leases are named after what they guard; those of runs end by themselves.
    mine = col(Lease.name).like(f"%:{shop.id}") & col(Lease.name).not_like("run:%")
    session.execute(delete(Lease).where(mine))
    session.execute(
        delete(Run).where(col(Run.shop_id) == shop.id).execution_options(synchronize_session=False)
    )
    session.execute(delete(Shop).where(col(Shop.id) == shop.id).execution_options(synchronize_session=False))
