"""The bell: asks RQ to run a job soon. The queue carries nudges only, so whatever is lost here costs seconds and never a point."""

import threading
import time
from datetime import timedelta

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from loyalty import outbox
from loyalty.runtime import Nudge

NAME = "laurel"
# The last resort against a hanging job; every call that a job makes has a time limit of its own.
JOB_SECONDS = 600
_KEEP_FAILED_SECONDS = 7 * 24 * 3600
# After this long a nudge that never became a running job is forgotten, and the next one rings again.
_FORGET_SECONDS = 30
_DOORBELL_SECONDS = 0.05
_TERMS = {"result_ttl": 60, "failure_ttl": _KEEP_FAILED_SECONDS}

log = structlog.get_logger(__name__)


def job_queue(redis: Redis) -> Queue:
    """The one queue. A worker listens to one queue only: RQ can lose the job of a killed worker that listens to two."""
    return Queue(NAME, connection=redis, serializer=JSONSerializer, default_timeout=JOB_SECONDS)


class Bell:
    """Rings for jobs by name (a function of ``tasks``). Many rings for a job that has not begun yet become one. A reward that a shopper waits
    for goes before what is in the line already."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._queue = job_queue(redis)

    def __call__(self, job: str, *args: int | str, delay: float = 0) -> None:
        """Ask for ``job(*args)`` soon, or after ``delay`` seconds. Never raises: without Redis the sweep rings later."""
        try:
            if delay > 0:
                self._ring_later(job, args, delay)
            elif self._redis.set(_key("rung", job, args), 1, nx=True, ex=_FORGET_SECONDS):
                self._queue.enqueue(f"tasks.{job}", *args, at_front=outbox.REWARDS in args, **_TERMS)
        except RedisError as error:
            log.warning("nudge lost", job=job, error=type(error).__name__)

    def begun(self, job: str, *args: int | str) -> None:
        """The job runs: what is rung from now on is for the next one."""
        self._redis.delete(_key("rung", job, args))

    def _ring_later(self, job: str, args: tuple[int | str, ...], delay: float) -> None:
        """One ring that is to come is enough, unless this one shall come sooner. It is not forgotten when the job runs meanwhile for another
        reason: a busy shop with one message that waits for an hour would have a ring to come for each of that hour's jobs."""
        # In whole seconds, as RQ's scheduler has them: a job that comes a part of a second too early must be able to ring once more.
        key, now = _key("later", job, args), time.time()
        due, known = int(now + delay), self._redis.get(key)
        if known is not None and now < int(known) <= due:
            return
        self._redis.set(key, due, ex=int(delay) + 1)
        self._queue.enqueue_in(timedelta(seconds=delay), f"tasks.{job}", *args, **_TERMS)


class Doorbell:
    """The bell of the webhook door. The one who rings never waits for Redis, and many rings within a moment become one.

    A thread of its own rings at once, then rests for ``quiet`` seconds and rings for whoever came meanwhile. What it had not rung
    for when the process ends is left to the sweep.
    """

    def __init__(self, bell: Nudge, *, quiet: float = _DOORBELL_SECONDS) -> None:
        self._bell = bell
        self._quiet = quiet
        self._asked: set[tuple[str, tuple[int | str, ...]]] = set()
        self._lock = threading.Lock()
        self._somebody = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, job: str, *args: int | str, delay: float = 0) -> None:
        """Ask for ``job(*args)`` soon; with a ``delay`` it goes straight to the bell."""
        if delay:
            self._bell(job, *args, delay=delay)
            return
        with self._lock:
            self._asked.add((job, args))
            if self._thread is None:
                # Not before: a thread does not survive the fork that makes a server's processes.
                self._thread = threading.Thread(target=self._ring, name="doorbell", daemon=True)
                self._thread.start()
        self._somebody.set()

    def _ring(self) -> None:
        while True:
            self._somebody.wait()
            self._somebody.clear()
            with self._lock:
                asked, self._asked = self._asked, set()
            for job, args in asked:
                self._bell(job, *args)
            time.sleep(self._quiet)


def _key(what: str, job: str, args: tuple[int | str, ...]) -> str:
    return ":".join(["laurel", what, job, *map(str, args)])
