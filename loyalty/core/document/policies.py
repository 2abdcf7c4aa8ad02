"""The parts of a document that are about the whole program: basis, expiry, reminders, referrals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from loyalty.core.document.fields import Field, Table
from loyalty.core.document.kinds import Amount, Choice, Flag, Text, Whole
from loyalty.core.document.lists import TIERS, Many, Reference
from loyalty.core.document.mistakes import Notes, join
from loyalty.core.document.parts import GIFT, LIMIT, SCHEDULE
from loyalty.core.moments import is_quiet
from loyalty.core.program import (
    DISCOUNTS,
    BalanceReminder,
    Basis,
    CurrencyFormat,
    Expiry,
    Gift,
    PointsName,
    Referrals,
    Schedule,
)

ENABLED = Field("enabled", Flag(), "Switched on", "", default=True)
_SHORTEST_MONTH = 28


@dataclass(frozen=True, slots=True)
class Switched:
    """Makes the value of a part that can be switched off: None then, and the rest of the part is kept for later."""

    build: Callable[..., Any]

    def __call__(self, *, enabled: bool, **values: Any) -> Any:
        value = self.build(**values)
        return value if enabled else None


POINTS = Table(
    (
        Field("one", Text(40), "Name of one point"),
        Field("many", Text(40), "Name of several points"),
    ),
    PointsName,
)

_SHOP = "as the shop writes it"


def _check_currency(values: Mapping[str, Any], path: str, notes: Notes) -> None:
    thousands, decimal = values.get("thousands"), values.get("decimal")
    if decimal is not None and thousands == decimal:
        notes.mistake(join(path, "decimal"), decimal, f"not the {thousands} that groups the digits already")


CURRENCY = Table(
    (
        Field(
            "display", Choice((("symbol", "Its symbol"), ("code", "Its code"))), "Shown by", "", None, _SHOP
        ),
        Field(
            "decimals",
            Choice((("always", "Always"), ("when_needed", "Only where they are not zero"))),
            "Decimals",
            "",
            None,
            "full in tables, short in text",
        ),
        Field(
            "position",
            Choice((("before", "Before the number"), ("after", "After the number"))),
            "Symbol or code",
            "",
            None,
            _SHOP,
        ),
        Field(
            "thousands",
            Choice(
                (
                    ("comma", "A comma: 1,000"),
                    ("point", "A point: 1.000"),
                    ("space", "A space: 1 000"),
                    ("apostrophe", "An apostrophe: 1’000"),
                    ("none", "Nothing: 1000"),
                )
            ),
            "Between thousands",
            "",
            None,
            _SHOP,
        ),
        Field(
            "decimal",
            Choice((("point", "A point: 0.50"), ("comma", "A comma: 0,50"))),
            "Before decimals",
            "",
            None,
            _SHOP,
        ),
    ),
    CurrencyFormat,
    _check_currency,
)

BASIS = Table(
    (
        Field("tax", Flag(), "Tax counts", "", default=False),
        Field("shipping", Flag(), "Shipping counts", "", default=False),
        Field("gift_cards", Flag(), "Buying gift cards counts", "", default=False),
    ),
    Basis,
)


def _check_expiry(values: Mapping[str, Any], path: str, notes: Notes) -> None:
    warning, last_chance = values.get("warning_days"), values.get("last_chance_days")
    if warning is not None and last_chance is not None and last_chance >= warning:
        notes.mistake(join(path, "last_chance_days"), last_chance, f"fewer than warning_days ({warning})")
    months = values.get("months")
    if warning is not None and months is not None and warning >= months * _SHORTEST_MONTH:
        notes.mistake(
            join(path, "warning_days"), warning, f"fewer days than it takes to expire ({months} months)"
        )


EXPIRY_FIELDS = (
    Field(
        "kind",
        Choice(
            (
                ("inactivity", "All points, when nothing was earned or spent for a while"),
                ("age", "Each point at its own age, the oldest first"),
            )
        ),
        "What expires",
    ),
    Field("months", Whole(most=120, unit="months"), "After"),
    Field("warning_days", Whole(most=365, unit="days"), "Warning before", "", 30),
    Field("last_chance_days", Whole(most=365, unit="days"), "Last chance before", "", 3),
)
EXPIRY = Table((ENABLED, *EXPIRY_FIELDS), Switched(Expiry), _check_expiry)

REMINDER_FIELDS = (
    Field(
        "every",
        Choice(
            (
                ("week", "Once a week"),
                ("month", "Once a month"),
                ("idle", "After days without activity"),
            )
        ),
        "How often",
    ),
    Field("minimum", Whole(unit="points"), "From a balance of", "", 1),
    Field("idle_days", Whole(most=3650, unit="days"), "Days without activity", "", 30),
    Field("hour", Whole(0, 23), "At", "Hour of the shop's day", 10),
    Field("quiet_from", Whole(0, 23), "Quiet from", "No reminder that comes late is sent from this hour", 21),
    Field("quiet_until", Whole(0, 23), "Quiet until", "to this one", 8),
)


def _check_reminder(values: Mapping[str, Any], path: str, notes: Notes) -> None:
    hour, begins, ends = values.get("hour"), values.get("quiet_from"), values.get("quiet_until")
    if hour is not None and begins is not None and ends is not None and is_quiet(hour, begins, ends):
        notes.mistake(join(path, "hour"), hour, "an hour outside of the quiet ones")


BALANCE_REMINDER = Table((ENABLED, *REMINDER_FIELDS), Switched(BalanceReminder), _check_reminder)

CHECKS = Choice(
    (
        ("self", "The friend is the member"),
        ("existing_customer", "The friend has ordered before"),
        ("address", "Both have the same address"),
        ("device", "Both use the same device"),
    )
)


def _check_referrals(values: Mapping[str, Any], path: str, notes: Notes) -> None:
    if values.get("advocate") == Gift():
        notes.mistake(join(path, "advocate"), {}, "points, a reward, or both")


# A friend is an e-mail address at first: only a code can be given to one, and only one that asks for an order.
_FRIEND = Reference("rewards", DISCOUNTS - {"incremental"})
REFERRALS_FIELDS = (
    Field("title", Text(), "Title", "", "Refer a friend"),
    Field("friend", _FRIEND, "The friend gets"),
    Field("advocate", GIFT, "The member gets"),
    Field("minimum", Amount(Decimal(10_000_000)), "The friend's first order, at least", "", Decimal(0)),
    Field("hold_days", Whole(0, 365, "days"), "The order must have stood for", "", 14),
    Field("limit", LIMIT, "Limit", "How many friends count", None, "no limit"),
    Field(
        "schedule", SCHEDULE, "Schedule", "When friends can be brought; both days belong to it", Schedule()
    ),
    Field("tiers", TIERS, "Only by members of these tiers", "Empty: by everybody", frozenset(), "everybody"),
    Field(
        "checks",
        Many(CHECKS, "checks", most=len(CHECKS.words)),
        "Not rewarded when",
        "",
        frozenset(CHECKS.names),
    ),
)
REFERRALS = Table((ENABLED, *REFERRALS_FIELDS), Switched(Referrals), _check_referrals)
