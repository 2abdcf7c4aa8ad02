"""The small tables that several rules share: limits, schedules, goods, gifts."""

from collections.abc import Mapping
from typing import Any

from loyalty.core.document.fields import Field, Table
from loyalty.core.document.kinds import Choice, Day, Whole
from loyalty.core.document.lists import COLLECTIONS, PRODUCTS, TAGS, Reference
from loyalty.core.document.mistakes import Notes, join
from loyalty.core.program import REWARD_KINDS, Gift, Goods, Limit, Schedule

_PERIODS = (
    ("day", "day"),
    ("week", "week"),
    ("month", "month"),
    ("year", "year"),
    ("lifetime", "lifetime"),
    ("days", "rolling number of days"),
)


def _check_limit(values: Mapping[str, Any], path: str, notes: Notes) -> None:
    if "per" not in values or "days" not in values:
        return
    if values["per"] == "days" and values["days"] is None:
        notes.mistake(join(path, "days"), None, 'a number of days, because per is "days"')
    if values["per"] != "days" and values["days"] is not None:
        notes.mistake(join(path, "days"), values["days"], 'nothing, unless per is "days"')


def _check_schedule(values: Mapping[str, Any], path: str, notes: Notes) -> None:
    begins, ends = values.get("begins"), values.get("ends")
    if begins and ends and ends < begins:
        notes.mistake(
            join(path, "ends"), ends.isoformat(), f"a day that is not before it begins ({begins.isoformat()})"
        )


def _check_goods(values: Mapping[str, Any], path: str, notes: Notes) -> None:
    for name in ("products", "collections", "tags"):
        without = f"without_{name}"
        both = values.get(name, frozenset()) & values.get(without, frozenset())
        if both:
            notes.mistake(join(path, without), sorted(both), f"none of the {name} that are included")


LIMIT = Table(
    (
        Field("times", Whole(most=1_000_000), "At most", "How often somebody may have it"),
        Field("per", Choice(_PERIODS), "In each", "Of the shop's calendar"),
        Field("days", Whole(most=3650, unit="days"), "Days", "For a rolling number of days", None),
    ),
    Limit,
    _check_limit,
)

SCHEDULE = Table(
    (
        Field("begins", Day(), "First day", "Empty: from the start", None),
        Field("ends", Day(), "Last day", "Empty: for ever", None),
    ),
    Schedule,
    _check_schedule,
)

_NONE: frozenset[Any] = frozenset()

GOODS = Table(
    (
        Field("products", PRODUCTS, "Only these products", "Shopify's ids, one a line", _NONE, "all"),
        Field(
            "collections", COLLECTIONS, "Only these collections", "Shopify's ids, one a line", _NONE, "all"
        ),
        Field("tags", TAGS, "Only products with these tags", "", _NONE, "all"),
        Field("without_products", PRODUCTS, "Without these products", "Shopify's ids, one a line", _NONE),
        Field(
            "without_collections",
            COLLECTIONS,
            "Without these collections",
            "Shopify's ids, one a line",
            _NONE,
        ),
        Field("without_tags", TAGS, "Without products with these tags", "", _NONE),
    ),
    Goods,
    _check_goods,
)

# What can be given has a value of its own; of an incremental reward somebody has to choose how much.
GIVEN = Reference("rewards", REWARD_KINDS - {"incremental"})

GIFT = Table(
    (
        Field("points", Whole(unit="points"), "Points", "", 0),
        Field("reward", GIVEN, "Reward", "", None),
    ),
    Gift,
)
