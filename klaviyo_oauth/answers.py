"""What can come back from Klaviyo, as values. No exception carries an answer, and no value carries an address of a person."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Klaviyo's details like to repeat the value that was wrong: an e-mail address or a phone number.
_PERSONAL = re.compile(r"[^\s\"'<>(),;]+@[^\s\"'<>(),;]+|\+?\d[\d\s().-]{6,}\d")
_LONGEST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class ApiError:
    """One entry of a JSON:API error document."""

    status: int
    code: str
    detail: str = ""
    pointer: str | None = None
    parameter: str | None = None
    error_id: str | None = None

    @property
    def summary(self) -> str:
        """Code, place and words, fit for a log that merchants read."""
        place = f" at {self.pointer or self.parameter}" if self.pointer or self.parameter else ""
        words = f": {self.detail}" if self.detail else ""
        return f"{self.code}{place}{words}"


@dataclass(frozen=True, slots=True)
class Reply:
    """Klaviyo answered. ``retry_after`` is in seconds; ``errors`` is empty for success."""

    status: int
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    errors: tuple[ApiError, ...] = ()
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """The first error in words, or the bare status when the server itself is what failed."""
        if self.status >= 500:
            return f"HTTP {self.status}"
        return self.errors[0].summary if self.errors else f"HTTP {self.status}"

    @property
    def data(self) -> Any:
        """The primary data of the document: a resource, a list of them, or None."""
        return self.body.get("data")


@dataclass(frozen=True, slots=True)
class NoReply:
    """Nothing, or nothing readable, came back: the request may or may not have been taken."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing was sent: it is not our turn for ``seconds``. ``reason`` is rate_limit, outage, refreshing, ..."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class NotConnected:
    """Nothing was sent: the shop has no working link. ``problem`` is None when the merchant never made one or ended it."""

    problem: str | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Klaviyo is not itself (no reply, or a 502, 503 or 504): everybody leaves the account in peace for ``seconds``."""

    seconds: float
    reason: str
    status: int | None = None


Answer = Reply | Trouble | Wait | NotConnected


def read_errors(status: int, body: Mapping[str, Any]) -> tuple[ApiError, ...]:
    """The errors of a document, however incomplete it is."""
    listed = body.get("errors")
    if not isinstance(listed, list):
        return ()
    return tuple(_error(status, entry) for entry in listed if isinstance(entry, Mapping))


def without_personal_data(text: str) -> str:
    """The text with everything that looks like an address or a phone number taken out, and not longer than a line."""
    return _PERSONAL.sub("…", text)[:_LONGEST_DETAIL]


def _error(status: int, entry: Mapping[str, Any]) -> ApiError:
    source = entry.get("source")
    source = source if isinstance(source, Mapping) else {}
    return ApiError(
        status=status,
        code=without_personal_data(_text(entry.get("code")) or _text(entry.get("title")) or f"http_{status}"),
        detail=without_personal_data(_text(entry.get("detail")) or ""),
        pointer=_text(source.get("pointer")),
        parameter=_text(source.get("parameter")),
        error_id=_text(entry.get("id")),
    )


def _text(value: object) -> str | None:
    return value[:500] if isinstance(value, str) and value else None
