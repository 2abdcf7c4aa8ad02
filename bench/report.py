"""What a benchmark found: figures, budgets and notes; printed as a table and kept as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.figures import Spread


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value over its rounds."""

    label: str
    unit: str
    spread: Spread

    def text(self) -> tuple[str, str, str]:
        """For the table: label, median with unit, and how far the rounds lie apart."""
        s = self.spread
        return self.label, f"{short(s.middle)} {self.unit}".strip(), f"{short(s.low)} to {short(s.high)}"


@dataclass(frozen=True, slots=True)
class Budget:
    """A promise of the architecture and what was measured against it."""

    promise: str
    measured: float
    unit: str
    met: bool

    @staticmethod
    def at_least(promise: str, measured: float, least: float, unit: str = "") -> "Budget":
        """A value that shall be high."""
        return Budget(promise, measured, unit, measured >= least)

    @staticmethod
    def at_most(promise: str, measured: float, most: float, unit: str = "") -> "Budget":
        """A value that shall be low."""
        return Budget(promise, measured, unit, measured <= most)


def growth(rates: Sequence[float], peaks: Sequence[float], each: str) -> list[Budget]:
    """That the last of ever larger sizes is about as fast as the first one, and takes about as much memory."""
    return [
        Budget.at_most(
            f"no more than 1.5 x the time for each {each} with many", rates[0] / rates[-1], 1.5, "x"
        ),
        Budget.at_most("memory does not grow with them (1.2 x)", peaks[-1] / peaks[0], 1.2, "x"),
    ]


@dataclass(slots=True)
class Report:
    """All that one benchmark found."""

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    budgets: list[Budget] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, label: str, unit: str, *values: float) -> Spread:
        """Note a figure with its rounds; returns its spread."""
        spread = Spread.of(values)
        self.figures.append(Figure(label, unit, spread))
        return spread

    def add_run(self, count: int, things: str, whole: str, found: Mapping[str, float]) -> float:
        """Note what a process found that did something to so many things; returns how many it did a second."""
        label, rate = f"{count:,} {things}", count / found["seconds"]
        self.add(f"{label}: {whole}", "s", found["seconds"])
        self.add(f"{label}: {things} a second", "/s", rate)
        self.add(f"{label}: processor time of ours", "ms each", found["processor_seconds"] / count * 1000)
        self.add(f"{label}: peak memory", "MB", found["peak_mb"])
        return rate

    def data(self) -> dict[str, Any]:
        """For the results' file."""
        return {
            "title": self.title,
            "figures": [{"label": f.label, "unit": f.unit, "spread": f.spread.data()} for f in self.figures],
            "budgets": [asdict(b) | {"measured": round(b.measured, 3)} for b in self.budgets],
            "notes": self.notes,
        }

    def lines(self) -> list[str]:
        """The table."""
        rows = [figure.text() for figure in self.figures]
        wide = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
        found = ["", self.title, "-" * len(self.title)]
        found += [f"  {a.ljust(wide[0])}  {b.rjust(wide[1])}   {c}" for a, b, c in rows]
        for budget in self.budgets:
            verdict = "met   " if budget.met else "MISSED"
            found.append(f"  {verdict}  {budget.promise}: {short(budget.measured)} {budget.unit}".rstrip())
        return found + [f"  note: {note}" for note in self.notes]


def keep(path: Path, machine: dict[str, Any], reports: list[Report], *, quick: bool) -> None:
    """Write what was found; what was measured earlier and not now stays, each with its own machine and time."""
    kept: dict[str, Any] = {}
    if path.exists():
        kept = json.loads(path.read_text()).get("benchmarks", {})
    for report in reports:
        kept[report.name] = report.data() | {"quick": quick, "machine": machine}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"benchmarks": dict(sorted(kept.items()))}, indent=2, ensure_ascii=False) + "\n"
    )


def short(value: float) -> str:
    """A number with about three digits that mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
