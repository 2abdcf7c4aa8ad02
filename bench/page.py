"""Copies the results into docs/performance.md, between two marks, so that the page never says anything else than the file."""

import json
from pathlib import Path
from typing import Any

from bench.report import short

_BEGIN, _END = "<!-- results: written by make bench -->", "<!-- end of results -->"


def write(page: Path, results: Path) -> None:
    """Put the tables of all results on the page."""
    before, _, rest = page.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    found = json.loads(results.read_text())["benchmarks"]
    tables = "\n\n".join(_table(name, each) for name, each in found.items())
    page.write_text(f"{before}{_BEGIN}\n\n{tables}\n\n{_END}{after}")


def _table(name: str, found: dict[str, Any]) -> str:
    about = found["machine"]
    lines = [
        f"### `{name}`: {found['title']}",
        "",
        (
            f"{about['at'][:10]}, {about['cores']} cores ({about['cpu']}), {about['memory_gb']} GB, Python {about['python']},"
            f" Node {about['node']}, PostgreSQL {about['postgresql']}, load average before it {about['load_average_before'][0]}."
        ),
        "",
        "| measured | median | lowest to highest |",
        "|---|---|---|",
    ]
    for each in found["figures"]:
        spread = each["spread"]
        low, middle, high = (short(spread[part]) for part in ("low", "middle", "high"))
        lines.append(f"| {each['label']} | {middle} {each['unit']} | {low} to {high} |")
    lines.append("")
    for each in found["budgets"]:
        verdict = "met" if each["met"] else "**missed**"
        lines.append(f"- {each['promise']}: {short(each['measured'])} {each['unit']}, {verdict}")
    lines += [f"- {note}" for note in found["notes"]]
    return "\n".join(lines)
