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
# What each check looks at, as a merchant reads it when it passed, failed, or was not made for a reason that nobody wrote down.
_CHECKS: Mapping[str, tuple[str, str, str]] = {
    "self": ("Two different people", "One and the same person", "Not checked"),
    "duplicate": ("Brought by nobody else", "Brought by somebody else before", "Not checked"),
    "existing_customer": ("A new customer", "A customer already", "Not checked"),
    "device": ("Another device", "A known device", "Not checked: a device is not known"),
    "address": ("Another address", "The member's address", "Not checked: an address is not known"),
    "limit": ("Within the limit", "Over the limit", "Not checked"),
}
_NO_ORDER = "no order of the friend's counts so far"
# What a check had nothing of, and what that means for it.
_NOT_MADE: Mapping[tuple[str, str], str] = {
    ("self", "friend"): "E-mail addresses not compared: none is known of the friend",
    ("self", "advocate"): "E-mail addresses not compared: none is known of the member",
    ("device", "friend"): "Devices not compared: none is known of the friend",
    ("device", "advocate"): "Devices not compared: none is known of the member",
    ("address", "order"): f"Addresses not compared yet: {_NO_ORDER}",
    ("address", "friend"): "Addresses not compared: the friend's order has none that is known",
    ("address", "advocate"): "Addresses not compared: none is known of the member's own orders",
    ("limit", "order"): f"Not counted yet: {_NO_ORDER}",
    ("limit", "limit"): "No limit to keep",
}
_PLACES = {"passed": 0, "failed": 1, "unknown": 2}


def reason(row: Referral) -> str:
    """Why a referral is where it is; nothing where that needs no reason."""
    return _REASONS.get(row.reason, row.reason.replace("_", " ").capitalize())


def checks(row: Referral) -> list[dict[str, Any]]:
    """What each check said, and whether it would block."""
    return [
        {
            "text": _NOT_MADE.get((each["check"], each.get("missing", "")))
            or _CHECKS[each["check"]][_PLACES[each["result"]]],
            "result": each["result"],
            "blocks": each["blocks"],
        }
        for each in row.checks
    ]


def summary(row: Referral) -> str:
    """All checks in a line: how many failed, and how many were not made for lack of something to look at."""
    failed = sum(each["result"] == "failed" for each in row.checks)
    blind = sum(each["result"] == "unknown" and each.get("missing") != "limit" for each in row.checks)
    told = f"{failed} of {len(row.checks)} checks failed" if failed else "No check failed"
    return f"{told}, {blind} not made" if blind else told
