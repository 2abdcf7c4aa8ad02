"""The whole report of what a shop owes in points: periods, what it is worth, and how much of it nobody will ever spend."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlmodel import Session

from loyalty import programs
from loyalty.core.breakage import Breakage, Evidence, evidence
from loyalty.core.worth import PointWorth, point_worth
from loyalty.liability.movements import COLUMNS, Line, lines, owed_now, pending_now
from loyalty.liability.periods import periods
from loyalty.liability.sample import MOST_MEMBERS, gather
from loyalty.models import Shop
from loyalty.statement.formats import Formats


@dataclass(frozen=True, slots=True)
class Expected:
    """How many of the outstanding points will come to nothing, and what these are worth."""

    points: int
    worth: Decimal | None


@dataclass(frozen=True, slots=True)
class Liability:
    """See the module. ``worth`` is None where no reward says what a point is worth; ``breakage`` is None without enough history, of which
    ``evidence`` says how much there is. ``outstanding`` and ``pending`` are those of now, whatever the periods are."""

    unit: str
    lines: tuple[Line, ...]
    outstanding: int
    pending: int
    worth: PointWorth | None
    breakage: Breakage | None
    evidence: Evidence
    at: datetime

    def money(self, points: int) -> Decimal | None:
        """What so many points are worth; a debt of members is worth nothing less than it is."""
        return None if self.worth is None else self.worth.of(points)

    def expected(self, share: Fraction) -> Expected:
        """A share of the outstanding points."""
        points = int(max(0, self.outstanding) * share)
        return Expected(points, self.money(points))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        worth, found = self.worth, self.evidence
        shares = None
        if self.breakage is not None:
            shares = {}
            for name in ("low", "base", "high"):
                share = getattr(self.breakage, name)
                expected = self.expected(share)
                shares[name] = {
                    "share": f"{float(share):.4f}",
                    "points": expected.points,
                    "worth": expected.worth,
                }
        return {
            "unit": self.unit,
            "at": self.at.isoformat(),
            "outstanding": self.outstanding,
            "outstanding_worth": self.money(self.outstanding),
            "pending": self.pending,
            "point_worth": None if worth is None else f"{float(worth.money):.6f}".rstrip("0").rstrip("."),
            "point_worth_from": None if worth is None else worth.reward or "program",
            "breakage": shares,
            "breakage_evidence": {
                "members": found.members,
                "members_with_mature_points": found.mature_members,
                "mature_points": found.given,
                "mature_after_months": found.mature_months,
            },
            "lines": [self.row(line) for line in self.lines],
        }

    def row(self, line: Line) -> dict[str, Any]:
        """One period as plain values."""
        return {
            self.unit: line.period.first.isoformat() if self.unit == "day" else f"{line.period.first:%Y-%m}",
            **line.moved,
            "released": line.released,
            "change": line.change,
            "outstanding": line.outstanding,
            "outstanding_worth": self.money(line.outstanding),
            "pending": line.pending,
        }


def liability(
    session: Session,
    shop: Shop,
    *,
    first: date,
    last: date,
    unit: str,
    now: datetime,
    members: int = MOST_MEMBERS,
) -> Liability:
    """The report of the days or months from ``first`` to ``last``; the judgement of breakage looks at up to ``members`` of them. Raises
    ``periods.TooLong`` and ``NoProgram``."""
    assert shop.id is not None
    program = programs.current(session, shop.id)
    formats = Formats(shop.currency, shop.timezone)
    found = gather(session, shop.id, program, now=now, most=members) if members else evidence(program, now)
    return Liability(
        unit=unit,
        lines=lines(session, shop.id, periods(first, last, unit, formats), now=now),
        outstanding=owed_now(session, shop.id),
        pending=pending_now(session, shop.id),
        worth=point_worth(program),
        breakage=found.estimate(),
        evidence=found,
        at=now,
    )


def csv_lines(report: Liability) -> Iterator[str]:
    """The periods as CSV, with a head."""
    head = [report.unit, *COLUMNS, "released", "change", "outstanding", "outstanding_worth", "pending"]
    for row in (dict(zip(head, head, strict=True)), *map(report.row, report.lines)):
        text = io.StringIO()
        csv.DictWriter(text, head, lineterminator="\n").writerow(row)
        yield text.getvalue()
