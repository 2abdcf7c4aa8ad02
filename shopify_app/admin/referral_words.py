"""What is said of a referral in words, to merchants and operators: its state, the reason for it, and what every check looked at and found."""

from collections.abc import Mapping
from typing import Any

from loyalty.models import Referral

WORDS: Mapping[str, str] = {
    "shared": "Invited",
    "claimed": "Waiting for an order",
    "ordered": "On hold",
    "completed": "Rewarded",
    "blocked": "Blocked",
    "cancelled": "Cancelled",
    "reversed": "Taken back",
}
TONES: Mapping[str, str] = {
    "claimed": "info",
    "ordered": "info",
    "completed": "success",
    "blocked": "critical",
    "reversed": "warning",
}
_REASONS: Mapping[str, str] = {
    "self": "The member refers themselves",
    "duplicate": "Somebody else brought this friend before",
    "existing_customer": "The friend was a customer already",
    "device": "The friend used a device of the member or of another friend",
    "address": "The order went to an address of the member",
    "limit": "The member has brought as many friends as the program lets",
    "staff": "Blocked by staff",
    "refunded": "The order was cancelled or refunded",
    "below_minimum": "The order was too small",
    "advocate_gone": "The member is gone",
}
# What each check looks at, as a merchant reads it when it passed, failed, or had nothing to look at.
_CHECKS: Mapping[str, tuple[str, str, str]] = {
    "self": ("Two different people", "One and the same person", "Not looked at"),
    "duplicate": ("Brought by nobody else", "Brought by somebody else before", "Not looked at"),
    "existing_customer": ("A new customer", "A customer already", "Not looked at"),
    "device": ("Another device", "A known device", "Device not known"),
    "address": ("Another address", "The member's address", "Addresses not known"),
    "limit": ("Within the limit", "Over the limit", "No limit to keep"),
}
_PLACES = {"passed": 0, "failed": 1, "unknown": 2}


def reason(row: Referral) -> str:
    """Why a referral is where it is; nothing where that needs no reason."""
    return _REASONS.get(row.reason, row.reason.replace("_", " ").capitalize())


def checks(row: Referral) -> list[dict[str, Any]]:
    """What each check said, and whether it would block."""
    return [
        {
            "text": _CHECKS[each["check"]][_PLACES[each["result"]]],
            "result": each["result"],
            "blocks": each["blocks"],
        }
        for each in row.checks
    ]
