"""The figures of the home page and how far a shop has come with its set-up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Integer, Select, func, literal, select, text, union_all
from sqlmodel import Session, col

from loyalty import programs
from loyalty.core import ledger
from loyalty.core.program import Program
from loyalty.core.worth import point_worth
from loyalty.models import KlaviyoConnection, LedgerEntry, Member, OrderStanding, ProgramVersion, Run
from loyalty.models.columns import UtcDateTime
from loyalty.statement.formats import Formats

DAYS = 30
_GONE = ("merged", "deleted", "redacted")


@dataclass(frozen=True, slots=True)
class Day:
    """The points of one day in the shop's calendar: earned, taken back after a refund, and spent on rewards."""

    day: date
    earned: int = 0
    taken_back: int = 0
    spent: int = 0
    rewards: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What the home page shows of a program. ``worth`` is that of the outstanding points in money."""

    members: int
    outstanding: int
    worth: Decimal | None
    days: tuple[Day, ...]
    read_at: datetime

    @property
    def earned(self) -> int:
        return sum(day.earned for day in self.days)

    @property
    def taken_back(self) -> int:
        return sum(day.taken_back for day in self.days)

    @property
    def spent(self) -> int:
        return sum(day.spent for day in self.days)

    @property
    def rewards(self) -> int:
        return sum(day.rewards for day in self.days)


@dataclass(frozen=True, slots=True)
class Setup:
    """Which steps of the set-up are done, as far as our own tables know (the theme's part is known to the browser alone)."""

    program_saved: bool
    klaviyo_connected: bool
    customers_imported: bool
    customers_synced: bool
    points_earned: bool

    @property
    def done(self) -> int:
        """How many of the steps are done."""
        steps = (self.program_saved, self.klaviyo_connected, self.customers_imported, self.customers_synced)
        return sum((*steps, self.points_earned))


def figures(session: Session, shop_id: int, formats: Formats, *, now: datetime) -> Figures:
    """The figures at ``now``. The cost grows with the members and with the month's movements: see ``FreshEnough`` of the page."""
    members, outstanding = session.execute(
        select(func.count(), func.coalesce(func.sum(Member.balance), 0)).where(
            col(Member.shop_id) == shop_id, col(Member.state).not_in(_GONE)
        )
    ).one()
    points = int(outstanding)
    return Figures(
        members=members,
        outstanding=points,
        worth=points_worth(points, _current(session, shop_id)),
        days=_days(session, shop_id, formats, now=now),
        read_at=now,
    )


def points_worth(points: int, program: Program | None) -> Decimal | None:
    """What ``points`` are worth, as the report of the liability has it; a debt is worth nothing. None where nothing says what a point is worth."""
    worth = point_worth(program) if program is not None else None
    return None if worth is None else worth.of(max(0, points))


def unreadable_orders(session: Session, shop_id: int) -> int:
    """How many orders were believed as they were told, because Shopify does not show them."""
    # Written out, not bound: only so does a database see that its index of them will do.
    mine = (col(OrderStanding.shop_id) == shop_id, text("unreadable"))
    return session.scalar(select(func.count()).select_from(OrderStanding).where(*mine)) or 0


def setup(session: Session, shop_id: int, *, installer: str) -> Setup:
    """The state of the set-up. The program counts as saved once somebody other than ``installer`` saved a version."""
    saved = select(col(ProgramVersion.id)).where(
        col(ProgramVersion.shop_id) == shop_id, col(ProgramVersion.author) != installer
    )
    linked = select(col(KlaviyoConnection.id)).where(
        col(KlaviyoConnection.shop_id) == shop_id, col(KlaviyoConnection.state) == "connected"
    )
    earned = select(col(LedgerEntry.id)).where(
        col(LedgerEntry.shop_id) == shop_id, col(LedgerEntry.kind) == ledger.EARN
    )
    finished = select(col(Run.kind)).where(col(Run.shop_id) == shop_id, col(Run.state) == "done").distinct()
    kinds = set(session.scalars(finished))
    return Setup(
        program_saved=session.scalar(saved.limit(1)) is not None,
        klaviyo_connected=session.scalar(linked.limit(1)) is not None,
        customers_imported="customer_import" in kinds,
        customers_synced="klaviyo_sync" in kinds,
        points_earned=session.scalar(earned.limit(1)) is not None,
    )


def _current(session: Session, shop_id: int) -> Program | None:
    try:
        return programs.current(session, shop_id)
    except programs.NoProgram:
        return None


def _days(session: Session, shop_id: int, formats: Formats, *, now: datetime) -> tuple[Day, ...]:
    today = formats.today(now)
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    found: dict[int, dict[str, tuple[int, int]]] = {}
    for place, kind, points, count in session.execute(_by_day(shop_id, days, formats)):
        found.setdefault(place, {})[kind] = (int(points), count)
    return tuple(_day(day, found.get(place, {})) for place, day in enumerate(days))


def _by_day(shop_id: int, days: Sequence[date], formats: Formats) -> Select[tuple[int, str, int, int]]:
    # The days are joined as a table of instants: only so are they days of the shop's calendar on every database.
    instants = [
        select(
            literal(place, Integer).label("place"),
            literal(formats.start_of_day(day), UtcDateTime).label("starts"),
            literal(formats.start_of_day(day + timedelta(days=1)), UtcDateTime).label("ends"),
        )
        for place, day in enumerate(days)
    ]
    calendar = union_all(*instants).subquery("calendar")
    at, kind = col(LedgerEntry.occurred_at), col(LedgerEntry.kind)
    return (
        select(calendar.c.place, kind, func.sum(LedgerEntry.points), func.count())
        .join(LedgerEntry, (at >= calendar.c.starts) & (at < calendar.c.ends))
        .where(col(LedgerEntry.shop_id) == shop_id)
        .group_by(calendar.c.place, kind)
    )


def _day(day: date, kinds: dict[str, tuple[int, int]]) -> Day:
    nothing = (0, 0)
    redeemed, returned = kinds.get(ledger.REDEEM, nothing), kinds.get(ledger.RETURN, nothing)
    return Day(
        day=day,
        earned=kinds.get(ledger.EARN, nothing)[0],
        taken_back=-kinds.get(ledger.REVERSE, nothing)[0],
        spent=-(redeemed[0] + returned[0]),
        rewards=redeemed[1] - returned[1],
    )
