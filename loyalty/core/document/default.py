"""The program that a shop begins with."""

from typing import Any

DEFAULT_DOCUMENT: dict[str, Any] = {
    "points": {"one": "point", "many": "points"},
    "earn": {
        "order": {"enabled": True, "title": "Place an order", "rate": "1", "rounding": "down"},
        "signup": {"enabled": True, "title": "Create an account", "points": 100},
        "review": {"enabled": True, "title": "Leave a verified review", "points": 50},
    },
    "rewards": [
        {"key": "five_off", "title": "$5 off", "points": 500, "amount": "5.00", "expires_after_days": 90}
    ],
}
