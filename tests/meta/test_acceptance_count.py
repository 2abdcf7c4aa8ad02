"""The count of acceptance rows, on a small document and tests of its own."""

import re
from pathlib import Path

import pytest

from tests import acceptance
from tests.acceptance import Row, Tally, read_rows, summary

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = """
| id | item | status |
|---|---|---|
| S0-01 | a page | works |
| S0-02 | another vendor's plan gate | not applicable: it limits the other vendor's customers, not ours |
| S0-03 | a picture | not applicable: |
| S4-01 | an event, `a | b` | works |

Text with | bars | in it.
"""

TESTS = """
import pytest

@pytest.mark.acceptance("S0-01")
def test_one():
    pass

@pytest.mark.acceptance("S4-01", "S0-03")
@pytest.mark.parametrize("good", [True, False])
def test_some(good):
    assert good

def test_without():
    raise AssertionError("is not run")
"""

pytest_plugins = ["pytester"]


class TestReadRows:
    def test_rows(self):
        """Every row is read; it is excused only by a written reason."""
        assert read_rows(DOCUMENT) == [
            Row("S0-01", excused=False),
            Row("S0-02", excused=True),
            Row("S0-03", excused=False),
            Row("S4-01", excused=False),
        ]


class TestDocument:
    def test_as_it_says(self, request):
        """In our own document each row that is said to be met by tests is carried by some, and no open row is."""
        items = request.session.items
        if set(ROOT.rglob("test_*.py")) - {item.path for item in items}:
            pytest.skip("only a run of all tests knows all of them")
        carried = {
            row_id for item in items for mark in item.iter_markers("acceptance") for row_id in mark.args
        }
        said = dict(re.findall(r"^\| (\S+) \|.*\| ([^|]+) \|$", acceptance.ROWS.read_text(), re.MULTILINE))
        assert carried <= said.keys()
        for row in read_rows(acceptance.ROWS.read_text()):
            expected = "met, by tests" if row.id in carried else "open"
            assert row.excused or said[row.id] == expected, row.id


class TestSummary:
    def test_counts(self):
        """A row counts when all of its tests passed, and not when one of them did not."""
        tally = Tally()
        tally.add(["S0-01", "S4-01"], passed=True)
        tally.add(["S4-01"], passed=False)

        assert list(summary(read_rows(DOCUMENT), tally)) == ["S0 2/3", "S4 0/1"]


class TestRun:
    @pytest.mark.parametrize("processes", [(), ("-n", "2")])
    def test_one_line_per_document(self, pytester, monkeypatch, processes):
        """A run with or without helper processes runs what carries ids, and counts what passed."""
        rows = pytester.makefile(".md", DOCUMENT)
        monkeypatch.setattr(acceptance, "ROWS", rows)
        pytester.makepyfile(TESTS)
        pytester.makeini("[pytest]\nmarkers = acceptance(*ids): rows")

        result = pytester.runpytest_inprocess("-p", "tests.acceptance", "--acceptance", *processes)

        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(["S0 2/3", "S4 0/1"])

    def test_unknown_id(self, pytester, monkeypatch):
        """An id that is no row is named."""
        monkeypatch.setattr(acceptance, "ROWS", pytester.makefile(".md", "| S0-09 | other | works |"))
        pytester.makepyfile(TESTS)
        pytester.makeini("[pytest]\nmarkers = acceptance(*ids): rows")

        result = pytester.runpytest_inprocess("-p", "tests.acceptance", "--acceptance")

        result.stdout.fnmatch_lines(["S0-01 is carried by a test and is no row of *"])
