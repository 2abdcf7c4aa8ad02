"""`flask demo`, as somebody types it on a machine that has nothing but the checkout."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import commands.demo
from demo.stage import ROOT
from demo.telling import wait_for
from engines.lifeline import tied_to_us

# The same story in a shop that never had the customer whom the fifth step looks for.
_WITHOUT_IVY = """
from commands.demo import demo
from demo import opening

opening.SYNTHETIC, opening.NAMED = 3, ()
demo(["--once"])
"""


def as_typed() -> Callable[[], None]:
    """A ``preexec_fn``: Ctrl-C ends what is typed, and it ends with us. What a script starts in the background is deaf to Ctrl-C, and so is
    all that it starts."""
    tie = tied_to_us(signal.SIGTERM)

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if tie is not None:
            tie()

    return prepare


def play(*options: str, output: Path) -> subprocess.Popen[bytes]:
    """Begin a demo in a process of its own, which ends when we do; what it says goes to ``output``."""
    with output.open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "flask", "demo", *options],
            cwd=ROOT,
            stdout=said,
            stderr=said,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            preexec_fn=as_typed(),  # noqa: PLW1509  # it only makes plain calls
        )


def group_of(output: Path) -> str | None:
    """The directory that a demo says it uses."""
    for line in output.read_text().splitlines():
        if "data and logs: " in line:
            return line.partition("data and logs: ")[2]
    return None


def children_of(directory: str) -> list[str]:
    """Processes that were started with this demo's directory in their environment."""
    found = []
    for status in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"LAUREL_VAR={directory}\0".encode() in status.read_bytes():
                found.append(status.parent.name)
        except OSError:  # it ended while we looked
            continue
    return found


class TestPlace:
    def test_two_checkouts(self, tmp_path, monkeypatch):
        """Demos of two checkouts that begin at the same moment do not meet at one port."""
        shifts = []
        with contextlib.ExitStack() as stack:
            for name in ("one", "other"):
                (tmp_path / name).mkdir()
                monkeypatch.setattr(commands.demo, "ROOT", tmp_path / name)
                directory, shift = stack.enter_context(commands.demo._own_place())
                assert directory.is_relative_to(tmp_path / name)
                shifts.append(shift)
        assert len(set(shifts)) == 2


class TestDemo:
    def test_once(self, tmp_path):
        """The story holds from end to end, the last line is its summary, and nothing is left running."""
        output = tmp_path / "said"
        with play("--once", output=output) as process:
            assert process.wait(200) == 0, output.read_text()

        summary = json.loads(output.read_text().splitlines()[-1])
        assert summary.pop("seconds") > 0
        assert "Laurel's calendar now stands at " in output.read_text()
        assert summary == {
            "shop": "fern-and-fig.myshopify.com",
            "members": 255,
            "orders": 6,
            "points_issued": 1373,
            "ledger_entries": 15,
            "events_delivered": 18,
            "profiles_synced": 255,
            "reviews_rewarded": 2,
        }
        assert children_of(group_of(output)) == []

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_ended_early(self, tmp_path, how):
        """However it ends, whatever it started ends too."""
        output = tmp_path / "said"
        with play(output=output) as process:
            directory = wait_for(lambda: group_of(output), lambda found: found is not None, 60)
            assert wait_for(lambda: len(children_of(directory)), lambda count: count > 3, 60) > 3
            process.send_signal(how)
            process.wait(60)
        assert wait_for(lambda: children_of(directory), lambda found: found == [], 60) == []

    def test_failed_step(self, tmp_path):
        """A step that does not hold is named with what was expected and found, and where the logs are; the exit code says so."""
        output = tmp_path / "said"
        with output.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-c", _WITHOUT_IVY],
                cwd=ROOT,
                stdout=said,
                stderr=said,
                preexec_fn=tied_to_us(signal.SIGTERM),  # noqa: PLW1509  # it only makes two plain calls
            )

        assert process.wait(200) == 1
        text = output.read_text()
        assert "step 5 did not hold: The merchant presses Sync customer data" in text
        assert "Ivy's balance on her profile\n  expected: 0\n  found:    None" in text
        assert "sandbox.log" in text
