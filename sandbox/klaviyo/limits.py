"""Fixed-window rate limits as Klaviyo keeps them: per app, account and operation, a second and a minute at once.

A refused call uses nothing up. Refuses to sleep: the caller is told how long to wait.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import dataclass

from sandbox.klaviyo.errors import NotUnderstood
from sandbox.klaviyo.operations import Operation, Quota

_SPANS = (1, 60, 86_400)


@dataclass(frozen=True)
class Verdict:
    """What the limiter says: headers for the reply when allowed, seconds to wait when not."""

    allowed: bool
    headers: dict[str, str]


def parse_scale(limits: str | dict[str, float]) -> float | None:
    """The factor to apply to every published quota; None switches limits off."""
    if limits == "off":
        return None
    if limits == "real":
        return 1.0
    scale = limits.get("scale") if isinstance(limits, dict) else None
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
        raise NotUnderstood('limits is "real", "off" or {"scale": a number above zero}')
    return float(scale)


class Limiter:
    """Counts calls in their windows."""

    def __init__(self, limits: str | dict[str, float] = "real") -> None:
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str, str, int], tuple[int, int]] = {}
        self.refused: Counter[str] = Counter()
        self.limits: str | dict[str, float] = limits
        self._scale = parse_scale(limits)

    def configure(self, limits: str | dict[str, float]) -> None:
        """Change the limits; the windows start afresh."""
        scale = parse_scale(limits)
        with self._lock:
            self.limits, self._scale = limits, scale
            self._windows.clear()

    def reset(self) -> None:
        """Forget every window and the count of refusals."""
        with self._lock:
            self._windows.clear()
            self.refused.clear()

    def take(
        self, app: str, account: str, operation: Operation, now: float, *, extra: bool = False
    ) -> Verdict:
        """Use one call up, or say how long to wait."""
        if self._scale is None:
            return Verdict(allowed=True, headers={})
        costly = operation.costly if extra else None
        quota = costly.quota if costly else operation.quota
        name = operation.name + ("+" if costly else "")
        caps = self._caps(quota)
        with self._lock:
            used = [self._used((app, account, name, span), now) for span in _SPANS]
            full = [s for s, cap, n in zip(_SPANS, caps, used, strict=True) if cap is not None and n >= cap]
            if full:
                self.refused[operation.name] += 1
                wait = max(math.ceil(span - now % span) for span in full)
                return Verdict(allowed=False, headers={"Retry-After": str(max(1, wait))})
            for span, count in zip(_SPANS, used, strict=True):
                self._windows[(app, account, name, span)] = (int(now // span), count + 1)
            return Verdict(allowed=True, headers=self._headers(caps, used[1] + 1, now))

    def _caps(self, quota: Quota) -> tuple[int, int, int | None]:
        scale = self._scale or 1.0
        daily = None if quota.daily is None else max(1, int(quota.daily * scale))
        return max(1, int(quota.burst * scale)), max(1, int(quota.steady * scale)), daily

    def _used(self, key: tuple[str, str, str, int], now: float) -> int:
        window, count = self._windows.get(key, (-1, 0))
        return count if window == int(now // key[3]) else 0

    def _headers(self, caps: tuple[int, int, int | None], used: int, now: float) -> dict[str, str]:
        burst, steady, _ = caps
        return {
            "RateLimit-Limit": f"{burst}, {burst};w=1, {steady};w=60",
            "RateLimit-Remaining": str(steady - used),
            "RateLimit-Reset": str(math.ceil(60 - now % 60)),
        }
