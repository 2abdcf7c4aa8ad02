"""What a test or a demo may change about the local Klaviyo while it runs.

Refuses unknown names and wrong types, so that a misspelt setting is not silently ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from sandbox.klaviyo.errors import NotUnderstood


@dataclass
class Settings:
    """The knobs, with what is known of the real service as their defaults, apart from shorter waits."""

    access_token_seconds: int = 3600
    rotate_refresh_tokens: bool = True
    refresh_kills_access_tokens: bool = True
    refreshes_per_minute: int = 10
    unused_grant_days: int = 90
    regrant_kills_old_tokens: bool = True
    import_delay_seconds: float = 0.05
    import_seconds_per_profile: float = 0.00002
    webhook_batch_seconds: float = 0.1
    webhook_backoff_scale: float = 0.1
    webhook_error_hours: float = 48.0
    webhook_timeout_seconds: float = 5.0
    review_id_in_events: bool = True
    loopback_webhooks: bool = True

    def change(self, given: Mapping[str, Any]) -> None:
        """Set several at once, all or nothing."""
        types = {item.name: type(getattr(self, item.name)) for item in fields(self)}
        cleaned = {}
        for name, value in given.items():
            if name not in types:
                raise NotUnderstood(f"unknown setting: {name}")
            wanted = types[name]
            if wanted is bool:
                good = isinstance(value, bool)
            else:
                good = not isinstance(value, bool) and isinstance(value, int | float) and value >= 0
            if not good:
                raise NotUnderstood(f"{name} must be {'true or false' if wanted is bool else 'a number'}")
            cleaned[name] = wanted(value)
        for name, value in cleaned.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
