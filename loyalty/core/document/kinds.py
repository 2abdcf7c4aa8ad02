"""The kinds of single values in a document: how each is read, what is expected of it, and how it is written again.

A kind never guesses: a float is no amount of money and a text is no number. ``read`` notes what is wrong and answers ``WRONG``.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo, available_timezones

from loyalty.core.document.mistakes import Notes, one_of

MOST_POINTS = 1_000_000_000
WRONG: Final = object()
# Control characters and halves of surrogate pairs: no database takes all of them, and nobody can read them.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DECIMAL = re.compile(r"\d{1,12}(\.\d{1,4})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_KEY = re.compile(r"[a-z][a-z0-9_]{0,49}")


class Kind(Protocol):
    """One kind of value."""

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        """The value, or ``WRONG`` after noting why it is none."""
        ...

    def write(self, value: Any) -> Any:
        """The value as plain data; ``read`` gives it back."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A text on one line."""

    limit: int = 120

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        if not is_text(found, self.limit):
            notes.mistake(path, found, f"a text of 1 to {self.limit} characters, on one line")
            return WRONG
        return found.strip()

    def write(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text of a given shape, which ``says`` describes."""

    shape: str
    says: str

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        if not isinstance(found, str) or not re.fullmatch(self.shape, found, re.ASCII):
            notes.mistake(path, found, self.says)
            return WRONG
        return found

    def write(self, value: Any) -> Any:
        return value


KEY = Pattern(_KEY.pattern, "1 to 50 lower-case letters, digits and _, beginning with a letter")


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        if not isinstance(found, bool):
            notes.mistake(path, found, "true or false")
            return WRONG
        return found

    def write(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some names. ``words`` says each of them for people, in the order in which they are offered."""

    words: tuple[tuple[str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What may stand in a document."""
        return tuple(name for name, _ in self.words)

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        if not isinstance(found, str) or found not in self.names:
            notes.mistake(path, found, one_of(self.names, found))
            return WRONG
        return found

    def write(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number. ``unit`` is what it counts, for people."""

    least: int = 1
    most: int = MOST_POINTS
    unit: str = ""

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        if not isinstance(found, int) or isinstance(found, bool) or not self.least <= found <= self.most:
            notes.mistake(path, found, f"a whole number from {self.least} to {self.most}")
            return WRONG
        return found

    def write(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact decimal number: a text, or a whole number where it is one. Never a float, because 0.1 has no exact binary form.
    ``is_money``: in the shop's currency."""

    most: Decimal = Decimal(1_000_000)
    zero: bool = False
    is_money: bool = True

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        amount = Decimal(-1)
        match found:
            case str() if _DECIMAL.fullmatch(found):
                amount = Decimal(found)
            case int() if not isinstance(found, bool):
                amount = Decimal(found)
        if amount > self.most or amount < 0 or (amount == 0 and not self.zero):
            least = "0 or more" if self.zero else "more than 0"
            notes.mistake(
                path,
                found,
                f"a decimal number in quotes, {least} and at most {self.most}, with at most 4 decimals",
            )
            return WRONG
        return amount

    def write(self, value: Any) -> Any:
        return f"{value:f}"


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the shop's calendar. TOML has dates of its own; JSON and forms write them as text."""

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        day = _day(found)
        if day is None:
            notes.mistake(path, found, "a date like 2026-12-31")
            return WRONG
        return day

    def write(self, value: Any) -> Any:
        return value.isoformat()


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone by its name."""

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        if not isinstance(found, str) or found not in zones():
            # All names would be hundreds: only the nearest one helps.
            near = one_of(zones(), found).rpartition(" (did you mean ")[2] if isinstance(found, str) else ""
            hint = f" (did you mean {near}" if near.endswith("?)") else ""
            notes.mistake(path, found, f"the name of a time zone, like Europe/Berlin{hint}")
            return WRONG
        return ZoneInfo(found)

    def write(self, value: Any) -> Any:
        return value.key


@lru_cache(maxsize=1)
def zones() -> Collection[str]:
    """The time zones that there are."""
    return frozenset(available_timezones())


def is_text(found: Any, limit: int) -> bool:
    """Whether this is something that people can read on one line."""
    return (
        isinstance(found, str)
        and bool(found.strip())
        and len(found) <= limit
        and not _UNPRINTABLE.search(found)
    )


def _day(found: Any) -> date | None:
    if isinstance(found, date) and not isinstance(found, datetime):
        return found
    if isinstance(found, str) and _DAY.fullmatch(found):
        try:
            return date.fromisoformat(found)
        except ValueError:
            return None
    return None
