"""Writes every profile anew by itself: once a month, which sets right what somebody changed in Klaviyo by hand or an import overwrote; when
a link that the merchant had ended is made again; and when another version of the program calls tiers something else, sends links to friends or
lives in another time zone. What changes of a member by a version, a date or a tier, is written by itself (``loyalty.silent``).
"""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from klaviyo_oauth import connections, sync
from klaviyo_oauth.review_facts import moment
from loyalty import calendar, programs
from loyalty.core.program import Program
from loyalty.models import KlaviyoConnection, Run
from loyalty.runs import OPEN
from loyalty.runtime import Runtime

EVERY = timedelta(days=30)


def resync_if_due(runtime: Runtime, shop_id: int) -> bool:
    """Begin a sync when one is due. A shop that never synced is left alone: the first sync is the merchant's to start."""
    now = runtime.clock()
    with runtime.transaction() as session:
        row = connections.load(session, shop_id)
        if row is None or row.state != connections.CONNECTED or not _is_due(session, row, now):
            return False
        run_id = sync.start_sync(session, shop_id, now=now).id
    assert run_id is not None
    runtime.nudge("advance_run", run_id)
    return True


def _is_due(session: Session, row: KlaviyoConnection, now: datetime) -> bool:
    last = moment(row.details.get("synced_at"))
    if last is None:
        return False
    missed_news = row.details.get("missed_news") is True
    return missed_news or now - last >= EVERY or _shows_otherwise(session, row)


def _shows_otherwise(session: Session, row: KlaviyoConnection) -> bool:
    """Whether the profiles were written by a version of the program that says other things of members. While members are still being
    brought up to date it is too early: the sync would show them as they were."""
    version = row.details.get("synced_program")
    if not isinstance(version, int):
        return False
    try:
        present = programs.current(session, row.shop_id)
        if present.version == version or _shown(present) == _shown(
            programs.at_version(session, row.shop_id, version)
        ):
            return False
    except programs.NoProgram:
        return False
    refreshing = select(Run.id).where(
        Run.shop_id == row.shop_id, Run.kind == calendar.REFRESH, col(Run.state).in_(OPEN)
    )
    return session.exec(refreshing).first() is None


def _shown(program: Program) -> tuple[object, ...]:
    """What of a program is on its members' profiles and in none of their rows."""
    titles = {tier.key: tier.title for tier in program.tiers.ladder} if program.tiers else {}
    return program.timezone, titles, program.referrals is None
