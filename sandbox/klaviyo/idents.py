"""Identifiers that look like Klaviyo's and can be turned back into row numbers, so that no index of them is kept.

Refuses to be secret or random: a sandbox should answer the same way twice.
"""

from __future__ import annotations

import hashlib

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_PROFILE = "01KSANDB0XPR0F1"
_EVENT = "5sB"


def _encode(number: int, width: int) -> str:
    out = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        out.append(_CROCKFORD[digit])
    return "".join(reversed(out))


def _decode(text: str, prefix: str, width: int) -> int | None:
    if len(text) != len(prefix) + width or not text.startswith(prefix):
        return None
    number = 0
    for letter in text[len(prefix) :]:
        digit = _CROCKFORD.find(letter)
        if digit < 0:
            return None
        number = number * 32 + digit
    return number


def profile_id(row: int) -> str:
    """A 26-character identifier for a profile row."""
    return _PROFILE + _encode(row, 11)


def profile_row(ident: str) -> int | None:
    """The row a profile identifier stands for; it may lie past the end."""
    return _decode(ident, _PROFILE, 11)


def event_id(row: int) -> str:
    """An 11-character identifier for an event row."""
    return _EVENT + _encode(row, 8)


def event_row(ident: str) -> int | None:
    """The row an event identifier stands for; it may lie past the end."""
    return _decode(ident, _EVENT, 8)


def short_id(*parts: str) -> str:
    """A six-letter identifier like those of metrics, lists and accounts, the same for the same parts."""
    digest = hashlib.sha256("\x00".join(parts).encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:6])
