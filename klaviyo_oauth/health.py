"""Keeps what the merchant's page says about deliveries: when the last one was, and what went wrong last."""

from collections.abc import Iterable
from datetime import timedelta

from klaviyo_oauth import connections
from loyalty.delivery import Delivered, Later, Outcome, Refused
from loyalty.runtime import Runtime

# Not trouble: waiting for one's turn, or a batch that goes on in the next drain.
_ORDINARY = frozenset(("rate_limit", "refreshing", "continued"))
_FRESH = timedelta(seconds=5)


def note(runtime: Runtime, shop_id: int, outcomes: Iterable[Outcome]) -> None:
    """Record the health that a sending showed. Opens its own transaction, at most one in five seconds while all is well."""
    seen = tuple(outcomes)
    # What was settled without a request says nothing of Klaviyo; a refusal says that it answers again.
    reached = any(isinstance(outcome, Delivered) and outcome.status_code is not None for outcome in seen)
    answered = reached or any(
        isinstance(outcome, Refused) and outcome.status_code is not None for outcome in seen
    )
    trouble = next((x for x in seen if isinstance(x, Later) and x.reason not in _ORDINARY), None)
    if not answered and trouble is None:
        return
    now = runtime.clock()
    if trouble is None:
        with runtime.reading() as session:
            row = connections.load(session, shop_id)
            fresh = (
                row is not None and row.last_delivery_at is not None and now - row.last_delivery_at < _FRESH
            )
            if row is None or ((fresh or not reached) and row.last_error is None):
                return
    with runtime.transaction() as session:
        row = connections.load(session, shop_id, lock=True)
        if row is None:
            return
        if reached:
            row.last_delivery_at = now
        if answered:
            row.last_error = row.last_error_at = None
        if trouble is not None:
            row.last_error, row.last_error_at = trouble.reason, now
