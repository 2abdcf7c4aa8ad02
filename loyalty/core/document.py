"""Reads and checks a program document. A mistake names its path, the value found and what was expected, and nothing is taken.

The document is plain data (from TOML, JSON or a form): ``points``, ``earn.order``, ``earn.signup``, ``earn.review`` and a list
``rewards``. Unknown keys are mistakes, because a misspelt key would otherwise switch a rule off in silence.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from loyalty.core.program import ActionRule, OrderRule, PointsName, Program, Reward

ROUNDINGS = ("down", "half_up", "up")
MOST_POINTS = 1_000_000_000
MOST_REWARDS = 50
_KEY = re.compile(r"[a-z][a-z0-9_]{0,49}")
# Control characters and halves of surrogate pairs: no database takes all of them, and nobody can read them.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DECIMAL = re.compile(r"\d{1,12}(\.\d{1,4})?", re.ASCII)

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


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with a document."""

    path: str
    found: Any
    expected: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, found {self.found!r}"


class ProgramInvalid(ValueError):
    """A program document has mistakes; ``mistakes`` lists all of them."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(str(mistake) for mistake in self.mistakes))


def parse_program(document: Mapping[str, Any], *, version: int) -> Program:
    """Turn a document into a Program, or raise ``ProgramInvalid`` with every mistake in it."""
    reader = _Reader(mistakes=[])
    top = reader.table(document, "", {"points", "earn", "rewards"})
    names = reader.table(top.get("points", {}), "points", {"one", "many"})
    earn = reader.table(top.get("earn", {}), "earn", {"order", "signup", "review"})
    program = Program(
        version=version,
        points_name=PointsName(
            reader.text(names, "one", "points", limit=40), reader.text(names, "many", "points", limit=40)
        ),
        earning=tuple(
            rule
            for rule in (
                _order_rule(reader, earn),
                _fixed_rule(reader, earn, "signup"),
                _fixed_rule(reader, earn, "review"),
            )
            if rule is not None
        ),
        rewards=_rewards(reader, top.get("rewards", [])),
    )
    if reader.mistakes:
        raise ProgramInvalid(reader.mistakes)
    return program


def _order_rule(reader: "_Reader", earn: Mapping[str, Any]) -> OrderRule | None:
    if "order" not in earn:
        return None
    rule = reader.table(earn["order"], "earn.order", {"enabled", "title", "rate", "rounding"})
    enabled = reader.flag(rule, "enabled", "earn.order")
    parsed = OrderRule(
        key="order",
        way="order",
        title=reader.text(rule, "title", "earn.order", limit=120),
        rate=reader.amount(rule, "rate", "earn.order", most=Decimal(100_000)),
        rounding=reader.choice(rule, "rounding", "earn.order", ROUNDINGS),
    )
    return parsed if enabled else None


def _fixed_rule(reader: "_Reader", earn: Mapping[str, Any], key: str) -> ActionRule | None:
    if key not in earn:
        return None
    path = f"earn.{key}"
    rule = reader.table(earn[key], path, {"enabled", "title", "points"})
    enabled = reader.flag(rule, "enabled", path)
    parsed = ActionRule(
        key=key,
        way=key,
        title=reader.text(rule, "title", path, limit=120),
        points=reader.whole(rule, "points", path),
    )
    return parsed if enabled else None


def _rewards(reader: "_Reader", found: Any) -> tuple[Reward, ...]:
    if not isinstance(found, list) or len(found) > MOST_REWARDS:
        reader.mistake("rewards", found, f"a list of at most {MOST_REWARDS} rewards")
        return ()
    rewards = tuple(_reward(reader, value, f"rewards[{place}]") for place, value in enumerate(found))
    keys = [reward.key for reward in rewards]
    for place, key in enumerate(keys):
        if key and key in keys[:place]:
            reader.mistake(f"rewards[{place}].key", key, "a key that no other reward has")
    return rewards


def _reward(reader: "_Reader", found: Any, path: str) -> Reward:
    fields = {"key", "title", "points", "amount", "minimum_subtotal", "expires_after_days"}
    value = reader.table(found, path, fields)
    key = reader.text(value, "key", path, limit=50)
    if key and not _KEY.fullmatch(key):
        reader.mistake(f"{path}.key", key, "lower-case letters, digits and _, beginning with a letter")
    return Reward(
        key=key,
        kind="amount_off",
        title=reader.text(value, "title", path, limit=120),
        points=reader.whole(value, "points", path),
        amount=reader.amount(value, "amount", path, most=Decimal(1_000_000)),
        minimum_subtotal=(
            reader.amount(value, "minimum_subtotal", path, most=Decimal(10_000_000))
            if value.get("minimum_subtotal") is not None
            else None
        ),
        expires_after_days=(
            reader.whole(value, "expires_after_days", path, most=3650)
            if value.get("expires_after_days") is not None
            else None
        ),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Takes values out of a document and notes what is wrong with them, so that one pass reports every mistake."""

    mistakes: list[Mistake]

    def mistake(self, path: str, found: Any, expected: str) -> None:
        self.mistakes.append(Mistake(path, found, expected))

    def table(self, found: Any, path: str, fields: set[str]) -> Mapping[str, Any]:
        if not isinstance(found, Mapping):
            self.mistake(path or "document", found, "a table")
            return {}
        for unknown in sorted(str(key) for key in found if key not in fields):
            self.mistake(_join(path, unknown), found.get(unknown), f"one of {', '.join(sorted(fields))}")
        return found

    def text(self, table: Mapping[str, Any], key: str, path: str, *, limit: int) -> str:
        found = table.get(key)
        if (
            not isinstance(found, str)
            or not found.strip()
            or len(found) > limit
            or _UNPRINTABLE.search(found)
        ):
            self.mistake(_join(path, key), found, f"a text of 1 to {limit} characters, on one line")
            return ""
        return found.strip()

    def flag(self, table: Mapping[str, Any], key: str, path: str) -> bool:
        found = table.get(key, True)
        if not isinstance(found, bool):
            self.mistake(_join(path, key), found, "true or false")
        return found is True

    def choice(self, table: Mapping[str, Any], key: str, path: str, choices: tuple[str, ...]) -> str:
        found = table.get(key, choices[0])
        if found not in choices:
            self.mistake(_join(path, key), found, f"one of {', '.join(choices)}")
            return choices[0]
        return str(found)

    def whole(self, table: Mapping[str, Any], key: str, path: str, *, most: int = MOST_POINTS) -> int:
        found = table.get(key)
        if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= most:
            self.mistake(_join(path, key), found, f"a whole number from 1 to {most}")
            return 1
        return found

    def amount(self, table: Mapping[str, Any], key: str, path: str, *, most: Decimal) -> Decimal:
        """A positive decimal. Text or a whole number, never a float: 0.1 has no exact binary form."""
        found = table.get(key)
        expected = f"a decimal number in quotes, more than 0 and at most {most}, with at most 4 decimals"
        amount = Decimal(0)
        match found:
            case str() if _DECIMAL.fullmatch(found):
                amount = Decimal(found)
            case int() if not isinstance(found, bool):
                amount = Decimal(found)
        if not 0 < amount <= most:
            self.mistake(_join(path, key), found, expected)
            return Decimal(1)
        return amount


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
