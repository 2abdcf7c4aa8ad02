"""How long a night of the calendar takes: one member in fifty has a birthday, and everybody has tiers and points that end one day.

The work of one process on durable PostgreSQL: points given, entries chained, tiers and dates reckoned anew, news and balances put in the outbox.
Whoever has nothing to celebrate is not written at all.
"""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func
from sqlmodel import select

from bench.children import answer_of
from bench.crowd import SPENT, add_members, add_purchases, connect_klaviyo
from bench.ground import Ground, open_shop, settle
from bench.report import Budget, Report, growth
from bench.scale import Scale
from loyalty import calendar, programs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.moments import start_of
from loyalty.models import LedgerEntry, Member, OutboxMessage
from loyalty.runtime import Runtime

_SHARE = 50
_LARGE = 500_000
_ZONE = ZoneInfo("Europe/Madrid")
_FIRST_NIGHT = date(2027, 3, 2)
_PROGRAM: dict[str, Any] = {
    "timezone": "Europe/Madrid",
    "expiry": {"kind": "inactivity", "months": 18},
    "tiers": {
        "window": "rolling",
        "months": 12,
        "ladder": [
            {"key": "silver", "title": "Silver", "threshold": "100", "multiplier": "1.5"},
            {"key": "gold", "title": "Gold", "threshold": "500", "multiplier": "2"},
        ],
    },
}
# Each member is on some rung of the ladder. The n-th night is the birthday of every fiftieth member.
_BIRTHDAY = "(CAST(:first AS date) + (n % :share)::int)"
_COLUMNS = {
    "calendar_at": ":bought_at + interval '100 days'",
    "last_activity_at": ":bought_at + interval '60 days'",
    "last_order_at": ":bought_at + interval '60 days'",
    "tier": f"CASE WHEN {SPENT} >= 500 THEN 'gold' WHEN {SPENT} >= 100 THEN 'silver' END",
    "birthday_month": f"extract(month FROM {_BIRTHDAY})",
    "birthday_day": f"extract(day FROM {_BIRTHDAY})",
    "birthday_told_at": ":bought_at",
    "calendar_due": f"{_BIRTHDAY}::timestamp AT TIME ZONE 'Europe/Madrid'",
}


def measure(ground: Ground, scale: Scale) -> Report:
    """Nights with ever more members, on the same database."""
    report = Report("calendar", "A night of the calendar, one member in fifty due (PostgreSQL, one process)")
    rates, peaks = [], []
    with ground.runtime() as runtime:
        shop_id = _shop(runtime)
        present = nights = 0
        for members in scale.growth:
            _people(runtime, shop_id, present, members)
            rounds = min(scale.rounds, 2) if members >= _LARGE else scale.rounds
            found = _nights(ground, runtime, shop_id, nights, rounds)
            present, nights = members, nights + rounds + 1
            label = f"{members:,} members"
            rates.append(report.add(f"{label}: due members a second", "/s", *found["rates"]).middle)
            report.add(f"{label}: the whole night", "s", *found["seconds"])
            report.add(f"{label}: processor time of ours", "ms each", *found["processor_ms"])
            report.add(f"{label}: peak memory", "MB", found["peak_mb"])
            peaks.append(found["peak_mb"])
    slowest = max(found["seconds"])
    report.budgets.append(Budget.at_most(f"a night of {label} in two minutes", slowest, 120, "s"))
    report.budgets.extend(growth(rates, peaks, "due member"))
    report.notes.append(f"batches of {calendar.BATCH} members; members who are not due: none was written")
    return report


def _shop(runtime: Runtime) -> int:
    shop_id = open_shop(runtime)
    connect_klaviyo(runtime, shop_id)
    birthday = {"title": "Birthday", "points": 25}
    document = DEFAULT_DOCUMENT | _PROGRAM | {"earn": DEFAULT_DOCUMENT["earn"] | {"birthday": birthday}}
    with runtime.transaction() as session:
        programs.apply(session, shop_id, document, author="bench", now=_noon(-400))
    return shop_id


def _people(runtime: Runtime, shop_id: int, present: int, wanted: int) -> None:
    values = {"bought_at": _noon(-200), "first": _FIRST_NIGHT, "share": _SHARE}
    add_members(runtime, shop_id, present + 1, wanted, columns=_COLUMNS, values=values)
    add_purchases(runtime, shop_id, present + 1, wanted, at=_noon(-200))
    settle(runtime.engine)


def _nights(ground: Ground, runtime: Runtime, shop_id: int, first: int, rounds: int) -> dict[str, Any]:
    """Settle nights in a process of their own. The first one only warms up."""
    moments = [start_of(_FIRST_NIGHT + timedelta(days=first + number), _ZONE) for number in range(rounds + 1)]
    before = _counts(runtime, shop_id)
    asked = {
        "database_url": runtime.engine.url.render_as_string(hide_password=False),
        "token_key": ground.token_key,
        "shop_id": shop_id,
        "nights": [moment.isoformat() for moment in moments],
    }
    found = answer_of("bench.calendar_process", asked)
    settled = sum(night["settled"] for night in found["nights"])
    entries, messages = (now - then for now, then in zip(_counts(runtime, shop_id), before, strict=True))
    written = _written(runtime, shop_id, moments)
    if not settled or (entries, messages, written) != (settled, 2 * settled, settled):
        raise RuntimeError(
            f"{settled} birthdays made {entries} entries and {messages} messages, and wrote {written} members"
        )
    counted = found["nights"][1:]
    return {
        "rates": [night["settled"] / night["seconds"] for night in counted],
        "seconds": [night["seconds"] for night in counted],
        "processor_ms": [night["processor_seconds"] / night["settled"] * 1000 for night in counted],
        "peak_mb": found["peak_mb"],
    }


def _counts(runtime: Runtime, shop_id: int) -> tuple[int, int]:
    with runtime.reading() as session:
        entries = session.exec(select(func.count()).where(LedgerEntry.shop_id == shop_id)).one()
        messages = session.exec(select(func.count()).where(OutboxMessage.shop_id == shop_id)).one()
    return entries, messages


def _written(runtime: Runtime, shop_id: int, moments: list[datetime]) -> int:
    """How many members were last written in one of these nights."""
    written = select(func.count()).where(Member.shop_id == shop_id, Member.updated_at >= moments[0])
    with runtime.reading() as session:
        return session.exec(written).one()


def _noon(days: int) -> datetime:
    return start_of(_FIRST_NIGHT, _ZONE, hour=12) + timedelta(days=days)
