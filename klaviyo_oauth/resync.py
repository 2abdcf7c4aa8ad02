"""Once a month every profile is written anew: what somebody changed in Klaviyo by hand, or an import overwrote, is set right by it."""

from datetime import timedelta

from klaviyo_oauth import connections, sync
from klaviyo_oauth.review_facts import moment
from loyalty.runtime import Runtime

EVERY = timedelta(days=30)


def resync_if_old(runtime: Runtime, shop_id: int) -> bool:
    """Begin a sync when the last one is a month old. A shop that never synced is left alone: the first sync is the merchant's to start."""
    now = runtime.clock()
    with runtime.transaction() as session:
        row = connections.load(session, shop_id)
        last = moment(row.details.get("synced_at")) if row is not None else None
        if row is None or row.state != connections.CONNECTED or last is None or now - last < EVERY:
            return False
        run_id = sync.start_sync(session, shop_id, now=now).id
    assert run_id is not None
    runtime.nudge("advance_run", run_id)
    return True
