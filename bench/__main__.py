"""``make bench``, or ``python -m bench [names…] [--quick] [--full]``: measure, print a table, write bench/results.json and docs/performance.md."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from bench import (
    calendar,
    customer_sync,
    event_drain,
    inbox_drain,
    machine,
    member_import,
    order_to_event,
    page,
    preview,
    report,
    tier_recalculation,
    webhook_accept,
)
from bench.ground import Ground, prepared
from bench.scale import Scale
from bench.webhook_servers import PeersMissing

FOLDER = Path(__file__).resolve().parent
BENCHMARKS: dict[str, Callable[[Ground, Scale], report.Report]] = {
    "webhook_accept": webhook_accept.measure,
    "inbox_drain": inbox_drain.measure,
    "customer_sync": customer_sync.measure,
    "event_drain": event_drain.measure,
    "order_to_event": order_to_event.measure,
    "calendar": calendar.measure,
    "tier_recalculation": tier_recalculation.measure,
    "member_import": member_import.measure,
    "preview": preview.measure,
}


def main() -> int:
    """Measure what was asked for; everything when nothing was named."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"any of: {', '.join(BENCHMARKS)}; by default all of them")
    parser.add_argument(
        "--quick", action="store_true", help="small and inexact, for trying; leaves bench/results.json alone"
    )
    parser.add_argument("--full", action="store_true", help="with the parts that take many minutes")
    asked = parser.parse_args()
    unknown = set(asked.names) - BENCHMARKS.keys()
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    scale = Scale.quick() if asked.quick else Scale.full() if asked.full else Scale.usual()
    found = FOLDER / "out" / "quick.json" if asked.quick else FOLDER / "results.json"
    with prepared() as ground:
        about = machine.describe(ground.server)
        print(
            f"{about['cores']} cores, {about['cpu']}; load before: {about['load_average_before']}", flush=True
        )
        for name in asked.names or BENCHMARKS:
            about = machine.describe(ground.server)
            try:
                done = BENCHMARKS[name](ground, scale)
            except PeersMissing as problem:
                print(f"\n{name}: {problem}", file=sys.stderr)
                return 1
            if asked.quick:
                done.budgets.clear()
                done.notes.append("quick: too short to be held against the budgets")
            done.notes.append(f"load average after it: {os.getloadavg()[0]:.2f}")
            print("\n".join(done.lines()), flush=True)
            report.keep(found, about, [done], quick=asked.quick)
    if not asked.quick:
        page.write(FOLDER.parent / "docs" / "performance.md", found)
    print(f"\nWritten: {found.relative_to(FOLDER.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
