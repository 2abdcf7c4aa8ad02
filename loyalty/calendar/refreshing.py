"""Brings every member up to date when a new version of the program changes what time does, as a run that can be watched.

It settles everybody under the version that was in force until then, and reckons anew what lies ahead under the new one.
"""

from datetime import datetime

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from loyalty import programs, runs
from loyalty.book.records import ALIVE
from loyalty.calendar.batches import BATCH
from loyalty.calendar.running import settle_carefully
from loyalty.core.program import Program
from loyalty.models import Member, Run, Shop
from loyalty.runs import RunView, Step
from loyalty.runtime import Runtime

REFRESH = "program_refresh"


def needs_refresh(old: Program, new: Program) -> bool:
    """Whether another version changes what time does to members: then all of them have to be brought up to date."""
    return _about_time(old) != _about_time(new)


def program_applied(session: Session, shop_id: int, program: Program, *, now: datetime) -> Run | None:
    """What follows from a new version: a run that brings every member up to date, if it changes what time does."""
    if program.version == 1:
        return None  # nobody was settled under another one
    before = programs.at_version(session, shop_id, program.version - 1)
    return start_refresh(session, shop_id, now=now) if needs_refresh(before, program) else None


def start_refresh(session: Session, shop_id: int, *, now: datetime) -> Run:
    """Begin to bring every member up to date. A run that is under way already turns to the newest version by itself."""
    return runs.start(session, shop_id, REFRESH, {}, now=now)


def resume(session: Session, shop_id: int, *, now: datetime) -> Run:
    """Begin anew after a time in which the app was not there. Nothing is made up for: what would have ended meanwhile is announced first, as
    nobody could be warned of it."""
    away = update(Member).where(col(Member.shop_id) == shop_id, col(Member.calendar_due) <= now)
    session.execute(
        away.values(calendar_at=now, calendar_due=now), execution_options={"synchronize_session": False}
    )
    return start_refresh(session, shop_id, now=now)


def refresh_step(runtime: Runtime, view: RunView) -> Step:
    """Bring some more members up to date. When the program has changed again meanwhile, it begins with the first member anew.

    A step that is killed between a batch and its progress does the batch again, which changes nothing.
    """
    with runtime.reading() as session:
        version = programs.current(session, view.shop_id).version
        goes_on = view.cursor.get("version") == version
        after = int(view.cursor.get("after", 0)) if goes_on else 0
        total = view.total if goes_on else view.done + view.failed + _alive(session, view.shop_id)
        member_ids = _next_members(session, view.shop_id, after)
    troubled: tuple[int, ...] = ()
    if member_ids:
        _, troubled = settle_carefully(runtime, view.shop_id, member_ids, at=runtime.clock(), climbs=True)
    cursor = {"version": version, "after": member_ids[-1] if member_ids else after}
    done = len(member_ids) - len(troubled)
    with runtime.transaction() as session:
        is_over = len(member_ids) < BATCH and _is_newest(session, view.shop_id, version)
        runs.save(session, view.id, cursor=cursor, total=total, done=done, failed=len(troubled))
        items = [(str(member_id), member_id, "failed", "could_not_be_settled") for member_id in troubled]
        runs.note(session, view.id, [*items])
        if is_over:
            runs.finish(session, view.id, now=runtime.clock())
    return Step(finished=is_over)


def _is_newest(session: Session, shop_id: int, version: int) -> bool:
    """Whether a version is in force and stays so until this transaction ends: whoever begins another one waits for the shop's row, and
    then finds either this run still open or its end."""
    session.exec(select(Shop.id).where(Shop.id == shop_id).with_for_update()).one()
    return programs.current(session, shop_id).version == version


def _next_members(session: Session, shop_id: int, after: int) -> list[int]:
    alive = (
        select(Member.id)
        .where(Member.shop_id == shop_id, col(Member.id) > after, col(Member.state).in_(ALIVE))
        .order_by(col(Member.id))
        .limit(BATCH)
    )
    return [member_id for member_id in session.exec(alive).all() if member_id is not None]


def _alive(session: Session, shop_id: int) -> int:
    return session.exec(
        select(func.count())
        .select_from(Member)
        .where(Member.shop_id == shop_id, col(Member.state).in_(ALIVE))
    ).one()


def _about_time(program: Program) -> tuple[object, ...]:
    """What of a program the calendar goes by."""
    yearly = (program.actions("birthday"), program.actions("anniversary"))
    return (
        program.timezone,
        program.guests,
        program.tiers,
        program.expiry,
        program.balance_reminder,
        program.reward_reminder_days,
        tuple(bool(rules) for rules in yearly),
    )
