"""How long bringing members over takes, and how much memory: half of the lines are about members, the other half make new guests.

Upload, dry run, import, export and undo, each of a whole file, on durable PostgreSQL by one process of its own.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import func
from sqlmodel import select

from bench.children import ROOT
from bench.crowd import add_members
from bench.ground import Ground, open_shop, settle
from bench.report import Budget, Report
from bench.scale import Scale
from loyalty.models import LedgerEntry, Member
from loyalty.runtime import Runtime

_PARTS = ("upload", "check", "import", "export", "undo")


def measure(ground: Ground, scale: Scale) -> Report:
    """A small file and a large one, each in a database of its own."""
    report = Report("member_import", "Members brought over from a file (PostgreSQL, one process)")
    spent: dict[int, float] = {}
    for lines in (scale.members_few, scale.members_many):
        found = imported(ground, lines)
        label = f"{lines:,} lines"
        for part in _PARTS:
            report.add(f"{label}: {part}", "s", found[part])
        report.add(f"{label}: import", "lines/s", lines / found["import"])
        report.add(f"{label}: peak memory", "MB", found["peak_mb"])
        spent[lines] = found["import"] / lines
    growth = spent[scale.members_many] / spent[scale.members_few]
    report.budgets.append(
        Budget.at_most("no more than 1.5 x the time per line of a large file", growth, 1.5, "x")
    )
    report.budgets.append(
        Budget.at_most("less than 300 MB, however large the file", found["peak_mb"], 300, "MB")
    )
    report.notes.append("one round each; half of the lines are about members, half make new guests")
    return report


def imported(ground: Ground, lines: int) -> dict[str, Any]:
    """Seconds of each part and peak memory, for a file of so many lines."""
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
        }
        done = subprocess.run(
            [sys.executable, "-m", "bench.import_process"],
            input=json.dumps(asked),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        after = _balances(runtime)
    if found["good"] != lines or after[0] != before[0] or after[1] != before[1] + 2 * lines:
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
