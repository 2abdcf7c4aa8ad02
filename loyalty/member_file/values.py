"""What is written in a cell, as a value. Each reader gives the value, None for an empty cell, or raises ``Wrong`` with what was expected."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email

from loyalty.core.email import LONGEST, normal_email
from loyalty.core.moments import start_of

MOST_POINTS = 1_000_000_000
_USUAL_EMAIL = re.compile(
    r"[a-z0-9_+'-]+(?:\.[a-z0-9_+'-]+)*@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24}"
)
_WHOLE = re.compile(r"([+-]?[0-9]{1,18})(?:\.0+)?")
_ISO_DAY = re.compile(r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})")
_NUMBERS = re.compile(r"([0-9]{1,2})([/.])([0-9]{1,2})(?:\2([0-9]{4})?)?")
_MONTH_DAY = re.compile(r"(?:--)?([0-9]{1,2})-([0-9]{1,2})")
_INSTANT = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[ T](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]+)?)?"
    r" ?(?P<zone>Z|UTC|[+-][0-9]{2}:?[0-9]{2})?"
)
_FIRST_DAY = date(1970, 1, 1)
_LAST_DAY = date(2100, 1, 1)
_NEVER = "is a date that cannot be meant"
# No leap second and no year of its own: only there to ask whether a day exists.
_LEAP_YEAR = 2024


class Wrong(ValueError):
    """A cell that cannot be meant. The text says what was expected, and never quotes the cell."""


def plain(cell: str, longest: int) -> str | None:
    """Text as it is written, without the mark that keeps spreadsheets from reading it as a formula."""
    text = cell.strip()
    if len(text) > 1 and text[0] == "'" and text[1] in "=+-@\t\r":
        text = text[1:]
    if len(text) > longest:
        raise Wrong(f"is longer than {longest} characters")
    if not text.isprintable():
        raise Wrong("has a character that is not text")
    return text or None


def email(cell: str) -> str | None:
    """A normalised address."""
    text = plain(cell, LONGEST)
    if text is None:
        return None
    address = normal_email(text)
    if address is None:
        raise Wrong("is not an e-mail address")
    if not _USUAL_EMAIL.fullmatch(address):
        try:
            validate_email(address, check_deliverability=False, test_environment=True)
        except EmailNotValidError:
            raise Wrong("is not an e-mail address") from None
    return address


def whole(cell: str, *, least: int = 0, most: int = MOST_POINTS) -> int | None:
    """A whole number, as spreadsheets write it (``120`` or ``120.00``)."""
    text = cell.strip()
    if not text:
        return None
    found = _WHOLE.fullmatch(text)
    if found is None:
        raise Wrong("is not a whole number (write it without separators, like 52620)")
    number = int(found[1])
    if number > most:
        raise Wrong(f"is more than {most}")
    if number < least:
        raise Wrong("is less than nothing" if least == 0 else f"is less than {least}")
    return number


def customer_id(cell: str) -> int | None:
    """A customer's number at Shopify, bare or as the end of its global id."""
    text = cell.strip().removeprefix("gid://shopify/Customer/").lstrip("'")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) == 0:
        raise Wrong("is not the number of a customer at Shopify")
    return int(text)


def tier(cell: str, tiers: Mapping[str, str]) -> str | None:
    """The key of a tier, by its key or its title, in any case."""
    text = plain(cell, 120)
    if text is None or text.casefold() in ("none", "no tier", "-"):
        return None
    key = tiers.get(text.casefold())
    if key is None:
        raise Wrong("is not a tier of the program")
    return key


def birthday(cell: str, *, day_first: bool) -> tuple[int, int] | None:
    """Month and day; a year is read over."""
    text = cell.strip()
    if not text:
        return None
    short = _MONTH_DAY.fullmatch(text)
    try:
        if short:
            day = date(_LEAP_YEAR, int(short[1]), int(short[2]))
        else:
            day = _day(text, day_first=day_first, year=_LEAP_YEAR)
    except ValueError:
        raise Wrong(
            f"is not a birthday (write {_examples('1990-12-25', '12-25', day_first=day_first)})"
        ) from None
    return day.month, day.day


def moment(cell: str, zone: ZoneInfo, *, day_first: bool) -> datetime | None:
    """An instant; a day is its beginning in the shop's time zone, a time without a zone is the shop's."""
    text = cell.strip()
    if not text:
        return None
    try:
        at = _instant(text, zone) or start_of(_day(text, day_first=day_first), zone)
    except ValueError:
        raise Wrong(
            f"is not a date (write {_examples('2024-03-01', '2024-03-01 14:30', day_first=day_first)})"
        ) from None
    except OverflowError:  # the first or the last day of all, in which the time in UTC has no place
        raise Wrong(_NEVER) from None
    if not _FIRST_DAY <= at.date() < _LAST_DAY:
        raise Wrong(_NEVER)
    return at


def _instant(text: str, zone: ZoneInfo) -> datetime | None:
    found = _INSTANT.fullmatch(text)
    if found is None:
        return None
    day = date.fromisoformat(found["day"])
    clock = (int(found["hour"]), int(found["minute"]), int(found["second"] or 0))
    return datetime(day.year, day.month, day.day, *clock, tzinfo=_zone(found["zone"], zone)).astimezone(UTC)


def _zone(text: str | None, zone: ZoneInfo) -> timezone | ZoneInfo:
    if text is None:
        return zone
    if text in ("Z", "UTC"):
        return UTC
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:])))


def _day(text: str, *, day_first: bool, year: int | None = None) -> date:
    """A day as digits. With points the day comes first, with strokes the month does unless ``day_first``. ``year`` is for days without one,
    and instead of one."""
    found = _ISO_DAY.fullmatch(text)
    if found:
        return date(year or int(found[1]), int(found[2]), int(found[3]))
    found = _NUMBERS.fullmatch(text)
    if found is None or (year is None and found[4] is None):
        raise ValueError(text)
    one, other = int(found[1]), int(found[3])
    month, day = (other, one) if day_first or found[2] == "." else (one, other)
    return date(year or int(found[4]), month, day)


def _examples(*texts: str, day_first: bool) -> str:
    return ", ".join(texts) + (" or 25/12/1990" if day_first else " or 12/25/1990")
