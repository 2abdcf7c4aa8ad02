"""Reads the members that a sync shows to Klaviyo, a batch at a time by id, so that memory stays flat with a million of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from klaviyo_oauth import addresses, payloads
from klaviyo_oauth.bulk_profiles import Pair
from klaviyo_oauth.dialect import Dialect, Standing
from loyalty.models import Member
from loyalty.runtime import Runtime

SHOWN = ("member", "guest")
_MEMBER = Member.__table__.c  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Batch:
    """Members in the order of their ids: who can be sent, and who (id, reason) cannot."""

    last_id: int
    sendable: Sequence[Pair]
    skipped: Sequence[tuple[int, str]]


def count(session: Session, shop_id: int) -> int:
    """How many members a sync of the shop goes through."""
    counted = select(func.count()).select_from(Member)
    return session.execute(
        counted.where(col(Member.shop_id) == shop_id, col(Member.state).in_(SHOWN))
    ).scalar_one()


def read(runtime: Runtime, shop_id: int, dialect: Dialect, *, after: int, size: int) -> Batch | None:
    """The next batch after the member ``after``, or None at the end."""
    with runtime.reading() as session:
        rows = shown(session, shop_id, _MEMBER.id > after, size=size)
    return _encoded(dialect, rows) if rows else None


def of(runtime: Runtime, shop_id: int, dialect: Dialect, ids: Sequence[int]) -> Batch | None:
    """A batch of these members, as far as they are still shown to Klaviyo; None when none of them is."""
    with runtime.reading() as session:
        rows = shown(session, shop_id, _MEMBER.id.in_(ids), size=len(ids))
    return _encoded(dialect, rows) if rows else None


def shown(session: Session, shop_id: int, condition: Any, *, size: int) -> Sequence[Any]:
    """Members that Klaviyo shall know, by id: id, email, first name, last name, and then the parts of their ``Standing``."""
    statement = (
        select(
            _MEMBER.id,
            _MEMBER.email,
            _MEMBER.first_name,
            _MEMBER.last_name,
            _MEMBER.balance,
            _MEMBER.lifetime_earned,
            _MEMBER.lifetime_spent,
            _MEMBER.state,
            _MEMBER.joined_at,
        )
        .where(_MEMBER.shop_id == shop_id, condition, _MEMBER.state.in_(SHOWN))
        .order_by(_MEMBER.id)
        .limit(size)
    )
    # The connection, not the session: rows without the work of mapping them.
    return session.connection().execute(statement).all()


def _encoded(dialect: Dialect, rows: Sequence[Any]) -> Batch:
    sendable: list[Pair] = []
    skipped: list[tuple[int, str]] = []
    for id_, email, first_name, last_name, *standing in rows:
        problem = addresses.problem(email)
        if problem is not None:
            skipped.append((id_, problem))
        else:
            profile = payloads.profile_of(dialect, email, first_name, last_name, Standing(*standing))
            # Bytes at once: ten thousand dicts kept for the batch would cost the collector more than the encoding does.
            sendable.append((id_, payloads.encode(profile)))
    return Batch(rows[-1][0], sendable, skipped)
