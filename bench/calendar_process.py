"""Some nights of the calendar in a process of their own, so that their memory is their own.

Run as ``python -m bench.calendar_process`` with JSON on standard input; it answers with what each night settled, its seconds and processor
time, and the peak memory.
"""

import json
import sys
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

from bench.sync_process import peak_mb
from loyalty import calendar
from loyalty.database import make_engine
from loyalty.encryption import Cipher
from loyalty.runtime import Runtime


def main() -> None:
    """Settle the nights that were asked for, one after the other."""
    asked = json.load(sys.stdin)
    engine = make_engine(asked["database_url"])
    runtime = Runtime(engine, Cipher([asked["token_key"]]), lambda *_, **__: None)
    nights = [_night(runtime, asked["shop_id"], datetime.fromisoformat(at)) for at in asked["nights"]]
    json.dump({"nights": nights, "peak_mb": peak_mb()}, sys.stdout)
    engine.dispose()


def _night(runtime: Runtime, shop_id: int, at: datetime) -> dict[str, Any]:
    begun, processor = time.perf_counter(), time.process_time()
    ran = calendar.run(replace(runtime, clock=lambda: at), shop_id, at=at)
    return {
        "settled": ran.settled,
        "seconds": time.perf_counter() - begun,
        "processor_seconds": time.process_time() - processor,
    }


if __name__ == "__main__":
    main()
