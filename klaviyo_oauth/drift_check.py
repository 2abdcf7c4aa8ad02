"""Klaviyo check: reads every member's profile back, names those that do not show the truth, and with ``repair`` sends these again.

A run for ``loyalty.runs``. The drifted are kept as its items, and the repair works from these, so it may be killed anywhere. Counts:
``done`` are shown rightly, ``failed`` have drifted, ``skipped`` could not be compared; how many were healed is in the cursor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import requests
from redis import Redis
from sqlmodel import Session, col, select

from klaviyo_oauth import bulk_profiles, connections, drift, sync_batches, sync_jobs
from klaviyo_oauth.bulk_profiles import Stopped
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.dialects import OURS
from klaviyo_oauth.drift import Comparison
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.payloads import MOST_PROFILES
from klaviyo_oauth.sync import OTHER_ACCOUNT
from klaviyo_oauth.sync_jobs import Job
from klaviyo_oauth.tokens import Credentials
from loyalty import runs
from loyalty.models import Run, RunItem
from loyalty.runs import RunView, Step, StepFunction
from loyalty.runtime import Runtime

KIND = "klaviyo_check"
_PAGES_A_STEP = 8


def start_check(session: Session, shop_id: int, *, repair: bool, now: datetime) -> Run:
    """Begin a check, or give the one that is under way (whose ``params`` say whether it repairs)."""
    return runs.start(session, shop_id, KIND, {"repair": repair}, now=now)


def healed(run: Run) -> int:
    """How many of the drifted were set right."""
    return _Cursor.read(run.cursor).healed


def create_step(
    runtime: Runtime, config: KlaviyoConfig, redis: Redis, http: requests.Session | None = None
) -> StepFunction:
    """The step function of this kind of run, for ``loyalty.runs.advance``."""
    gateway = Gateway(runtime, config, redis, http or requests.Session())

    def step(runtime: Runtime, run: RunView) -> Step:
        return _Check(runtime, gateway, run).step()

    return step


@dataclass(slots=True)
class _Cursor:
    """Where a check is. ``after``: the last member compared; ``item``: the last drifted member sent again; ``size``: how many are sent at
    once."""

    account: str | None = None
    after: int = 0
    compared: bool = False
    item: int = 0
    sent: bool = False
    healed: int = 0
    size: int = MOST_PROFILES
    jobs: list[Job] = field(default_factory=list)

    @staticmethod
    def read(value: dict[str, Any]) -> "_Cursor":
        known = {name: given for name, given in value.items() if name != "jobs"}
        return _Cursor(**known, jobs=[Job.from_json(job) for job in value.get("jobs", ())])

    def to_json(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "after": self.after,
            "compared": self.compared,
            "item": self.item,
            "sent": self.sent,
            "healed": self.healed,
            "size": self.size,
            "jobs": [job.to_json() for job in self.jobs],
        }


class _Check:
    def __init__(self, runtime: Runtime, gateway: Gateway, run: RunView) -> None:
        self._runtime = runtime
        self._gateway = gateway
        self._run = run
        self._choice = OURS
        self._cursor = _Cursor.read(run.cursor)

    def step(self) -> Step:
        who = self._gateway.account_of(self._run.shop_id)
        if not isinstance(who, Credentials):
            return bulk_profiles.stopped(who).as_step()
        if self._cursor.account not in (None, who.account_id):
            return Step(error=OTHER_ACCOUNT)
        self._cursor.account = who.account_id
        with self._runtime.reading() as session:
            self._choice = connections.choice_of(connections.load(session, self._run.shop_id))
        if self._run.total is None:
            with self._runtime.transaction() as session:
                runs.save(session, self._run.id, total=sync_batches.count(session, self._run.shop_id))
        if not self._cursor.compared:
            return self._compare()
        if self._cursor.jobs:
            return self._follow()
        if self._run.params.get("repair") and not self._cursor.sent:
            return self._repair()
        return Step(finished=True)

    def _compare(self) -> Step:
        for _ in range(_PAGES_A_STEP):
            found = drift.compare(
                self._runtime, self._gateway, self._run.shop_id, self._choice, after=self._cursor.after
            )
            if found is None:
                self._cursor.compared = True
                self._save()
                return Step()
            if not isinstance(found, Comparison):
                return bulk_profiles.stopped(found).as_step()
            self._record(found)
        return Step()

    def _record(self, found: Comparison) -> None:
        self._cursor.after = found.last_id
        items = _items("failed", found.drifted) + _items("skipped", found.skipped)
        with self._runtime.transaction() as session:
            runs.note(session, self._run.id, items)
            runs.save(
                session,
                self._run.id,
                cursor=self._cursor.to_json(),
                done=found.right,
                failed=len(found.drifted),
                skipped=len(found.skipped),
            )

    def _repair(self) -> Step:
        """Send the next of the drifted again, as they are now."""
        drifted = (
            select(RunItem.id, RunItem.member_id)
            .where(RunItem.run_id == self._run.id, RunItem.outcome == "failed")
            .where(col(RunItem.id) > self._cursor.item)
            .order_by(col(RunItem.id))
            .limit(self._cursor.size)
        )
        with self._runtime.reading() as session:
            rows = session.exec(drifted).all()
        if not rows:
            self._cursor.sent = True
            self._save()
            return Step()
        ids = [member_id for _, member_id in rows if member_id is not None]
        batch = sync_batches.of(self._runtime, self._run.shop_id, self._choice, ids)
        if batch is not None:
            posted = bulk_profiles.post(self._gateway, self._run.shop_id, batch.sendable)
            if isinstance(posted, Stopped):
                if posted.came_far:
                    # More than a minute allows, as in a sync: in smaller pieces some get through.
                    self._cursor.size = max(len(rows) // 10, 1)
                    self._save()
                return posted.as_step()
            now = self._runtime.clock()
            self._cursor.jobs.extend(
                Job.of(taken, read_at=batch.read_at, posted_at=now) for taken in posted.jobs
            )
        self._cursor.item = rows[-1][0] or 0
        self._save()
        return Step()

    def _follow(self) -> Step:
        job, now = self._cursor.jobs[0], self._runtime.clock()
        found = sync_jobs.look(self._runtime, self._gateway, self._run.shop_id, job, now=now)
        if isinstance(found, Stopped):
            return found.as_step()
        self._cursor.jobs[:1] = [] if found.job is None else [found.job]
        self._cursor.healed += found.done
        with self._runtime.transaction() as session:
            if found.worked_off:
                sync_jobs.write_again(session, self._run.shop_id, job, now=now)
            runs.save(session, self._run.id, cursor=self._cursor.to_json())
        return Step(wait=found.wait)

    def _save(self) -> None:
        with self._runtime.transaction() as session:
            runs.save(session, self._run.id, cursor=self._cursor.to_json())


def _items(outcome: str, pairs: Sequence[tuple[int, str]]) -> list[tuple[str, int | None, str, str]]:
    return [(f"member:{id_}", id_, outcome, reason) for id_, reason in pairs]
