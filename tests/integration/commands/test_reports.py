"""``flask program preview`` and ``flask reports``, as an operator runs them."""

import csv
import io
import json

import pytest

from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.database import transaction
from loyalty.program_text import write_text
from tests.merchant_pages import NOW
from tests.shop_story import tell_story

EARN = DEFAULT_DOCUMENT["earn"]
DEARER = DEFAULT_DOCUMENT | {"earn": EARN | {"order": EARN["order"] | {"rate": "3"}}}


@pytest.fixture(name="run")
def _run(sqlite_engine, open_app, tmp_path):
    """Run a command for a shop after a month of life; ``file`` is written first and given to it."""
    with transaction(sqlite_engine) as session:
        tell_story(session, now=NOW, lived=True)
    app = open_app()

    def run(*words, file=None):
        arguments = [*words, "--shop", "fern-and-fig"]
        if file is not None:
            path = tmp_path / "program"
            path.write_text(file)
            arguments.append(str(path))
        return app.test_cli_runner().invoke(args=arguments)

    return run


class TestPreview:
    def test_tables_and_json(self, run):
        """People read tables with names; programs read the same as JSON; and the program in force stays in force."""
        told = run("program", "preview", file=write_text(DEARER))
        assert told.exit_code == 0, told.output
        assert "Most affected:" in told.stdout
        assert "cost $" in told.stdout
        found = json.loads(run("program", "preview", "--json", file=write_text(DEARER)).stdout)
        assert found["after"]["earned"] > found["before"]["earned"]
        assert found["most_affected"][0]["name"] in told.stdout
        assert len(json.loads(run("program", "versions", "--json").stdout)) == found["version"]

    def test_same_program(self, run):
        """The program in force changes nobody."""
        found = json.loads(run("program", "preview", "--json", file=write_text(DEFAULT_DOCUMENT)).stdout)
        assert found["before"] == found["after"]
        assert (found["gaining"], found["losing"], found["most_affected"]) == (0, 0, [])

    def test_mistakes(self, run):
        """A program with mistakes, a day that is none and one in the future are refused in a line."""
        bad = run("program", "preview", file='guests = "sometimes"')
        assert (bad.exit_code, "guests" in bad.output) == (1, True)
        assert run("program", "preview", "--from", "soon", file=write_text(DEARER)).exit_code == 2
        future = run("program", "preview", "--from", "2999-01-01", file=write_text(DEARER))
        assert (future.exit_code, "future" in future.output) == (2, True)


class TestLiability:
    def test_three_forms(self, run):
        """As a table, as CSV and as JSON: the last line is what is outstanding now."""
        found = json.loads(run("reports", "liability", "--json", "--by", "day").stdout)
        assert found["lines"][-1]["outstanding"] == found["outstanding"]
        rows = list(csv.DictReader(io.StringIO(run("reports", "liability", "--csv", "--by", "day").stdout)))
        assert rows[-1]["outstanding"] == str(found["outstanding"])
        told = run("reports", "liability").stdout
        assert "points are outstanding now" in told
        assert "the reward five_off" in told

    def test_mistakes(self, run):
        """Days the wrong way round and too many lines are refused."""
        assert run("reports", "liability", "--from", "2026-02-01", "--to", "2026-01-01").exit_code == 2
        long = run("reports", "liability", "--by", "day", "--from", "2020-01-01")
        assert (long.exit_code, "400 lines" in long.output) == (1, True)
