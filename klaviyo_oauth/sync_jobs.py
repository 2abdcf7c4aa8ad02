"""Follows one bulk import job of Klaviyo's: is it done, and whom could it not take. It looks; it does not wait.

A job holds what was true when its batch was read, and Klaviyo may come to it much later: by then events may have written what is true since,
which the job overwrites. So whoever changed meanwhile is written once more when it has ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from klaviyo_oauth import bulk_profiles
from klaviyo_oauth.answers import Reply, without_personal_data
from klaviyo_oauth.bulk_profiles import Stopped, Taken
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.paging import next_cursor
from loyalty import silent
from loyalty.models import Member
from loyalty.runtime import Runtime

_LOOK_AGAIN = 1.0
_LOOK_AGAIN_AT_MOST = 15.0
_GIVE_UP_AFTER = timedelta(hours=24)
_PAGE = 100
# A change is dated when its transaction begins, and is to be seen when that ends.
_STILL_UNSEEN = timedelta(minutes=1)

Item = tuple[str, int | None, str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """An import job under way. ``errors_from``: it is done, and its errors are read from this page cursor on ("" is the first page).
    ``first`` and ``last`` are the members in it by id, who were read at ``read_at``."""

    id: str
    size: int
    posted_at: datetime
    errors_from: str | None = None
    first: int = 0
    last: int = 0
    read_at: datetime | None = None

    @staticmethod
    def of(taken: Taken, *, read_at: datetime, posted_at: datetime) -> "Job":
        """The job that a part of a batch became."""
        members = taken.members
        return Job(taken.job_id, len(members), posted_at, None, members[0], members[-1], read_at)

    def to_json(self) -> list[Any]:
        read_at = None if self.read_at is None else self.read_at.isoformat()
        plain = [self.id, self.size, self.posted_at.isoformat(), self.errors_from]
        return [*plain, self.first, self.last, read_at]

    @staticmethod
    def from_json(value: list[Any]) -> "Job":
        # One that was under way before members and instant were noted has neither.
        ident, size, posted_at, errors_from, first, last, read_at = [*value, 0, 0, None][:7]
        read = None if read_at is None else datetime.fromisoformat(read_at)
        return Job(ident, size, datetime.fromisoformat(posted_at), errors_from, first, last, read)


@dataclass(frozen=True, slots=True)
class Found:
    """What a look showed: counts and items to record, the job as it goes on (None: nothing more is to be seen of it), when to look again.
    ``worked_off``: Klaviyo has done with it, as this look was the first to see."""

    job: Job | None
    done: int = 0
    failed: int = 0
    items: tuple[Item, ...] = ()
    wait: float = 0.0
    worked_off: bool = False


def look(runtime: Runtime, gateway: Gateway, shop_id: int, job: Job, *, now: datetime) -> Found | Stopped:
    """Look at a job once: at its state, or when that is known at one page of its errors."""
    if job.errors_from is not None:
        return _errors(runtime, gateway, shop_id, job)
    path = f"/api/profile-bulk-import-jobs/{job.id}"
    answer = gateway.call(shop_id, "GET profile-bulk-import-jobs", path)
    if isinstance(answer, Reply) and answer.status == 404:
        # Klaviyo forgets jobs after a week; this one had been accepted.
        return Found(None, done=job.size, worked_off=True)
    if not (isinstance(answer, Reply) and answer.ok):
        return bulk_profiles.stopped(answer)
    attributes = answer.data.get("attributes") if isinstance(answer.data, Mapping) else None
    attributes = attributes if isinstance(attributes, Mapping) else {}
    if attributes.get("status") in {"complete", "cancelled"}:
        return _ended(job, attributes)
    age = now - job.posted_at
    if age > _GIVE_UP_AFTER:
        item = (f"job:{job.id}", None, "failed", "Klaviyo did not finish this import within a day")
        return Found(None, failed=job.size, items=(item,), worked_off=True)
    wait = min(_LOOK_AGAIN + age.total_seconds() / 10, _LOOK_AGAIN_AT_MOST)
    return Found(job, wait=wait)


def _ended(job: Job, attributes: Mapping[str, Any]) -> Found:
    failed = _number(attributes.get("failed_count"), 0)
    done = min(_number(attributes.get("completed_count"), job.size - failed), job.size)
    if attributes["status"] == "cancelled":
        item = (f"job:{job.id}", None, "failed", "Klaviyo cancelled this import")
        return Found(None, done=done, failed=job.size - done, items=(item,), worked_off=True)
    failed = job.size - done
    left = replace(job, errors_from="") if failed else None
    return Found(left, done=done, failed=failed, worked_off=True)


def write_again(session: Session, shop_id: int, job: Job, *, now: datetime) -> None:
    """Have the profiles written anew of those whom a job that is worked off showed as they were before they changed."""
    if job.read_at is None:
        return
    changed = session.exec(
        select(Member.id).where(
            Member.shop_id == shop_id,
            col(Member.id).between(job.first, job.last),
            col(Member.updated_at) >= job.read_at - _STILL_UNSEEN,
        )
    ).all()
    silent.want(session, shop_id, [id_ for id_ in changed if id_ is not None], now=now)


def _errors(runtime: Runtime, gateway: Gateway, shop_id: int, job: Job) -> Found | Stopped:
    params: dict[str, str | int] = {"page[size]": _PAGE}
    if job.errors_from:
        params["page[cursor]"] = job.errors_from
    path = f"/api/profile-bulk-import-jobs/{job.id}/import-errors"
    answer = gateway.call(shop_id, "GET import-errors", path, params=params)
    if isinstance(answer, Reply) and answer.status == 404:
        return Found(None)
    if not (isinstance(answer, Reply) and answer.ok):
        return bulk_profiles.stopped(answer)
    entries = answer.data if isinstance(answer.data, list) else []
    found = [_read(entry) for entry in entries if isinstance(entry, Mapping)]
    members = _members(runtime, shop_id, {email for email, _, _ in found if email})
    items = tuple(_item(job, members.get(email or ""), ident, reason) for email, ident, reason in found)
    cursor = next_cursor(answer)
    return Found(None if cursor is None else replace(job, errors_from=cursor), items=items)


def _read(entry: Mapping[str, Any]) -> tuple[str | None, str, str]:
    attributes = entry.get("attributes")
    attributes = attributes if isinstance(attributes, Mapping) else {}
    payload = attributes.get("original_payload")
    payload = payload if isinstance(payload, Mapping) else {}
    inner = payload.get("attributes")
    email = payload.get("email") or (inner.get("email") if isinstance(inner, Mapping) else None)
    words = attributes.get("detail") or attributes.get("title") or "refused"
    reason = without_personal_data(f"{attributes.get('code') or 'invalid'}: {words}")
    return (email.strip().lower() if isinstance(email, str) else None), str(entry.get("id")), reason


def _item(job: Job, member_id: int | None, ident: str, reason: str) -> Item:
    subject = f"member:{member_id}" if member_id is not None else f"job:{job.id}:{ident}"
    return (subject, member_id, "failed", reason)


def _members(runtime: Runtime, shop_id: int, emails: set[str]) -> dict[str, int]:
    if not emails:
        return {}
    with runtime.reading() as session:
        rows = session.exec(
            select(Member.email, Member.id).where(Member.shop_id == shop_id, col(Member.email).in_(emails))
        ).all()
    return {email: id_ for email, id_ in rows if email is not None and id_ is not None}


def _number(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise
