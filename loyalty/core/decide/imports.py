"""Points that a member brings along from elsewhere, and how they are taken back when the import is undone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.core import ledger
from loyalty.core.ledger import Entry, Source
from loyalty.core.moments import add_months, day_of, start_of
from loyalty.core.program import Program
from loyalty.core.standing import Standing

RULE = "import"
BELOW_ZERO = "below_zero"


@dataclass(frozen=True, slots=True)
class Brought:
    """What a line of a file says about points. They are added to what there is, or (unless it ``adds``) they are what there shall be.
    ``earned_at`` and ``expire_at`` are as the file tells them; ``said`` is what else of the line explains the number."""

    source: Source
    points: int
    adds: bool
    earned_at: datetime | None
    expire_at: datetime | None
    said: dict[str, Any]


class ImportRefused(Exception):
    """The line would leave less than nothing. ``code`` says so."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def import_source(batch: str, number: int) -> Source:
    """What the points of a line come from."""
    return Source("import", f"{batch}:{number}")


def decide_import(standing: Standing, told: Brought, program: Program, *, at: datetime) -> Entry | None:
    """The movement that a line asks for, or None. Raises ``ImportRefused`` when it would take the balance below nothing.

    It is silent: whoever moves house is told by the merchant, not by a flow that takes the points for new ones.
    """
    points = told.points if told.adds else told.points - standing.balance
    if points == 0:
        return None
    if points < 0 and standing.balance + points < 0:
        raise ImportRefused(BELOW_ZERO)
    why = {"told": told.points, "mode": "add" if told.adds else "set", **told.said}
    if not told.adds:
        why["balance_before"] = standing.balance
    if told.expire_at is not None:
        why["told_expiry"] = told.expire_at.isoformat()
    return Entry(
        kind=ledger.IMPORT,
        points=points,
        source=told.source,
        rule=RULE,
        sequence=0,
        program_version=program.version,
        reason="Points brought over" if points > 0 else "Points corrected",
        why=why,
        occurred_at=earned_at(told, program, at=at) if points > 0 else at,
    )


def earned_at(told: Brought, program: Program, *, at: datetime) -> datetime:
    """When points were earned: as the file says; else so that they end on the day that it says (where points end by age); else now."""
    if told.earned_at is not None:
        return min(told.earned_at, at)
    if told.expire_at is None or program.expiry is None or program.expiry.kind != "age":
        return at
    day = add_months(day_of(told.expire_at, program.timezone), -program.expiry.months)
    return min(start_of(day, program.timezone), at)


def decide_import_undone(posted: Entry, *, at: datetime) -> Entry:
    """The movement that takes an imported one back, whatever has become of the balance since."""
    return Entry(
        kind=ledger.IMPORT,
        points=-posted.points,
        source=posted.source,
        rule=posted.rule,
        sequence=posted.sequence + 1,
        program_version=posted.program_version,
        reason="Import undone",
        why={"undoes": posted.points},
        occurred_at=at,
    )
