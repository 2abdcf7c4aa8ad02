"""How long a night of the calendar takes: one member in fifty has a birthday, and everybody has tiers and points that end one day.

The work of one process on durable PostgreSQL: points given, entries chained, tiers and dates reckoned anew, news and balances put in the outbox.
"""

import resource
import time
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, text
from sqlmodel import select

from bench.crowd import add_members, connect_klaviyo
from bench.ground import Ground, open_shop, settle
from bench.report import Budget, Report
from bench.scale import Scale
from loyalty import calendar, programs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.moments import start_of
from loyalty.models import LedgerEntry, OutboxMessage, Shop
from loyalty.runtime import Runtime

_SHARE = 50
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
# Each member has bought three times, and is on some rung of the ladder. The n-th night is the birthday of every fiftieth member.
_ORDERS = """
INSERT INTO order_standing (shop_id, order_id, member_id, name, snapshot, snapshot_at, authoritative, program_version,
    placed_at, counted, updated_at)
SELECT :shop_id, member.id * 10 + n, member.id, '#' || n, '{}', :at, true, 2,
    :at + n * interval '20 days', ((member.id * 7 + n * 31) % 300)::text, :at
FROM member CROSS JOIN generate_series(1, 3) AS n WHERE member.shop_id = :shop_id AND member.id > :after
"""
_AWARDS = """
INSERT INTO award (shop_id, member_id, source_kind, source_ref, rule, way, title, worth, posted, postings, slot,
    program_version, why, occurred_at, updated_at)
SELECT :shop_id, member_id, 'order', order_id::text, 'order', 'order', 'Place an order', 100, 100, 1, '', 2, '{}', placed_at, :at
FROM order_standing WHERE shop_id = :shop_id AND member_id > :after
"""
_CALENDAR = """
UPDATE member SET calendar_at = :at + interval '100 days', last_activity_at = :at + interval '60 days', last_order_at = :at + interval '60 days',
    tier = (SELECT CASE WHEN sum(counted::numeric) >= 500 THEN 'gold' WHEN sum(counted::numeric) >= 100 THEN 'silver' END
            FROM order_standing WHERE member_id = member.id),
    birthday_month = extract(month FROM CAST(:first AS date) + (member.id % :share)::int),
    birthday_day = extract(day FROM CAST(:first AS date) + (member.id % :share)::int),
    birthday_told_at = :at,
    calendar_due = (CAST(:first AS date) + (member.id % :share)::int)::timestamp AT TIME ZONE 'Europe/Madrid'
WHERE shop_id = :shop_id AND id > :after
"""


def measure(ground: Ground, scale: Scale) -> Report:
    """Nights with few and with many members, on the same database."""
    report = Report("calendar", "A night of the calendar, one member in fifty due (PostgreSQL, one process)")
    with ground.runtime() as runtime:
        shop_id = _shop(runtime)
        nights = 0
        rates = []
        for present, wanted in ((0, scale.members_few), (scale.members_few, scale.members_many)):
            _people(runtime, shop_id, present, wanted)
            rounds = [_night(runtime, shop_id, nights + number) for number in range(scale.rounds + 1)]
            nights += scale.rounds + 1
            rounds = rounds[1:]  # the first one only warms up
            label = f"{wanted:,} members"
            rates.append(
                report.add(f"due members a second, of {label}", "/s", *(due / took for due, took in rounds))
            )
            report.add(f"a whole night, of {label}", "s", *(took for _, took in rounds))
    few, many = rates
    report.budgets.append(
        Budget.at_most("no more than 1.5 x the time per member with many", few.middle / many.middle, 1.5, "x")
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.notes.append(f"peak memory of the process: {peak:.0f} MB; batches of {calendar.BATCH} members")
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
    add_members(runtime, shop_id, present + 1, wanted)
    values = {"shop_id": shop_id, "at": _noon(-200), "first": _FIRST_NIGHT, "share": _SHARE, "after": present}
    with runtime.transaction() as session:
        for statement in (_ORDERS, _AWARDS, _CALENDAR):
            named = {name: value for name, value in values.items() if f":{name}" in statement}
            session.execute(text(statement), named)
    settle(runtime.engine)


def _night(runtime: Runtime, shop_id: int, number: int) -> tuple[int, float]:
    """Settle one night; how many were due, and the seconds that it took."""
    at = start_of(_FIRST_NIGHT + timedelta(days=number), _ZONE)
    before = _counts(runtime, shop_id)
    settled, begun = 0, time.perf_counter()
    while True:
        with runtime.transaction() as session:
            batch = calendar.settle_batch(session, session.get_one(Shop, shop_id), at=at, now=at)
        settled += batch.count
        if batch.count < calendar.BATCH:
            break
    took = time.perf_counter() - begun
    entries, messages = (now - then for now, then in zip(_counts(runtime, shop_id), before, strict=True))
    if entries != settled or messages != 2 * settled or not settled:
        raise RuntimeError(f"{settled} birthdays made {entries} entries and {messages} messages")
    return settled, took


def _counts(runtime: Runtime, shop_id: int) -> tuple[int, int]:
    with runtime.reading() as session:
        entries = session.exec(select(func.count()).where(LedgerEntry.shop_id == shop_id)).one()
        messages = session.exec(select(func.count()).where(OutboxMessage.shop_id == shop_id)).one()
    return entries, messages


def _noon(days: int) -> datetime:
    return start_of(_FIRST_NIGHT, _ZONE, hour=12) + timedelta(days=days)
