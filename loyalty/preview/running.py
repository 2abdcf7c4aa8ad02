"""The comparison as a long job: it goes on where it was killed, and keeps what it found in its cursor. Numbers and ids only: names are read
when somebody looks."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from loyalty import programs, runs
from loyalty.book.records import ALIVE
from loyalty.core.document import ProgramInvalid, plain
from loyalty.models import Member, Run, Shop
from loyalty.preview.comparing import BATCH, Plan, add_next
from loyalty.preview.report import report
from loyalty.preview.totals import Totals
from loyalty.runs import RunView, Step
from loyalty.runtime import Runtime
from loyalty.statement.members import names_of

KIND = "program_preview"
STEP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What to compare: a document, since when it would be in force (None: always), beside which version, and up to which moment."""

    document: dict[str, Any]
    begins: datetime | None
    version: int
    until: datetime

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a run's parameters."""
        return {
            "document": self.document,
            "begins": self.begins.isoformat() if self.begins else None,
            "version": self.version,
            "until": self.until.isoformat(),
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Asked":
        """What a run was asked."""
        begins = value["begins"]
        return Asked(
            value["document"],
            datetime.fromisoformat(begins) if begins else None,
            value["version"],
            datetime.fromisoformat(value["until"]),
        )


def ask(
    session: Session, shop: Shop, document: dict[str, Any], *, begins: datetime | None, now: datetime
) -> Asked:
    """What would be compared now. Raises ``ProgramInvalid`` and ``NoProgram``."""
    assert shop.id is not None
    programs.draft(session, shop.id, document)
    return Asked(plain(document), begins, programs.current(session, shop.id).version, now)


def start(session: Session, shop: Shop, asked: Asked, *, now: datetime) -> Run:
    """Begin the job, or give the one that is under way already."""
    assert shop.id is not None
    return runs.start(session, shop.id, KIND, asked.to_json(), now=now)


def plan(session: Session, shop_id: int, asked: Asked) -> Plan:
    """The two programs and the history between them."""
    return Plan(
        shop_id=shop_id,
        earning_since=session.get_one(Shop, shop_id).first_installed_at,
        in_force=programs.at_version(session, shop_id, asked.version),
        changed=programs.draft(session, shop_id, asked.document),
        begins=asked.begins,
        until=asked.until,
    )


def step(runtime: Runtime, view: RunView) -> Step:
    """Compare some more members."""
    totals = Totals.from_json(view.cursor["totals"]) if "totals" in view.cursor else Totals()
    after, before = int(view.cursor.get("after", 0)), totals.members
    stop_at = time.monotonic() + STEP_SECONDS
    with runtime.reading() as session:
        compared = plan(session, view.shop_id, Asked.from_json(view.params))
        total = view.total if view.total is not None else _members(session, view.shop_id)
    while True:
        with runtime.reading() as session:
            last = add_next(session, compared, totals, after=after, limit=BATCH)
        after = last or after
        if last is None or time.monotonic() >= stop_at:
            break
    with runtime.transaction() as session:
        cursor = {"after": after, "totals": totals.to_json()}
        runs.save(session, view.id, cursor=cursor, total=total, done=totals.members - before)
    return Step(finished=last is None)


def compare(runtime: Runtime, shop_id: int, asked: Asked) -> dict[str, Any]:
    """The whole comparison at once, for whoever can wait."""
    totals, after = Totals(), 0
    with runtime.reading() as session:
        compared = plan(session, shop_id, asked)
        # One reading: every number is of the same moment.
        while (last := add_next(session, compared, totals, after=after, limit=BATCH)) is not None:
            after = last
        return _report(session, compared, totals)


def result(session: Session, run: Run) -> dict[str, Any] | None:
    """What a job that is done has found; None for any other, and for one whose document no later version of ours understands, or whose
    version of the program is gone."""
    if run.kind != KIND or run.state != "done":
        return None
    try:
        compared = plan(session, run.shop_id, Asked.from_json(run.params))
    except (ProgramInvalid, programs.NoProgram):
        return None
    return _report(session, compared, Totals.from_json(run.cursor["totals"]))


def latest(session: Session, shop_id: int) -> Run | None:
    """The shop's last preview, whatever became of it."""
    found = select(Run).where(col(Run.shop_id) == shop_id, col(Run.kind) == KIND)
    return session.scalars(found.order_by(col(Run.id).desc()).limit(1)).first()


def _report(session: Session, compared: Plan, totals: Totals) -> dict[str, Any]:
    names = names_of(session, {one.member_id for one in totals.affected})
    return report(
        totals,
        compared.in_force,
        compared.changed,
        begins=compared.begins,
        until=compared.until,
        names={member_id: row.title for member_id, row in names.items()},
    )


def _members(session: Session, shop_id: int) -> int:
    counted = select(func.count()).where(col(Member.shop_id) == shop_id, col(Member.state).in_(ALIVE))
    return int(session.execute(counted).scalar_one())
