"""How long to leave an account in peace when Klaviyo does not answer: longer each time, with jitter, the same for every process."""

from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError

FIRST = 1.0
LONGEST = 300.0
_REMEMBER_SECONDS = 7_200


class Outage:
    """Counts failures in a row. ``jitter`` gives numbers from 0 to 1, so that accounts do not come back all at once."""

    def __init__(self, redis: Redis, jitter: Callable[[], float]) -> None:
        self._redis = redis
        self._jitter = jitter

    def worse(self, account: str) -> float:
        """One more failure. Returns the seconds to wait: 1, 2, 4, ... up to five minutes, less up to a quarter."""
        key = _key(account)
        try:
            failures = int(self._redis.incr(key))
            self._redis.expire(key, _REMEMBER_SECONDS)
        except RedisError:
            failures = 4
        return min(FIRST * 2 ** min(failures - 1, 16), LONGEST) * (1 - self._jitter() / 4)

    def over(self, account: str) -> None:
        """Klaviyo answered."""
        try:
            self._redis.delete(_key(account))
        except RedisError:
            # The count runs out by itself; until then a new failure waits a little longer.
            return


def _key(account: str) -> str:
    return f"laurel:klaviyo:{{{account}}}:failures"
