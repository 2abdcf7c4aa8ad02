"""Forgets what nobody needs any longer: finished deliveries, profiles that were written, actions that earned nothing, old authorization
attempts, and undeliverable remains with personal data."""

from datetime import timedelta

from sqlalchemy import delete
from sqlmodel import col, select

from loyalty import api_actions, outbox
from loyalty.models import ImportBatch, ImportChunk, ImportRow, InboxMessage, OAuthState, OutboxMessage, Shop
from loyalty.runtime import Runtime

# A repeat of a delivery is recognised by its row. Shopify repeats for four hours and may be a day late; a month is generous.
KEEP_DELIVERIES = timedelta(days=30)
# That a profile was written tells nothing that the log of events does not tell better.
KEEP_PROFILES = timedelta(days=30)
KEEP_UPLOADS = timedelta(days=30)
# docs/api.md promises it: an id gets the same answer for longer than a year, so a program may repeat a whole year of them.
KEEP_REFUSALS = timedelta(days=400)
ROWS_AT_ONCE = 5_000


def prune(runtime: Runtime) -> None:
    """Remove, a table at a time, what is older than its term. The ledger and the event log are kept."""
    now = runtime.clock()
    with runtime.transaction() as session:
        session.execute(
            delete(InboxMessage).where(
                col(InboxMessage.state).in_(("done", "ignored", "parked")),
                col(InboxMessage.received_at) < now - KEEP_DELIVERIES,
            )
        )
    with runtime.transaction() as session:
        # Deliveries for a store that never opened the app: they wait a month for its first visit.
        session.execute(
            delete(InboxMessage).where(
                col(InboxMessage.state) == "due", col(InboxMessage.received_at) < now - KEEP_DELIVERIES
            )
        )
    with runtime.transaction() as session:
        session.execute(delete(OAuthState).where(col(OAuthState.expires_at) < now - timedelta(days=1)))
    _prune_profiles(runtime)
    _prune_refusals(runtime)
    _prune_uploads(runtime)


def _prune_profiles(runtime: Runtime) -> None:
    """Messages without news that have come to an end, shop by shop, because that is how they are found."""
    for shop_id in _shop_ids(runtime):
        old = (
            select(OutboxMessage.id)
            .where(
                OutboxMessage.shop_id == shop_id,
                OutboxMessage.channel == outbox.PROFILES,
                col(OutboxMessage.state).not_in(("due", "sending")),
                col(OutboxMessage.created_at) < runtime.clock() - KEEP_PROFILES,
            )
            .order_by(col(OutboxMessage.id))
            .limit(ROWS_AT_ONCE)
        )
        removed = ROWS_AT_ONCE
        while removed == ROWS_AT_ONCE:
            with runtime.transaction() as session:
                ids = session.exec(old).all()
                some = delete(OutboxMessage).where(col(OutboxMessage.id).in_(ids))
                session.execute(some, execution_options={"synchronize_session": False})
                removed = len(ids)


def _prune_refusals(runtime: Runtime) -> None:
    """Actions of a shop's own programs that earned nothing, and that nobody asks about any longer."""
    before = runtime.clock() - KEEP_REFUSALS
    for shop_id in _shop_ids(runtime):
        removed = ROWS_AT_ONCE
        while removed == ROWS_AT_ONCE:
            with runtime.transaction() as session:
                removed = api_actions.forget_refused(session, shop_id, before=before, limit=ROWS_AT_ONCE)


def _shop_ids(runtime: Runtime) -> list[int]:
    with runtime.reading() as session:
        return [shop_id for shop_id in session.exec(select(Shop.id)) if shop_id is not None]


def _prune_uploads(runtime: Runtime) -> None:
    """Files of members that nobody went on with: they hold addresses. What was imported is kept, for undoing it."""
    forgotten = (
        col(ImportBatch.state).in_(("uploaded", "checked")),
        col(ImportBatch.created_at) < runtime.clock() - KEEP_UPLOADS,
    )
    for table in (ImportChunk, ImportRow):
        while True:
            with runtime.transaction() as session:
                some = (
                    select(table.id)
                    .join(ImportBatch, col(ImportBatch.id) == col(table.batch_id))
                    .where(*forgotten)
                    .limit(ROWS_AT_ONCE)
                )
                ids = session.exec(some).all()
                if not ids:
                    break
                session.execute(
                    delete(table).where(col(table.id).in_(ids)),
                    execution_options={"synchronize_session": False},
                )
    with runtime.transaction() as session:
        session.execute(
            delete(ImportBatch).where(*forgotten), execution_options={"synchronize_session": False}
        )
