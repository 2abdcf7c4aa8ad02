"""Klaviyo's rate limits, shared by every process of ours: one account's two windows, counted by Redis' own clock.

It tells how long to wait and never waits. The windows slide, so no alignment of Klaviyo's fixed windows can see more than a limit's
worth of calls. Redis being away is answered with a wait as well: sending blindly would only earn longer refusals.
"""

from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError


@dataclass(frozen=True, slots=True)
class Quota:
    """Klaviyo's published numbers for an endpoint: calls in one second and in one minute."""

    burst: int
    steady: int


XS, M, L, XL = Quota(1, 15), Quota(10, 150), Quota(75, 700), Quota(350, 3500)

QUOTAS = {
    "GET accounts": XS,
    "POST events": XL,
    "POST event-bulk-create-jobs": M,
    "POST profile-import": L,
    "GET profiles": L,
    "PATCH profiles": L,
    "POST profile-bulk-import-jobs": M,
    "GET profile-bulk-import-jobs": M,
    "GET import-errors": M,
    "GET metrics": M,
    "GET reviews": M,
    "GET webhook-topics": XS,
    "GET webhooks": XS,
    "POST webhooks": XS,
    "PATCH webhooks": XS,
    "DELETE webhooks": XS,
}

# A grant is used a little after it was given, and that jitter can push a call into the next window. It matters for one second
# and hardly for a minute, hence two shares.
BURST_SHARE = 0.85
STEADY_SHARE = 0.95
WHEN_REDIS_IS_AWAY = 5.0
EVERYWHERE = "*"

_MICROS = 1_000_000

# KEYS: the calls' instants (a list, oldest first), the endpoint's pause, the account's pause.
# ARGV: how many calls, burst, steady. Answers the microseconds to wait; 0 means that the calls are granted and counted.
_ACQUIRE = """
local paused = math.max(redis.call('PTTL', KEYS[2]), redis.call('PTTL', KEYS[3]))
if paused > 0 then return paused * 1000 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local n, burst, steady = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local oldest = redis.call('LINDEX', KEYS[1], 0)
while oldest and tonumber(oldest) <= now - 60000000 do
  redis.call('LPOP', KEYS[1])
  oldest = redis.call('LINDEX', KEYS[1], 0)
end
local length = redis.call('LLEN', KEYS[1])
local wait = 0
if length + n > steady then
  local blocking = redis.call('LINDEX', KEYS[1], length + n - steady - 1)
  wait = tonumber(blocking) + 60000000 - now
end
if length + n > burst then
  local blocking = redis.call('LINDEX', KEYS[1], length + n - burst - 1)
  wait = math.max(wait, tonumber(blocking) + 1000000 - now)
end
if wait > 0 then return wait end
for _ = 1, n do redis.call('RPUSH', KEYS[1], string.format('%d', now)) end
redis.call('PEXPIRE', KEYS[1], 61000)
return 0
"""


class Limiter:
    """Grants calls. ``acquire`` is asked before every request; ``pause`` remembers a refusal for everybody."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._script = redis.register_script(_ACQUIRE)

    def acquire(self, account: str, endpoint: str, n: int = 1) -> float:
        """Take ``n`` calls now (then 0.0), or say in how many seconds to ask again. Nothing is taken when it is not 0."""
        burst, steady = budget(endpoint)
        if not 1 <= n <= burst:
            raise ValueError("more calls at once than one second allows")
        keys = [_key(account, endpoint, "calls"), *self._pauses(account, endpoint)]
        try:
            return int(self._script(keys=keys, args=[n, burst, steady])) / _MICROS
        except RedisError:
            return WHEN_REDIS_IS_AWAY

    def pause(self, account: str, endpoint: str, seconds: float) -> None:
        """Let nobody call the endpoint (or ``EVERYWHERE``) for that long. A longer pause that is in force stays."""
        key, millis = _key(account, endpoint, "pause"), max(1, int(seconds * 1000))
        try:
            if self._redis.pttl(key) < millis:
                self._redis.set(key, "1", px=millis)
        except RedisError:
            # The refusal is only remembered less widely: the message that met it waits all the same.
            return

    def resume(self, account: str) -> None:
        """End an account-wide pause, for example because the account was connected anew."""
        try:
            self._redis.delete(_key(account, EVERYWHERE, "pause"))
        except RedisError:
            return

    @staticmethod
    def _pauses(account: str, endpoint: str) -> tuple[str, str]:
        return _key(account, endpoint, "pause"), _key(account, EVERYWHERE, "pause")


def budget(endpoint: str) -> tuple[int, int]:
    """The calls that we allow ourselves in a second and in a minute. Raises ``KeyError`` for an endpoint without a quota."""
    quota = QUOTAS[endpoint]
    return max(1, int(quota.burst * BURST_SHARE)), max(1, int(quota.steady * STEADY_SHARE))


def _key(account: str, endpoint: str, what: str) -> str:
    # The braces keep an account's keys on one node of a Redis cluster.
    return f"laurel:klaviyo:{{{account}}}:{endpoint}:{what}"
