"""How long it takes to bring everybody up to date when a merchant edits the tiers, and how much memory: every member is on some rung of
the old ladder, and the new one moves many of them.

The work of one process on durable PostgreSQL, as the job does it: a run, batch by batch, with its progress.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select

from bench.children import answer_of
from bench.crowd import SPENT, add_members, add_purchases, connect_klaviyo
from bench.ground import Ground, open_shop, settle
from bench.report import Budget, Report, growth
from bench.scale import Scale
from loyalty import programs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.models import Member
from loyalty.runtime import Runtime

_BOUGHT = timedelta(days=-100)
_COLUMNS = {
    "calendar_at": ":bought_at + interval '90 days'",
    "last_activity_at": ":bought_at + interval '60 days'",
    "last_order_at": ":bought_at + interval '60 days'",
    "tier": f"CASE WHEN {SPENT} >= 500 THEN 'gold' WHEN {SPENT} >= 100 THEN 'silver' END",
    "tier_since": f"CASE WHEN {SPENT} >= 100 THEN :bought_at + interval '60 days' END",
    "calendar_due": ":bought_at + interval '400 days'",
}


def measure(ground: Ground, scale: Scale) -> Report:
    """One edit of the tiers for each number of members, each in a database of its own."""
    report = Report(
        "tier_recalculation",
        "Everybody brought up to date after an edit of the tiers (PostgreSQL, one process)",
    )
    rates, peaks = [], []
    for members in scale.growth:
        found = _recalculated(ground, members)
        rates.append(report.add_run(members, "members", "the whole run", found))
        peaks.append(found["peak_mb"])
    report.budgets.append(
        Budget.at_most(f"{members:,} members in ten minutes", found["seconds"] / 60, 10, "minutes")
    )
    report.budgets.extend(growth(rates, peaks, "member"))
    report.notes.append(
        f"one round each; three orders for each member; {found['moved'] / members:.0%} change their tier"
    )
    return report


def _recalculated(ground: Ground, members: int) -> dict[str, Any]:
    with ground.runtime() as runtime:
        now = datetime.now(UTC)
        shop_id = _shop(runtime, now)
        values = {"bought_at": now + _BOUGHT}
        add_members(runtime, shop_id, 1, members, columns=_COLUMNS, values=values)
        add_purchases(runtime, shop_id, 1, members, at=now + _BOUGHT)
        settle(runtime.engine)
        before = _tiers(runtime, shop_id)
        asked = {
            "database_url": runtime.engine.url.render_as_string(hide_password=False),
            "token_key": ground.token_key,
            "shop_id": shop_id,
            "document": _document("200", "400"),
        }
        found = answer_of("bench.recalculation_process", asked)
        _check(members, found, before, _tiers(runtime, shop_id))
    return found


def _shop(runtime: Runtime, now: datetime) -> int:
    shop_id = open_shop(runtime)
    connect_klaviyo(runtime, shop_id)
    with runtime.transaction() as session:
        applied = now - timedelta(days=200)
        programs.apply(session, shop_id, _document("100", "500"), author="bench", now=applied)
    return shop_id


def _document(silver: str, gold: str) -> dict[str, Any]:
    """The usual program, with tiers that begin at these amounts."""
    ladder = [
        {"key": "silver", "title": "Silver", "threshold": silver, "multiplier": "1.5"},
        {"key": "gold", "title": "Gold", "threshold": gold, "multiplier": "2"},
    ]
    tiers = {"window": "rolling", "months": 12, "ladder": ladder}
    return DEFAULT_DOCUMENT | {"expiry": {"kind": "inactivity", "months": 18}, "tiers": tiers}


def _tiers(runtime: Runtime, shop_id: int) -> dict[str | None, int]:
    counted = select(Member.tier, func.count()).where(Member.shop_id == shop_id).group_by(col(Member.tier))
    with runtime.reading() as session:
        return dict(session.exec(counted).all())


def _check(
    members: int, found: dict[str, Any], before: dict[str | None, int], after: dict[str | None, int]
) -> None:
    """Everybody was settled, and by the new ladder fewer are silver than before, and more are gold."""
    moves_right = after["gold"] > before["gold"] and after[None] > before[None]
    if found["done"] != members or sum(after.values()) != members or not moves_right or not found["moved"]:
        raise RuntimeError(f"{found['done']} of {members} were settled: {before} became {after}")
