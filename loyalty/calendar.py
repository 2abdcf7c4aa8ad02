"""What time brings about in a shop, a bounded batch of members at a time; and bringing everybody up to date when the program has changed.

A batch is one transaction of its caller. It takes the members for whom something is due, whoever has waited longest first; doing it twice,
or in two processes at once, does nothing twice. When the program changes what time does, a visible run settles every member under the
version that was in force until then, and reckons anew what lies ahead under the new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from loyalty import programs, referrals, runs
from loyalty.book import Book
from loyalty.book.records import ALIVE
from loyalty.core.decide import decide_tier
from loyalty.core.program import Program, Rule
from loyalty.models import Member, RewardIssue, Run, Shop
from loyalty.points.following import follow
from loyalty.points.settling import settle_accounts
from loyalty.runs import RunView, Step
from loyalty.runtime import Runtime

REFRESH = "program_refresh"
BATCH = 500


@dataclass(frozen=True, slots=True)
class Settled:
    """How many members a batch settled, and the outbox channels that have something to send because of it."""

    count: int
    channels: frozenset[str]


def settle_batch(session: Session, shop: Shop, *, at: datetime, now: datetime, limit: int = BATCH) -> Settled:
    """Settle up to ``limit`` members (and as many referrals whose hold is over) for whom something is due at ``at``. A count below the
    limit means that nobody is left."""
    assert shop.id is not None
    # A referral is judged before time releases what it earned.
    completed, channels = referrals.complete_due(session, shop, settle_accounts, at=at, now=now, most=limit)
    due = (
        select(Member.id)
        .where(Member.shop_id == shop.id, col(Member.calendar_due) <= at)
        .order_by(col(Member.calendar_due), col(Member.id))
        .limit(limit)
    )
    member_ids = [member_id for member_id in session.exec(due).all() if member_id is not None]
    if member_ids:
        channels |= _settle(session, shop, member_ids, at=at, now=now)
    return Settled(max(len(member_ids), completed), channels)


def shops_with_due(session: Session, *, now: datetime) -> list[int]:
    """The shops that have the app and in which something is due for somebody."""
    due = select(Member.id).where(Member.shop_id == Shop.id, col(Member.calendar_due) <= now).exists()
    found = session.exec(select(Shop.id).where(col(Shop.uninstalled_at).is_(None), due))
    with_referrals = referrals.shops_with_due(session, at=now)
    return sorted({shop_id for shop_id in (*found, *with_referrals) if shop_id is not None})


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


def refresh_step(runtime: Runtime, view: RunView) -> Step:
    """Bring some more members up to date. When the program has changed again meanwhile, it begins with the first member anew."""
    now = runtime.clock()
    with runtime.transaction() as session:
        shop = session.get_one(Shop, view.shop_id)
        version = programs.current(session, view.shop_id).version
        goes_on = view.cursor.get("version") == version
        after = int(view.cursor.get("after", 0)) if goes_on else 0
        total = view.total if goes_on else view.done + _alive(session, view.shop_id)
        member_ids = _next_members(session, view.shop_id, after)
        if member_ids:
            _settle(session, shop, member_ids, at=now, now=now, climbs=True)
        cursor = {"version": version, "after": member_ids[-1] if member_ids else after}
        runs.save(session, view.id, cursor=cursor, total=total, done=len(member_ids))
    return Step(finished=len(member_ids) < BATCH)


def _settle(
    session: Session,
    shop: Shop,
    member_ids: Sequence[int],
    *,
    at: datetime,
    now: datetime,
    climbs: bool = False,
) -> frozenset[str]:
    """Settle members. Rewards are locked before members, as everywhere where both are."""
    book = Book(session, shop, now=now)
    _lock_rewards(session, member_ids)
    book.load_members(member_ids)
    accounts = [account for account in book.accounts() if account.id in set(member_ids)]
    settle_accounts(book, accounts, at)
    for account in accounts:
        if account.state not in ALIVE:
            account.calendar_due, account.changed = None, True
        elif climbs:
            # Whoever was settled under the new version already still has the tier that the old one gave.
            follow(book, account, decide_tier(account, book.program, at, history=True))
    return book.write()


def _lock_rewards(session: Session, member_ids: Sequence[int]) -> None:
    session.exec(
        select(RewardIssue.id)
        .where(
            col(RewardIssue.member_id).in_(member_ids),
            RewardIssue.state == "issued",
            col(RewardIssue.expires_at).is_not(None),
        )
        .order_by(col(RewardIssue.id))
        .with_for_update()
    ).all()


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
    yearly: tuple[Rule | None, ...] = (program.action("birthday"), program.action("anniversary"))
    return (
        program.timezone,
        program.guests,
        program.tiers,
        program.expiry,
        program.balance_reminder,
        program.reward_reminder_days,
        tuple(rule is not None for rule in yearly),
    )
