"""One whole import of members in a process of its own, so that its memory is its own: upload, dry run, import, export and (when asked for) undo.

Run as ``python -m bench.import_process`` with JSON on standard input; it answers with the seconds of each, on the wall and of the processor, and the
peak memory.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from sqlmodel import Session

from bench.sync_process import peak_mb
from loyalty import member_import, runs
from loyalty.database import make_engine
from loyalty.encryption import Cipher
from loyalty.member_import import exporting
from loyalty.models import ImportBatch, Run, Shop
from loyalty.runtime import Runtime

_BATCH = "0123456789abcdef"


def main() -> None:
    """Import the file that was asked for, write every member to a file, and take the import back if that is asked for too."""
    asked = json.load(sys.stdin)
    engine = make_engine(asked["database_url"])
    runtime = Runtime(engine, Cipher([asked["token_key"]]), lambda *_, **__: None)
    shop_id, parts = asked["shop_id"], {}
    with Path(asked["file"]).open("rb") as file:
        parts["upload"] = _timed(lambda: _upload(runtime, shop_id, file))
    parts["check"] = _timed(lambda: _run(runtime, shop_id, member_import.start_check))
    parts["import"] = _timed(lambda: _run(runtime, shop_id, member_import.start_import))
    parts["export"] = _timed(lambda: _export(runtime, shop_id))
    if asked["undo"]:
        parts["undo"] = _timed(lambda: _run(runtime, shop_id, member_import.start_undo))
    with runtime.reading() as session:
        report = session.get_one(ImportBatch, _BATCH).report
    found = {"parts": parts, "good": report["good"], "bad": report["bad"], "peak_mb": peak_mb()}
    json.dump(found, sys.stdout)
    engine.dispose()


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds, and processor seconds of this process."""
    began, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - processor


def _upload(runtime: Runtime, shop_id: int, file: IO[bytes]) -> None:
    with runtime.transaction() as session:
        member_import.upload(
            session,
            session.get_one(Shop, shop_id),
            file,
            batch_id=_BATCH,
            file_name="members.csv",
            author="bench",
            now=runtime.clock(),
        )


def _run(runtime: Runtime, shop_id: int, start: Callable[..., Run]) -> None:
    with runtime.transaction() as session:
        run = start(session, _batch(session, shop_id), now=runtime.clock())
        run_id, kind = run.id or 0, run.kind
    while runs.advance(runtime, run_id, member_import.STEPS[kind], seconds=60) is not None:
        pass
    with runtime.reading() as session:
        ended = session.get_one(Run, run_id)
    if ended.state != "done" or ended.skipped:
        raise RuntimeError(f"{kind} ended as {ended.state} with {ended.skipped} skipped")


def _batch(session: Session, shop_id: int) -> ImportBatch:
    batch = member_import.one(session, shop_id, _BATCH)
    assert batch is not None
    return batch


def _export(runtime: Runtime, shop_id: int) -> None:
    with tempfile.TemporaryFile("w") as target, runtime.reading() as session:
        target.writelines(exporting.member_lines(session, shop_id))


if __name__ == "__main__":
    main()
