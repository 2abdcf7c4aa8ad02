"""Counts which rows of docs/acceptance.md are proved: ``make acceptance`` prints one line per source document, ``S4 12/46``.

A row is met when tests carry its id and every one of them passed, or when it is marked "not applicable" with a written reason.
A row that is met by nothing is not met; an id that no row has is an error, so a typing slip cannot hide.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROWS = Path(__file__).resolve().parent.parent / "docs" / "acceptance.md"
_ROW = re.compile(r"^\|\s*([A-Z]\d*-\d+[a-z]?)\s*\|(.*)\|\s*$")
_NOT_APPLICABLE = re.compile(r"not applicable\s*:\s*\S", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that the product must do."""

    id: str
    excused: bool

    @property
    def document(self) -> str:
        """The source document that asks for it."""
        return self.id.partition("-")[0]


@dataclass(slots=True)
class Tally:
    """Outcomes by row id, gathered from the tests' reports."""

    passed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    other: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, ids: list[str], *, passed: bool) -> None:
        """Note one test's outcome for the rows it carries."""
        for row_id in ids:
            (self.passed if passed else self.other)[row_id] += 1

    def met(self, row: Row) -> bool:
        """Whether the row is proved, or excused."""
        return row.excused or (self.passed[row.id] > 0 and self.other[row.id] == 0)


def read_rows(text: str) -> list[Row]:
    """The rows of a document whose tables have the id in their first column and the status in their last."""
    found = [match for line in text.splitlines() if (match := _ROW.match(line))]
    return [
        Row(match[1], bool(_NOT_APPLICABLE.match(match[2].rpartition("|")[2].strip()))) for match in found
    ]


def summary(rows: list[Row], tally: Tally) -> Iterator[str]:
    """One line per source document, in the order of the documents."""
    for document in dict.fromkeys(row.document for row in rows):
        of_it = [row for row in rows if row.document == document]
        yield f"{document} {sum(tally.met(row) for row in of_it)}/{len(of_it)}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--acceptance``: run only tests that carry ids, and print the count."""
    parser.addoption("--acceptance", action="store_true", help="count the acceptance rows that hold")


def pytest_configure(config: pytest.Config) -> None:
    """One tally per run; with several processes the controller's is the one that counts."""
    config.stash[_TALLY] = Tally()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what carries no id, and let each report tell the ids to the process that counts."""
    carrying = []
    for item in items:
        ids = [str(row_id) for mark in item.iter_markers("acceptance") for row_id in mark.args]
        if ids:
            item.user_properties.append(("acceptance", ids))
            carrying.append(item)
    if config.getoption("--acceptance"):
        config.hook.pytest_deselected(items=[item for item in items if item not in set(carrying)])
        items[:] = carrying


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The count, as the last thing on the screen before pytest's own closing line."""
    if not config.getoption("--acceptance"):
        return
    tally = config.stash[_TALLY]
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            _note(tally, outcome, report)
    rows = read_rows(ROWS.read_text()) if ROWS.exists() else []
    terminalreporter.section("acceptance")
    unknown = {*tally.passed, *tally.other} - {row.id for row in rows}
    for row_id in sorted(unknown):
        terminalreporter.line(f"{row_id} is carried by a test and is no row of {ROWS.name}")
    for row in rows:
        if not tally.met(row) and config.get_verbosity() > 0:
            terminalreporter.line(f"open: {row.id}")
    for line in summary(rows, tally):
        terminalreporter.line(line)


def _note(tally: Tally, outcome: str, report: object) -> None:
    if not isinstance(report, pytest.TestReport) or outcome == "":
        return
    for name, ids in report.user_properties:
        if name == "acceptance" and isinstance(ids, list):
            tally.add(ids, passed=outcome == "passed")


_TALLY = pytest.StashKey[Tally]()
