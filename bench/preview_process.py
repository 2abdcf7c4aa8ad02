"""One whole preview in a process of its own, so that its memory is its own.

Run as ``python -m bench.preview_process`` with JSON on standard input; it answers with the seconds, what it saw, and the peak memory.
"""

import json
import sys
import time
from typing import Any

from sqlmodel import select

from bench.sync_process import peak_mb
from loyalty import preview
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.database import make_engine
from loyalty.encryption import Cipher
from loyalty.models import Shop
from loyalty.runtime import Runtime

_CHANGED: dict[str, Any] = DEFAULT_DOCUMENT | {
    "expiry": {"kind": "age", "months": 6},
    "tiers": {
        "window": "rolling",
        "months": 12,
        "ladder": [
            {"key": "silver", "title": "Silver", "threshold": "100", "multiplier": "1.5"},
            {"key": "gold", "title": "Gold", "threshold": "400", "multiplier": "2", "entry": {"points": 50}},
        ],
    },
}


def main() -> None:
    """Preview a program with tiers and expiry for the shop that was asked for."""
    asked = json.load(sys.stdin)
    engine = make_engine(asked["database_url"])
    runtime = Runtime(engine, Cipher([asked["token_key"]]), lambda *_, **__: None)
    with runtime.reading() as session:
        shop = session.exec(select(Shop).where(Shop.domain == asked["shop"])).one()
        plan = preview.ask(session, shop, _CHANGED, begins=None, now=runtime.clock())
    began, processor = time.perf_counter(), time.process_time()
    found = preview.compare(runtime, shop.id or 0, plan)
    spent = {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - processor,
        "peak_mb": peak_mb(),
    }
    json.dump(spent | {name: found[name] for name in ("members", "orders", "tiers_up")}, sys.stdout)
    engine.dispose()


if __name__ == "__main__":
    main()
