"""The part ``earn`` of a document, and its campaigns: every way to earn, each with the fields that mean something for it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from loyalty.core.document.fields import Field, Table, read_fields, write_fields
from loyalty.core.document.kinds import KEY, WRONG, Amount, Choice, Flag, Text, Whole
from loyalty.core.document.lists import CHANNELS, TIERS, Many, Reference
from loyalty.core.document.mistakes import Notes, join, one_of
from loyalty.core.document.parts import GIVEN, GOODS, LIMIT, SCHEDULE
from loyalty.core.program import (
    GOAL_WAYS,
    ORDER_WAYS,
    WAYS,
    ActionRule,
    BirthdayRule,
    Campaign,
    GoalRule,
    Goods,
    OrderRule,
    Rule,
    Schedule,
)

MOST_RULES = 100
ROUNDINGS = ("down", "half_up", "up")
# The extra points of a campaign stand in the books under this and the campaign's key.
CAMPAIGN_KEY = "campaign_"
_NONE: frozenset[str] = frozenset()

ENABLED = Field("enabled", Flag(), "Switched on", "", default=True)
_TITLE = Field("title", Text(), "Title", "Shown in the list of ways to earn")
_POINTS = Field("points", Whole(unit="points"), "Points")
_GUESTS = Field("guests", Flag(), "Guests may earn", "People without an account", default=True)
_HOLD = Field("hold_days", Whole(0, 365, "days"), "Pending for", "Days until the points can be spent", 0)
_LIMIT = Field("limit", LIMIT, "Limit", "How often one person may earn by it", None, "no limit")
_WHEN = Field("schedule", SCHEDULE, "Schedule", "In the shop's time zone; both days belong to it", Schedule())
_WHO = Field("tiers", TIERS, "Only for these tiers", "Empty: for everybody", _NONE, "everybody")
_BOUNDS = (_LIMIT, _WHEN, _GUESTS, _WHO, _HOLD)
# A goal is had once: nobody needs a limit for it.
_GOAL_BOUNDS = _BOUNDS[1:]

_ROUNDING = Choice(
    (
        ("down", "Drop them"),
        ("half_up", "Round to the nearest point"),
        ("up", "Round up to a whole point"),
    )
)
_RATE = (
    Field("rate", Amount(Decimal(100_000), is_money=False), "Points for each unit of currency spent"),
    Field("rounding", _ROUNDING, "Fractions of a point", "", "down"),
)
_MINIMUM = Field("minimum", Amount(Decimal(10_000_000)), "Minimum order", "What counts of it", Decimal(0))
_VALUE = Field("minimum", Amount(Decimal(10_000_000)), "Value of one order", "What counts of it")
_ORDER = (
    Field("goods", GOODS, "Goods", "Which goods count", Goods()),
    Field(
        "channels",
        CHANNELS,
        "Only these sales channels",
        "Shopify's names, one a line: web, pos …",
        _NONE,
        "all",
    ),
    Field("multiplied", Flag(), "Multiplied by tiers and campaigns", "", default=True),
)
_BIRTHDAY = (
    Field("points", Whole(unit="points"), "Points", "", 0),
    Field("reward", GIVEN, "Reward", "", None),
    Field(
        "blackout_days",
        Whole(0, 366, "days"),
        "Told at least",
        "Days ahead; a birthday that is told later earns from the next year on",
        30,
    ),
)


def fields_of(way: str) -> tuple[Field, ...]:
    """The fields of a rule of this way, ``enabled`` and ``way`` aside."""
    match way:
        case "order":
            return (_TITLE, *_RATE, _MINIMUM, *_ORDER, *_BOUNDS)
        case "order_fixed":
            return (_TITLE, _POINTS, _MINIMUM, *_ORDER, *_BOUNDS)
        case "order_value_goal":
            return (_TITLE, _POINTS, _VALUE, *_ORDER, *_BOUNDS)
        case "order_count_goal":
            goal = Field("goal", Amount(Decimal(100_000), is_money=False), "Number of orders")
            return (_TITLE, _POINTS, goal, *_GOAL_BOUNDS)
        case "spend_goal":
            goal = Field("goal", Amount(Decimal(100_000_000)), "Amount spent", "On all orders together")
            return (_TITLE, _POINTS, goal, *_GOAL_BOUNDS)
        case "birthday":
            return (_TITLE, *_BIRTHDAY, *_BOUNDS)
    return (_TITLE, _POINTS, *_BOUNDS)


def read_earning(found: Any, path: str, notes: Notes) -> dict[str, tuple[Rule | None, bool]]:
    """The rules by key, each with whether it is switched on; None for one that is wrong."""
    if not isinstance(found, Mapping) or len(found) > MOST_RULES:
        notes.mistake(path, found, f"a table of at most {MOST_RULES} ways to earn")
        return {}
    rules = {}
    for key, table in found.items():
        rules[str(key)] = _read_rule(str(key), table, join(path, str(key)), notes)
    return rules


def write_rule(rule: Rule) -> dict[str, Any]:
    """The table of a rule."""
    way = {} if rule.way == rule.key else {"way": rule.way}
    return way | write_fields(fields_of(rule.way), rule)


def _read_rule(key: str, found: Any, path: str, notes: Notes) -> tuple[Rule | None, bool]:
    before = notes.count
    way = _read_way(key, found, path, notes)
    if way is None:
        return None, True
    if KEY.read(key, path, notes) is not WRONG and key.startswith(CAMPAIGN_KEY):
        notes.mistake(path, key, f"a key that does not begin with {CAMPAIGN_KEY}")
    values = read_fields((ENABLED, *fields_of(way)), found, path, notes, beside=("way",))
    _check(way, values, path, notes)
    enabled = values.pop("enabled", True)
    return (_type_of(way)(key=key, way=way, **values) if notes.count == before else None), enabled


def _read_way(key: str, found: Any, path: str, notes: Notes) -> str | None:
    if not isinstance(found, Mapping):
        notes.mistake(path, found, "a table")
        return None
    way = found.get("way")
    if way is None:
        if key in WAYS:
            return key
        notes.mistake(join(path, "way"), None, one_of(WAYS, key))
        return None
    if not isinstance(way, str) or way not in WAYS:
        notes.mistake(join(path, "way"), way, one_of(WAYS, way))
        return None
    return way


def _check(way: str, values: Mapping[str, Any], path: str, notes: Notes) -> None:
    goal = values.get("goal")
    if way == "order_count_goal" and goal is not None and goal != int(goal):
        notes.mistake(join(path, "goal"), f"{goal:f}", "a whole number of orders")
    if way == "birthday" and values.get("points") == 0 and "reward" in values and not values["reward"]:
        notes.mistake(join(path, "points"), None, "points, a reward, or both")


def _type_of(way: str) -> type[Any]:
    if way in ORDER_WAYS:
        return OrderRule
    if way in GOAL_WAYS:
        return GoalRule
    return BirthdayRule if way == "birthday" else ActionRule


def _check_campaign(values: Mapping[str, Any], path: str, notes: Notes) -> None:
    schedule = values.get("schedule")
    if schedule is not None and schedule.begins is None and schedule.ends is None:
        notes.mistake(join(path, "schedule"), {}, "a day on which it begins, or one on which it ends")
    if values.get("multiplier") == 1 and values.get("extra") == 0:
        notes.mistake(join(path, "multiplier"), "1", "a multiplier other than 1, extra points, or both")


def _campaign(*, enabled: bool, **values: Any) -> tuple[Campaign, bool]:
    return Campaign(**values), enabled


_ORDER_RULES = Many(Reference("earn", ORDER_WAYS), "keys of rules for orders", most=MOST_RULES)
CAMPAIGN_FIELDS = (
    Field("key", KEY, "Key"),
    Field("title", Text(), "Title"),
    Field("schedule", SCHEDULE, "Schedule", "In the shop's time zone; both days belong to it"),
    Field("multiplier", Amount(Decimal(100), is_money=False), "Multiplier", "2 for twice the points", Decimal(1)),
    Field("extra", Whole(unit="points"), "Extra points", "For each order", 0),
    Field("rules", _ORDER_RULES, "Only for these ways to earn", "The multiplier; empty: for all", _NONE, "all"),
    Field("channels", CHANNELS, "Only these sales channels", "Shopify's names, one a line: web, pos …", _NONE, "all"),
    _WHO,
)  # fmt: skip
CAMPAIGN = Table((ENABLED, *CAMPAIGN_FIELDS), _campaign, _check_campaign)
