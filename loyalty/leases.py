"""Rights that one process holds for a while. A killed holder blocks the others only until its lease runs out."""

from datetime import datetime, timedelta

from sqlalchemy import delete, or_, update
from sqlmodel import Session, col, select

from loyalty.models import Lease
from loyalty.outbox import add_once


def acquire(session: Session, name: str, *, holder: str, seconds: float, now: datetime) -> bool:
    """Take or extend the lease ``name`` for ``holder``. False when somebody else holds it."""
    until = now + timedelta(seconds=seconds)
    mine_or_free = or_(col(Lease.until) <= now, col(Lease.holder) == holder)
    taken = session.execute(
        update(Lease).where(col(Lease.name) == name, mine_or_free).values(holder=holder, until=until)
    )
    if taken.rowcount:  # type: ignore[attr-defined]
        return True
    return add_once(session, Lease, {"name": name, "holder": holder, "until": until})


def remaining(session: Session, name: str, *, now: datetime) -> float:
    """Seconds until somebody's lease runs out; 0 when nobody holds it. Its holder may be dead, so whoever has to wait comes back then."""
    until = session.exec(select(Lease.until).where(Lease.name == name)).first()
    return max((until - now) / timedelta(seconds=1), 0.0) if until is not None else 0.0


def release(session: Session, name: str, *, holder: str) -> None:
    """Give the lease back before it runs out. Somebody else's lease is left alone."""
    session.execute(delete(Lease).where(col(Lease.name) == name, col(Lease.holder) == holder))


def claim_period(session: Session, name: str, *, period: timedelta, now: datetime) -> bool:
    """True once per ``period`` among all processes: the caller shall do the periodic work ``name`` now."""
    stale = or_(col(Lease.done_at).is_(None), col(Lease.done_at) <= now - period)
    claimed = session.execute(
        update(Lease).where(col(Lease.name) == name, stale).values(done_at=now, until=now)
    )
    if claimed.rowcount:  # type: ignore[attr-defined]
        return True
    # Every process asks every second: what comes of nothing must not cost the database an error and a dead row.
    return add_once(session, Lease, {"name": name, "holder": "period", "until": now, "done_at": now})


def done_at(session: Session, name: str) -> datetime | None:
    """Up to when the work ``name`` was done (see ``note_done``); None when it never was."""
    return session.exec(select(Lease.done_at).where(Lease.name == name)).first()


def note_done(session: Session, name: str, *, at: datetime) -> None:
    """Note that the work ``name`` was done up to an instant; never that it was done less far."""
    behind = or_(col(Lease.done_at).is_(None), col(Lease.done_at) < at)
    session.execute(update(Lease).where(col(Lease.name) == name, behind).values(done_at=at))
    add_once(session, Lease, {"name": name, "holder": "work", "until": at, "done_at": at})


def forget(session: Session, name: str) -> None:
    """Forget that the work ``name`` was ever done."""
    session.execute(delete(Lease).where(col(Lease.name) == name))
