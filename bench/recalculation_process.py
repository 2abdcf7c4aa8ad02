"""One whole run that brings everybody up to date with new tiers, in a process of its own, so that its memory is its own.

Run as ``python -m bench.recalculation_process`` with JSON on standard input; it answers with the seconds and processor time, how many members
were settled and how many were told of another tier, and the peak memory.
"""

import json
import sys
import time
from typing import Any

from sqlalchemy import func
from sqlmodel import select

from bench.sync_process import peak_mb
from loyalty import calendar, programs, runs
from loyalty.core.news import TIER_CHANGED
from loyalty.database import make_engine
from loyalty.encryption import Cipher
from loyalty.models import OutboxMessage, Run
from loyalty.runtime import Runtime


def main() -> None:
    """Apply the document that was asked for, and settle everybody by it."""
    asked = json.load(sys.stdin)
    engine = make_engine(asked["database_url"])
    runtime = Runtime(engine, Cipher([asked["token_key"]]), lambda *_, **__: None)
    run_id = _apply(runtime, asked["shop_id"], asked["document"])
    begun, processor = time.perf_counter(), time.process_time()
    while runs.advance(runtime, run_id, calendar.refresh_step, seconds=60) is not None:
        pass
    spent = {
        "seconds": time.perf_counter() - begun,
        "processor_seconds": time.process_time() - processor,
        "peak_mb": peak_mb(),
    }
    with runtime.reading() as session:
        run = session.get_one(Run, run_id)
        if run.state != "done" or run.failed:
            raise RuntimeError(f"the run ended as {run.state} with {run.failed} failed")
        told = select(func.count()).where(OutboxMessage.kind == TIER_CHANGED)
        json.dump(spent | {"done": run.done, "moved": session.exec(told).one()}, sys.stdout)
    engine.dispose()


def _apply(runtime: Runtime, shop_id: int, document: dict[str, Any]) -> int:
    with runtime.transaction() as session:
        now = runtime.clock()
        program = programs.apply(session, shop_id, document, author="bench", now=now)
        run = calendar.program_applied(session, shop_id, program, now=now)
        assert run is not None
        assert run.id is not None
        return run.id


if __name__ == "__main__":
    main()
