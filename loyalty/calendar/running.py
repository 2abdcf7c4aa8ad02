"""Works through everything that is due in a shop, batch by batch."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from loyalty import referrals
from loyalty.calendar.batches import BATCH, due_members, settle_members
from loyalty.database import retry_on_conflict
from loyalty.models import Shop
from loyalty.points import settle_accounts
from loyalty.runtime import Runtime

# Whom a turn goes past to find somebody whom it can settle. With more of them everything is wrong, and trying on helps nobody.
MOST_TROUBLED = 5_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run did. ``channels`` have something to send now; ``more`` says that somebody is left; ``troubled`` are the members who could
    not be settled, for reasons that the log tells."""

    settled: int
    channels: frozenset[str]
    more: bool
    troubled: tuple[int, ...]


def run(runtime: Runtime, shop_id: int, *, at: datetime, seconds: float | None = None) -> Ran:
    """Settle everybody for whom something is due at ``at``; given some seconds, begin no other batch after them. Batches in which nobody could
    be settled do not count, up to a number: those in trouble come first each time, and would be all that anybody ever comes to. Where even
    so nobody was settled, there is no ``more`` to do at once."""
    settled, began = 0, time.monotonic()
    # A referral is judged before time releases what it earned.
    channels = complete_referrals(runtime, shop_id, at=at)
    troubled: tuple[int, ...] = ()
    while True:
        with runtime.reading() as session:
            member_ids = due_members(session, shop_id, at=at, limit=BATCH, without=troubled)
        if not member_ids:
            return Ran(settled, channels, more=False, troubled=troubled)
        told, failed = settle_carefully(runtime, shop_id, member_ids, at=at)
        settled += len(member_ids) - len(failed)
        channels |= told
        troubled += failed
        if len(member_ids) < BATCH:
            return Ran(settled, channels, more=False, troubled=troubled)
        is_over = seconds is not None and time.monotonic() - began >= seconds
        if is_over and (settled or len(troubled) >= MOST_TROUBLED):
            return Ran(settled, channels, more=settled > 0, troubled=troubled)


def complete_referrals(runtime: Runtime, shop_id: int, *, at: datetime) -> frozenset[str]:
    """Complete every referral whose hold is over. One with which something is wrong is tried alone and holds up nobody else."""
    channels: frozenset[str] = frozenset()
    troubled: set[int] = set()
    at_once = referrals.BATCH
    while True:
        with runtime.reading() as session:
            ids = referrals.due_referrals(session, shop_id, at=at, most=at_once, without=troubled)
        if not ids:
            return channels
        try:
            channels |= _complete(runtime, shop_id, ids, at=at)
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # whatever it was: they are tried one by one, and the log keeps it
            log.exception("referrals_failed", shop_id=shop_id, referrals=len(ids))
            troubled |= set(ids) if at_once == 1 else set()
            at_once = 1


def settle_carefully(
    runtime: Runtime, shop_id: int, member_ids: Sequence[int], *, at: datetime, climbs: bool = False
) -> tuple[frozenset[str], tuple[int, ...]]:
    """Settle members in one transaction; if that fails, each in one of their own, so that nobody is held up by another's trouble.

    Returns the outbox channels that have something to send, and who could not be settled. When it is the database that is in trouble,
    that is raised.
    """
    try:
        return _settle(runtime, shop_id, member_ids, at=at, climbs=climbs), ()
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # whatever it was: the members are tried alone, and the log keeps it
        log.exception("calendar_batch_failed", shop_id=shop_id, members=len(member_ids))
        if len(member_ids) == 1:
            return frozenset(), tuple(member_ids)
    channels: frozenset[str] = frozenset()
    troubled: tuple[int, ...] = ()
    for member_id in member_ids:
        told, failed = settle_carefully(runtime, shop_id, (member_id,), at=at, climbs=climbs)
        channels |= told
        troubled += failed
    return channels, troubled


@retry_on_conflict
def _complete(runtime: Runtime, shop_id: int, ids: Sequence[int], *, at: datetime) -> frozenset[str]:
    with runtime.transaction() as session:
        shop = session.get_one(Shop, shop_id)
        return referrals.complete(session, shop, settle_accounts, ids, at=at, now=runtime.clock())


@retry_on_conflict
def _settle(
    runtime: Runtime, shop_id: int, member_ids: Sequence[int], *, at: datetime, climbs: bool
) -> frozenset[str]:
    with runtime.transaction() as session:
        shop = session.get_one(Shop, shop_id)
        return settle_members(session, shop, member_ids, at=at, now=runtime.clock(), climbs=climbs)
