"""The values of a document in words, for people who read what changed or what a rule asks."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from loyalty.core.document.fields import NOTHING, Field, Table
from loyalty.core.document.kinds import WRONG, Choice, Kind, Whole
from loyalty.core.document.lists import Many
from loyalty.core.document.mistakes import Notes, shown
from loyalty.core.program import Gift, Limit, Schedule


def in_words(kind: Kind, found: Any) -> str:
    """What stands in a document, in words. A value that is no longer right is shown as it is."""
    value = kind.read(found, "", Notes())
    return shown(found) if value is WRONG else value_in_words(kind, value)


def value_in_words(kind: Kind, value: Any) -> str:
    """A value of a program in words."""
    if value is None:
        return NOTHING
    say = _SAYS.get(type(value))
    return say(value) if say else _by_kind(kind, value)


def _by_kind(kind: Kind, value: Any) -> str:
    match kind:
        case Choice():
            return dict(kind.words).get(str(value), str(value))
        case Whole() if kind.unit:
            return f"{value:,} {kind.unit if value != 1 else kind.unit.removesuffix('s')}"
        case Many():
            said = [value_in_words(kind.kind, each) for each in value]
            return ", ".join(sorted(said) if isinstance(value, frozenset) else said) or NOTHING
        case Table():
            return _table_in_words(kind, value)
    return f"{value}"


def number_in_words(number: Decimal) -> str:
    """``1,250.5``: exact, grouped, without idle zeros; an amount in cents keeps both."""
    text = f"{number.normalize():,f}"
    return f"{number:,.2f}" if number.as_tuple().exponent == -2 and "." in text else text


def limit_in_words(limit: Limit) -> str:
    """``at most twice a month``."""
    times = {1: "once", 2: "twice"}.get(limit.times, f"{limit.times:,} times")
    match limit.per:
        case "lifetime":
            return f"at most {times}"
        case "days":
            return f"at most {times} in {limit.days} days"
    return f"at most {times} a {limit.per}"


def schedule_in_words(schedule: Schedule) -> str:
    """``from 2026-12-01 to 2026-12-24``."""
    begins = f"from {schedule.begins}" if schedule.begins else ""
    ends = f"{'to' if begins else 'until'} {schedule.ends}" if schedule.ends else ""
    return f"{begins} {ends}".strip() or "always"


def gift_in_words(gift: Gift) -> str:
    """``100 points and the reward five_off``."""
    points = [f"{gift.points:,} point{'s' if gift.points != 1 else ''}"] if gift.points else []
    reward = [f"the reward {gift.reward}"] if gift.reward else []
    return " and ".join(points + reward) or NOTHING


def _table_in_words(table: Table, value: Any) -> str:
    said = [
        f"{lower_first(field.label)} {value_in_words(field.kind, getattr(value, field.name))}"
        for field in table.fields
        if _is_said(field, value)
    ]
    return ", ".join(said) or NOTHING


def _is_said(field: Field, value: Any) -> bool:
    return hasattr(value, field.name) and (field.is_required or getattr(value, field.name) != field.default)


def lower_first(text: str) -> str:
    """A label inside a sentence."""
    return text[:1].lower() + text[1:]


_SAYS: Mapping[type, Callable[[Any], str]] = {
    bool: lambda flag: "yes" if flag else "no",
    Limit: limit_in_words,
    Schedule: schedule_in_words,
    Gift: gift_in_words,
    Decimal: number_in_words,
    date: date.isoformat,
}
