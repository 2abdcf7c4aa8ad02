"""Takes values out of what Shopify sent, checking each. What is wrong is named by its field; its value is never told."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from loyalty.inbox import Malformed

_LARGEST_ID = 2**63 - 1
_LARGEST = Decimal(10) ** 15
_MOST_DECIMALS = 12
# At the ends of the calendar there are instants that some zones have no date for.
_YEARS = range(1900, 9000)


def document(body: bytes) -> dict[str, Any]:
    """The JSON object of a delivery. Numbers with a fraction become exact."""
    try:
        value = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise Malformed("the body is not JSON") from None
    if not isinstance(value, dict):
        raise Malformed("the body is not an object")
    return value


def number(value: Mapping[str, Any], key: str) -> int:
    """A whole number that must be there."""
    found = value.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= _LARGEST_ID:
        raise Malformed(f"{key} is not a whole number")
    return found


def optional_number(value: Mapping[str, Any], key: str) -> int | None:
    """A whole number, or nothing."""
    return None if value.get(key) is None else number(value, key)


def text(value: Mapping[str, Any], key: str) -> str:
    """A text that must be there."""
    found = optional_text(value, key)
    if found is None:
        raise Malformed(f"{key} is not a text")
    return found


def optional_text(value: Mapping[str, Any], key: str) -> str | None:
    """A text, or nothing when it is absent or empty."""
    found = value.get(key)
    if found is None or found == "":
        return None
    if not isinstance(found, str):
        raise Malformed(f"{key} is not a text")
    # JSON can spell halves of characters and the null character, which no database takes: one odd name must not stop a batch.
    return found.encode("utf-8", "replace").decode().replace("\x00", "") or None


def flag(value: Mapping[str, Any], key: str) -> bool:
    """Yes or no; absent is no."""
    found = value.get(key, False)
    if found is None or isinstance(found, bool):
        return bool(found)
    raise Malformed(f"{key} is neither true nor false")


def instant(value: Mapping[str, Any], key: str) -> datetime:
    """A point in time with its offset, that must be there."""
    try:
        found = datetime.fromisoformat(text(value, key))
    except ValueError:
        raise Malformed(f"{key} is not a time") from None
    if found.tzinfo is None:
        raise Malformed(f"{key} has no time zone")
    if found.year not in _YEARS:
        raise Malformed(f"{key} is not a time")
    return found.astimezone(UTC)


def optional_instant(value: Mapping[str, Any], key: str) -> datetime | None:
    """A point in time, or nothing."""
    return None if value.get(key) is None else instant(value, key)


def amount(found: Any, name: str) -> Decimal:
    """An exact amount of money from a text or a number."""
    if isinstance(found, str | int | Decimal) and not isinstance(found, bool):
        try:
            value = Decimal(found)
        except InvalidOperation:
            value = Decimal("NaN")
        # ``1e-99999999`` is short to write and takes minutes to reckon with.
        if value.is_finite() and abs(value) < _LARGEST and -int(value.as_tuple().exponent) <= _MOST_DECIMALS:
            return value
    raise Malformed(f"{name} is not an amount")


def table(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object that must be there."""
    found = value.get(key)
    if not isinstance(found, dict):
        raise Malformed(f"{key} is not an object")
    return found


def tables(value: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects; absent is empty."""
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Malformed(f"{key} is not a list of objects")
    return found
