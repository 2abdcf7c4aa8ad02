"""Sync customer data: every member's profile properties to Klaviyo, in bulk import jobs that are followed to their end.

A run for ``loyalty.runs``. Its cursor holds the last member that Klaviyo took and the jobs under way, so a killed sync goes on where it
was; sending a batch twice is harmless. It subscribes nobody, and live updates never wait for it.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import requests
from redis import Redis
from sqlmodel import Session

from klaviyo_oauth import bulk_profiles, connections, sync_batches, sync_jobs
from klaviyo_oauth.bulk_profiles import Posted, Stopped
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.dialects import OURS
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.payloads import MOST_PROFILES
from klaviyo_oauth.sync_batches import Batch
from klaviyo_oauth.sync_jobs import Job
from klaviyo_oauth.tokens import Credentials
from loyalty import programs, runs
from loyalty.models import Run
from loyalty.runs import RunView, Step, StepFunction
from loyalty.runtime import Runtime

KIND = "klaviyo_sync"
OTHER_ACCOUNT = "other_account"
# While one batch is on its way the next one is read and encoded; more than two would only cost memory.
_ON_THE_WAY = 2
_BATCHES_A_STEP = 8
# Klaviyo works its jobs off one after the other; a long tail of them is followed before more are added.
_JOBS_UNDER_WAY = 200


def start_sync(session: Session, shop_id: int, *, now: datetime) -> Run:
    """Begin a sync of all members, or give the one that is under way."""
    try:
        params = {"program": programs.current(session, shop_id).version}
    except programs.NoProgram:
        params = {}
    return runs.start(session, shop_id, KIND, params, now=now)


def create_step(
    runtime: Runtime,
    config: KlaviyoConfig,
    redis: Redis,
    http: requests.Session | None = None,
    *,
    batch_size: int = MOST_PROFILES,
) -> StepFunction:
    """The step function of this kind of run, for ``loyalty.runs.advance``."""
    gateway = Gateway(runtime, config, redis, http or requests.Session())

    def step(runtime: Runtime, run: RunView) -> Step:
        return _Sync(runtime, gateway, run, batch_size).step()

    return step


@dataclass(slots=True)
class _Cursor:
    """Where a sync is. ``account``: whom it is shown to; ``dialects``: under which names; ``sent_all``: every member was read; ``jobs``:
    what Klaviyo has not finished; ``size``: how many members a batch may have, where that has proved to be too many; ``fits``: how many
    of them fitted into the request before."""

    account: str | None = None
    dialects: str | None = None
    after: int = 0
    sent_all: bool = False
    jobs: list[Job] = field(default_factory=list)
    size: int | None = None
    fits: int | None = None

    @staticmethod
    def read(value: dict[str, Any]) -> "_Cursor":
        jobs = [Job.from_json(job) for job in value.get("jobs", ())]
        return _Cursor(
            value.get("account"),
            value.get("dialects"),
            value.get("after", 0),
            value.get("sent_all", False),
            jobs,
            value.get("size"),
            value.get("fits"),
        )

    def to_json(self) -> dict[str, Any]:
        jobs = [job.to_json() for job in self.jobs]
        return {
            "account": self.account,
            "dialects": self.dialects,
            "after": self.after,
            "sent_all": self.sent_all,
            "jobs": jobs,
            "size": self.size,
            "fits": self.fits,
        }


class _Sync:
    def __init__(self, runtime: Runtime, gateway: Gateway, run: RunView, batch_size: int) -> None:
        self._runtime = runtime
        self._gateway = gateway
        self._run = run
        self._batch_size = batch_size
        self._cursor = _Cursor.read(run.cursor)
        self._choice = OURS
        self._at_the_end = False

    def step(self) -> Step:
        who = self._gateway.account_of(self._run.shop_id)
        if not isinstance(who, Credentials):
            return bulk_profiles.stopped(who).as_step()
        if self._cursor.account not in (None, who.account_id):
            # The account of today knows nobody of those that the other one was shown; the page asks for a new sync.
            return Step(error=OTHER_ACCOUNT)
        self._cursor.account = who.account_id
        self._begin()
        if not self._cursor.sent_all and len(self._cursor.jobs) < _JOBS_UNDER_WAY:
            stop = self._send_some()
            return Step() if stop is None else stop.as_step()
        if self._cursor.jobs:
            return self._follow()
        return self._finish()

    def _begin(self) -> None:
        """Count who is to be sent. A sync that is under way when other dialects are chosen begins again: the names that it has written
        are not all that there are now."""
        with self._runtime.transaction() as session:
            row = connections.load(session, self._run.shop_id)
            self._choice = connections.choice_of(row)
            changed = self._cursor.dialects not in (None, self._choice.ident)
            self._cursor.dialects = self._choice.ident
            if changed:
                self._cursor.after, self._cursor.sent_all = 0, False
            if changed or self._run.total is None:
                handled = self._run.done + self._run.failed + self._run.skipped
                under_way = sum(job.size for job in self._cursor.jobs if job.errors_from is None)
                total = handled + under_way + sync_batches.count(session, self._run.shop_id)
                runs.save(session, self._run.id, cursor=self._cursor.to_json(), total=total)

    def _send_some(self) -> Stopped | None:
        """Send a few batches. They are recorded in their order, so the cursor never passes one that was not taken."""
        with ThreadPoolExecutor(_ON_THE_WAY) as pool:
            on_the_way: list[tuple[Batch, Future[Posted | Stopped]]] = []
            for batch in self._batches():
                on_the_way.append((batch, pool.submit(self._post, batch)))
                if len(on_the_way) >= _ON_THE_WAY:
                    stop = self._record(*on_the_way.pop(0))
                    if stop is not None:
                        return stop
            for pair in on_the_way:
                stop = self._record(*pair)
                if stop is not None:
                    return stop
        if self._at_the_end:
            self._cursor.sent_all = True
            with self._runtime.transaction() as session:
                runs.save(session, self._run.id, cursor=self._cursor.to_json())
        return None

    def _batches(self) -> Iterator[Batch]:
        """Batches of which each fills a request: what does not fit into it is read with the next one. Where Klaviyo's bytes run out before its
        number of profiles does, half of the requests would otherwise be scraps, and a minute has only so many."""
        after, most = self._cursor.after, self._cursor.size or self._batch_size
        until = self._runtime.clock() + timedelta(seconds=self._runtime.step_seconds)
        for number in range(_BATCHES_A_STEP):
            if number and self._runtime.clock() >= until:
                return
            # A little more than what fitted before: the next profiles may be shorter.
            fits = self._cursor.fits or most
            size = min(most, fits + fits // 50 + 1)
            read = sync_batches.read(self._runtime, self._run.shop_id, self._choice, after=after, size=size)
            if read is None:
                self._at_the_end = True
                return
            batch = sync_batches.fitting(read)
            self._cursor.fits = size if batch is read else len(batch.sendable) + len(batch.skipped)
            after = batch.last_id
            yield batch

    def _post(self, batch: Batch) -> Posted | Stopped:
        return bulk_profiles.post(self._gateway, self._run.shop_id, batch.sendable)

    def _record(self, batch: Batch, result: "Future[Posted | Stopped]") -> Stopped | None:
        posted = result.result()
        if isinstance(posted, Stopped):
            if posted.came_far:
                self._cut_smaller(batch)
            return posted
        now = self._runtime.clock()
        self._cursor.after = batch.last_id
        self._cursor.jobs.extend(Job.of(taken, read_at=batch.read_at, posted_at=now) for taken in posted.jobs)
        items = _items("skipped", batch.skipped) + _items("failed", posted.refused)
        with self._runtime.transaction() as session:
            runs.note(session, self._run.id, items)
            runs.save(
                session,
                self._run.id,
                cursor=self._cursor.to_json(),
                skipped=len(batch.skipped),
                failed=len(posted.refused),
            )
        return None

    def _cut_smaller(self, batch: Batch) -> None:
        """A batch that Klaviyo takes apart profile by profile can need more requests than a minute allows, and is begun anew after it. In
        smaller ones some get through each time."""
        self._cursor.size = max(len(batch.sendable) // 10, 1)
        with self._runtime.transaction() as session:
            runs.save(session, self._run.id, cursor=self._cursor.to_json())

    def _follow(self) -> Step:
        """Look at the oldest job, the one that Klaviyo works on."""
        job, now = self._cursor.jobs[0], self._runtime.clock()
        found = sync_jobs.look(self._runtime, self._gateway, self._run.shop_id, job, now=now)
        if isinstance(found, Stopped):
            return found.as_step()
        left = [] if found.job is None else [found.job]
        self._cursor.jobs[:1] = left
        with self._runtime.transaction() as session:
            if found.worked_off:
                sync_jobs.write_again(session, self._run.shop_id, job, now=now)
            runs.note(session, self._run.id, list(found.items))
            cursor = self._cursor.to_json()
            runs.save(session, self._run.id, cursor=cursor, done=found.done, failed=found.failed)
        return Step(wait=found.wait)

    def _finish(self) -> Step:
        with self._runtime.transaction() as session:
            row = connections.load(session, self._run.shop_id, lock=True)
            same_account = row is not None and row.account_id == self._cursor.account
            if row is None or not same_account or connections.choice_of(row).ident != self._cursor.dialects:
                # Since this step began; the next one sees what has to be done about it.
                return Step()
            connections.change_details(
                row,
                needs_sync=None,
                missed_news=None,
                synced_at=self._runtime.clock().isoformat(),
                synced_program=self._run.params.get("program"),
                # What was written in those that were left is gone from every profile.
                dialects_left=None,
            )
        return Step(finished=True)


def _items(outcome: str, pairs: Sequence[tuple[int, str]]) -> list[tuple[str, int | None, str, str]]:
    return [(f"member:{id_}", id_, outcome, reason) for id_, reason in pairs]
