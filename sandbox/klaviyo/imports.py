"""Bulk profile imports: accepted at once, worked off as time goes by.

There is no thread behind them: whoever looks at the account first lets the due part happen. Refuses to
validate; a job only exists for a batch that passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.klaviyo.errors import Refused
from sandbox.klaviyo.profiles import Profiles
from sandbox.klaviyo.settings import Settings

_WEEK = 7 * 86_400


@dataclass
class FailedProfile:
    """One profile that a job could not take."""

    ident: str
    code: str
    title: str
    detail: str
    pointer: str
    payload: Mapping[str, Any]


@dataclass
class ImportJob:
    """One accepted batch and how far it has come."""

    ident: str
    created: float
    started: float
    per_profile: float
    total: int
    lists: tuple[str, ...]
    pending: list[dict[str, Any]]
    done: int = 0
    failed: int = 0
    completed: float | None = None
    errors: list[FailedProfile] = field(default_factory=list)

    @property
    def expires(self) -> float:
        return self.created + _WEEK

    def status(self, now: float) -> str:
        if self.completed is not None:
            return "complete"
        return "queued" if now < self.started else "processing"


class ImportJobs:
    """The jobs of one account."""

    def __init__(self, account: str) -> None:
        self._account = account
        self.jobs: dict[str, ImportJob] = {}
        self._open: list[ImportJob] = []
        self.refused_addresses: dict[str, tuple[str, str]] = {}

    def add(
        self, batch: list[dict[str, Any]], lists: tuple[str, ...], settings: Settings, now: float
    ) -> ImportJob:
        """Queue one validated batch."""
        ident = f"{self._account}-import-{len(self.jobs) + 1:06d}"
        started = now + settings.import_delay_seconds
        job = ImportJob(ident, now, started, settings.import_seconds_per_profile, len(batch), lists, batch)
        self.jobs[ident] = job
        self._open.append(job)
        return job

    def advance(self, profiles: Profiles, members: Mapping[str, dict[int, float]], now: float) -> None:
        """Let everything happen that is due by now."""
        for job in self._open:
            self._work(job, profiles, members, now)
        self._open = [job for job in self._open if job.completed is None]

    def _work(
        self, job: ImportJob, profiles: Profiles, members: Mapping[str, dict[int, float]], now: float
    ) -> None:
        elapsed = now - job.started
        if elapsed < 0:
            return
        due = job.total if job.per_profile <= 0 else min(job.total, int(elapsed / job.per_profile))
        for position in range(job.done + job.failed, due):
            self._take(job, position, profiles, members, now)
        if due == job.total:
            job.completed = job.started + job.per_profile * job.total
            job.pending = []

    def _take(
        self,
        job: ImportJob,
        position: int,
        profiles: Profiles,
        members: Mapping[str, dict[int, float]],
        now: float,
    ) -> None:
        data = job.pending[position]
        refusal = None
        if self.refused_addresses:
            refusal = self.refused_addresses.get((data["attributes"].get("email") or "").lower())
        if refusal is None:
            try:
                row, _ = profiles.upsert(data, now)
            except Refused as error:
                refusal = (error.problems[0].code, error.problems[0].detail)
            else:
                for ident in job.lists:
                    members[ident].setdefault(row, now)
                job.done += 1
                return
        job.failed += 1
        code, detail = refusal
        pointer = f"/data/attributes/profiles/data/{position}"
        ident = f"{job.ident}-{position}"
        job.errors.append(
            FailedProfile(ident, code, "Profile could not be imported", detail, pointer, data["attributes"])
        )
