"""Forgets what nobody needs any longer: finished deliveries, old authorization attempts, and undeliverable remains with personal data."""

from datetime import timedelta

from sqlalchemy import delete
from sqlmodel import col

from loyalty.models import InboxMessage, OAuthState
from loyalty.runtime import Runtime

# A repeat of a delivery is recognised by its row. Shopify repeats for four hours and may be a day late; a month is generous.
KEEP_DELIVERIES = timedelta(days=30)


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
