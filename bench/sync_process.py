"""One whole sync of customer data in a process of its own, so that its memory is its own.

Run as ``python -m bench.sync_process`` with JSON on standard input; it answers with seconds, processor time and peak memory.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import requests
from redis import Redis

from klaviyo_oauth import sync, sync_batches
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.dialects import OURS
from klaviyo_oauth.payloads import MOST_PROFILES, bulk_profiles
from loyalty import runs
from loyalty.database import make_engine
from loyalty.encryption import Cipher
from loyalty.models import Run
from loyalty.runtime import Runtime


def main() -> None:
    """Sync everybody; afterwards encode everybody once more, without sending."""
    asked = json.load(sys.stdin)
    engine = make_engine(asked["database_url"])
    runtime = Runtime(engine, Cipher([asked["token_key"]]), lambda *_, **__: None)
    found = _sync(runtime, asked)
    found["peak_mb"] = peak_mb()
    start = time.perf_counter()
    found["encoded_bytes"] = _encode(runtime, asked["shop_id"])
    found["encoding_seconds"] = time.perf_counter() - start
    engine.dispose()
    json.dump(found, sys.stdout)


def peak_mb() -> float:
    """The most memory that this program held. Not ``ru_maxrss``, which begins with what the process that started us held."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _sync(runtime: Runtime, asked: dict[str, Any]) -> dict[str, Any]:
    config = KlaviyoConfig(app_url="http://127.0.0.1:5000", api_url=asked["klaviyo_url"], production=False)
    with requests.Session() as http, Redis.from_url(asked["redis_url"]) as redis:
        step = sync.create_step(runtime, config, redis, http)
        with runtime.transaction() as session:
            run = sync.start_sync(session, asked["shop_id"], now=runtime.clock())
            run_id = run.id or 0
        start, processor = time.perf_counter(), time.process_time()
        all_sent = 0.0
        while (wait := runs.advance(runtime, run_id, step, seconds=0.0)) is not None:
            if not all_sent and _cursor(runtime, run_id).get("sent_all"):
                all_sent = time.perf_counter() - start
            time.sleep(wait)
        seconds = time.perf_counter() - start
    with runtime.reading() as session:
        ended = session.get(Run, run_id)
    assert ended is not None
    return {
        "state": ended.state,
        "done": ended.done,
        "failed": ended.failed,
        "seconds": seconds,
        "all_sent_seconds": all_sent or seconds,
        "processor_seconds": time.process_time() - processor,
    }


def _cursor(runtime: Runtime, run_id: int) -> dict[str, Any]:
    with runtime.reading() as session:
        run = session.get(Run, run_id)
        return dict(run.cursor) if run else {}


def _encode(runtime: Runtime, shop_id: int) -> int:
    """The floor: read every member and make the same bodies, and nothing else."""
    after, size = 0, 0
    while (batch := sync_batches.read(runtime, shop_id, OURS, after=after, size=MOST_PROFILES)) is not None:
        size += len(bulk_profiles([entry for _, entry in batch.sendable]))
        after = batch.last_id
    return size


if __name__ == "__main__":
    main()
