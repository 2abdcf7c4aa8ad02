"""Reads the members that a sync shows to Klaviyo, a batch at a time by id, so that memory stays flat with a million of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import Session, col

from klaviyo_oauth import addresses, payloads
from klaviyo_oauth.bulk_profiles import Pair
from klaviyo_oauth.dialect import Dialect, Standing
from loyalty.models import Member
from loyalty.runtime import Runtime

SHOWN = ("member", "guest")


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
    statement = (
        select(
            col(Member.id),
            col(Member.email),
            col(Member.first_name),
            col(Member.last_name),
            col(Member.balance),
            col(Member.lifetime_earned),
            col(Member.lifetime_spent),
            col(Member.state),
            col(Member.joined_at),
        )
        .where(col(Member.shop_id) == shop_id, col(Member.id) > after, col(Member.state).in_(SHOWN))
        .order_by(col(Member.id))
        .limit(size)
    )
    with runtime.reading() as session:
        rows = session.execute(statement).all()
    if not rows:
        return None
    sendable: list[Pair] = []
    skipped: list[tuple[int, str]] = []
    for id_, email, first_name, last_name, *standing in rows:
        problem = addresses.problem(email)
        if problem is not None:
            skipped.append((id_, problem))
        else:
            sendable.append(
                (id_, payloads.profile_of(dialect, email, first_name, last_name, Standing(*standing)))
            )
    return Batch(rows[-1][0], sendable, skipped)
