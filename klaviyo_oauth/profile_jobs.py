"""The import jobs that profiles without news became: no run follows these, so the link remembers them until Klaviyo has worked them off.

Whoever changed since such a job was made is then written once more (see ``sync_jobs``). It counts nothing and names nobody: what Klaviyo
would not take of an accepted job is found by ``flask klaviyo check``.
"""

from collections.abc import Iterable

from klaviyo_oauth import connections, sync_jobs
from klaviyo_oauth.bulk_profiles import Stopped
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.sync_jobs import Job
from loyalty.runtime import Runtime

# Less often than a sync looks: nobody watches these.
_LOOK_AGAIN = 15.0
# A million members changed at once are two hundred jobs. What is forgotten beyond is set right by the monthly sync.
_MOST = 400


def remember(runtime: Runtime, shop_id: int, jobs: Iterable[Job]) -> None:
    """Note jobs, and ring for whoever looks at them."""
    added = [job.to_json() for job in jobs]
    if not added:
        return
    with runtime.transaction() as session:
        row = connections.load(session, shop_id, lock=True)
        if row is not None:
            known = [*row.details.get("profile_jobs", ()), *added]
            connections.change_details(row, profile_jobs=known[-_MOST:])
    runtime.nudge("check_klaviyo", shop_id, delay=_LOOK_AGAIN)


def look(runtime: Runtime, gateway: Gateway, shop_id: int) -> float | None:
    """Look at the jobs in the order in which Klaviyo comes to them. Returns the seconds after which to look again, or None when all are
    worked off (or there is no link)."""
    with runtime.reading() as session:
        row = connections.load(session, shop_id)
        jobs = [Job.from_json(value) for value in (row.details.get("profile_jobs", ()) if row else ())]
    for job in jobs:
        found = sync_jobs.look(runtime, gateway, shop_id, job, now=runtime.clock())
        if isinstance(found, Stopped):
            return None if found.error is not None else max(found.seconds, _LOOK_AGAIN)
        if not found.worked_off:
            return _LOOK_AGAIN
        with runtime.transaction() as session:
            sync_jobs.write_again(session, shop_id, job, now=runtime.clock())
            row = connections.load(session, shop_id, lock=True)
            if row is not None:
                left = [value for value in row.details.get("profile_jobs", ()) if value[0] != job.id]
                connections.change_details(row, profile_jobs=left or None)
    return None
