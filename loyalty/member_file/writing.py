"""Members as a CSV file in our own format, which reads back as it was written.

A text that a spreadsheet would take for a formula gets an apostrophe before it: a customer's name must not run on the merchant's machine.
"""

import csv
import io
from collections.abc import Sequence
from datetime import datetime

HEADER = (
    "email",
    "customer_id",
    "first_name",
    "last_name",
    "points",
    "tier",
    "tier_until",
    "birthday",
    "referral_code",
    "joined_at",
    "lifetime_points",
    "current_tier",
    "state",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def member_line(values: Sequence[object]) -> str:
    """A line of the file, with its end."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([_cell(value) for value in values])
    return written.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
