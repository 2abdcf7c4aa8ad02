"""Reads the members that a sync shows to Klaviyo, a batch at a time by id, so that memory stays flat with a million of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session, col

from klaviyo_oauth import addresses, bulk_profiles, payloads
from klaviyo_oauth.bulk_profiles import Pair
from klaviyo_oauth.dialects import Choice
from klaviyo_oauth.standing import COLUMNS, NO_REWARDS, Standing, rewards_in, shop_view
from loyalty.models import Member, RewardIssue
from loyalty.runtime import Runtime

SHOWN = ("member", "guest")
_MEMBER = Member.__table__.c  # type: ignore[attr-defined]


class Person(NamedTuple):
    """A member that Klaviyo shall know. A tuple, as the standing is."""

    email: str | None
    first_name: str | None
    last_name: str | None
    standing: Standing


@dataclass(frozen=True, slots=True)
class Batch:
    """Members in the order of their ids, as they were at ``read_at``: who can be sent, and who (id, reason) cannot."""

    read_at: datetime
    last_id: int
    sendable: Sequence[Pair]
    skipped: Sequence[tuple[int, str]]


def count(session: Session, shop_id: int) -> int:
    """How many members a sync of the shop goes through."""
    counted = select(func.count()).select_from(Member)
    return session.execute(
        counted.where(col(Member.shop_id) == shop_id, col(Member.state).in_(SHOWN))
    ).scalar_one()


def read(runtime: Runtime, shop_id: int, choice: Choice, *, after: int, size: int) -> Batch | None:
    """The next batch after the member ``after``, or None at the end."""
    return _batch(runtime, shop_id, choice, _MEMBER.id > after, size=size)


def fitting(batch: Batch) -> Batch:
    """The beginning of a batch, as far as one request to Klaviyo can carry it; the batch itself where that is all of it."""
    first = next(bulk_profiles.parts_of(batch.sendable), batch.sendable)
    if len(first) == len(batch.sendable):
        return batch
    last_id = first[-1][0]
    return Batch(batch.read_at, last_id, first, [skip for skip in batch.skipped if skip[0] < last_id])


def of(runtime: Runtime, shop_id: int, choice: Choice, ids: Sequence[int]) -> Batch | None:
    """A batch of these members, as far as they are still shown to Klaviyo; None when none of them is."""
    return _batch(runtime, shop_id, choice, _MEMBER.id.in_(ids), size=len(ids))


def shown(session: Session, shop_id: int, condition: Any, *, size: int) -> Sequence[Person]:
    """Members that Klaviyo shall know, in the order of their ids, as they are now."""
    statement = (
        select(_MEMBER.email, _MEMBER.first_name, _MEMBER.last_name, *COLUMNS)
        .where(_MEMBER.shop_id == shop_id, condition, _MEMBER.state.in_(SHOWN))
        .order_by(_MEMBER.id)
        .limit(size)
    )
    # The connection, not the session: rows without the work of mapping them.
    rows = session.connection().execute(statement).all()
    if not rows:
        return ()
    # Neighbours by id are read as a stretch: ten thousand single ids would make the longer question.
    stretch = col(RewardIssue.member_id).between(rows[0].id, rows[-1].id)
    rewards = rewards_in(session, shop_id, stretch)
    shop = shop_view(session, shop_id)
    return [
        Person(
            email, first_name, last_name, Standing._make((*parts, shop, *rewards.get(parts[0], NO_REWARDS)))
        )
        for email, first_name, last_name, *parts in rows
    ]


def _batch(runtime: Runtime, shop_id: int, choice: Choice, condition: Any, *, size: int) -> Batch | None:
    read_at = runtime.clock()
    with runtime.reading() as session:
        rows = shown(session, shop_id, condition, size=size)
    return _encoded(choice, rows, read_at) if rows else None


def _encoded(choice: Choice, rows: Sequence[Person], read_at: datetime) -> Batch:
    sendable: list[Pair] = []
    skipped: list[tuple[int, str]] = []
    for email, first_name, last_name, standing in rows:
        id_ = standing.member_id
        problem = addresses.problem(email)
        if email is None or problem is not None:
            skipped.append((id_, problem or "no_email"))
        else:
            profile = payloads.profile_of(choice, email, first_name, last_name, standing)
            # Bytes at once: ten thousand dicts kept for the batch would cost the collector more than the encoding does.
            sendable.append((id_, payloads.encode(profile)))
    return Batch(read_at, rows[-1].standing.member_id, sendable, skipped)
