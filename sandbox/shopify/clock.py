"""The sandbox's clock: real time plus an offset that a test may move forward.

It refuses to run backwards, because tokens, discounts and webhooks all reason about the past.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


class Clock:
    """Aware UTC time, shifted by whatever `advance` has added."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self._offset = offset

    def now(self) -> datetime:
        """Return the sandbox's present instant."""
        return datetime.now(UTC) + self._offset

    def advance(self, seconds: float) -> datetime:
        """Move the present forward and return it."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._offset += timedelta(seconds=seconds)
        return self.now()


def zulu(instant: datetime | None) -> str | None:
    """Write an instant as the GraphQL API does: whole seconds, UTC, `Z`."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if instant else None


def local(instant: datetime | None, timezone: str) -> str | None:
    """Write an instant as webhooks do: whole seconds with the shop's own offset."""
    if instant is None:
        return None
    return instant.astimezone(ZoneInfo(timezone)).replace(microsecond=0).isoformat()


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant; a bare date is midnight UTC, as in the API's search syntax."""
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)
