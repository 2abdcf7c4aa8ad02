"""How long bringing members over takes, and how much memory: half of the lines are about members, the other half make new guests.

Upload, dry run, import, export and undo, each of a whole file, on durable PostgreSQL by one process of its own. The largest file is not
undone: that takes as long as the import, line by line in the same way, and was measured on the others.
"""

import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import func
from sqlmodel import select

from bench.children import answer_of
from bench.crowd import add_members
from bench.ground import Ground, open_shop, settle
from bench.report import Budget, Report, growth
from bench.scale import Scale
from loyalty.models import LedgerEntry, Member
from loyalty.runtime import Runtime

_LARGE = 500_000


def measure(ground: Ground, scale: Scale) -> Report:
    """Ever larger files, each in a database of its own."""
    report = Report("member_import", "Members brought over from a file (PostgreSQL, one process)")
    rates, peaks = [], []
    for lines in scale.growth:
        found = imported(ground, lines)
        label = f"{lines:,} lines"
        for part, (seconds, processor) in found["parts"].items():
            report.add(f"{label}: {part}", "s", seconds)
            report.add(f"{label}: {part}, processor time of ours", "ms each", 1_000 * processor / lines)
        rates.append(report.add(f"{label}: import", "lines/s", lines / found["parts"]["import"][0]).middle)
        report.add(f"{label}: peak memory", "MB", found["peak_mb"])
        peaks.append(found["peak_mb"])
    report.budgets.extend(growth(rates, peaks, "line"))
    slowest = max(found["parts"][part][1] for part in ("check", "import"))
    report.budgets.append(
        Budget.at_least(
            "at least 4,000 lines in a second of our processor, checked as well as imported",
            lines / slowest,
            4_000,
            "/s",
        )
    )
    report.notes.append("one round each; half of the lines are about members, half make new guests")
    return report


def imported(ground: Ground, lines: int) -> dict[str, Any]:
    """Seconds and processor seconds of each part, and peak memory, for a file of so many lines."""
    with ground.runtime() as runtime, tempfile.TemporaryDirectory() as directory:
        shop_id = open_shop(runtime)
        add_members(runtime, shop_id, 1, lines // 2)
        path = _file(Path(directory), lines)
        settle(runtime.engine)
        before = _balances(runtime)
        asked = {
            "database_url": runtime.engine.url.render_as_string(hide_password=False),
            "token_key": ground.token_key,
            "shop_id": shop_id,
            "file": str(path),
            "undo": lines < _LARGE,
        }
        found = answer_of("bench.import_process", asked)
        after = _balances(runtime)
    points = 0 if asked["undo"] else sum(number % 900 + 1 for number in range(1, lines + 1))
    entries = 2 * lines if asked["undo"] else lines
    if found["good"] != lines or after != (before[0] + points, before[1] + entries):
        raise RuntimeError(f"{lines} lines made {found['good']} good ones, {after} of {before}")
    return found


def _file(directory: Path, lines: int) -> Path:
    """A file whose lines are about every second shopper twice as far as there are members."""
    path = directory / "members.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("email,points,birthday,points_earned_at\n")
        file.writelines(
            f"Shopper{number}@FernAndFig.shop,{number % 900 + 1},1990-{number % 12 + 1:02}-17,2025-06-{number % 28 + 1:02}\n"
            for number in range(1, lines + 1)
        )
    return path


def _balances(runtime: Runtime) -> tuple[int, int]:
    with runtime.reading() as session:
        points = session.exec(select(func.coalesce(func.sum(Member.balance), 0))).one()
        entries = session.exec(select(func.count()).select_from(LedgerEntry)).one()
    return int(points), int(entries)
