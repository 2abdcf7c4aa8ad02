"""Readers that the tables of several vendors share. Each answers one question of a telling, and None when that is not known."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from klaviyo_oauth.dialects.dialect import Person, Telling
from klaviyo_oauth.standing import Standing


def said(*names: str) -> Callable[[Telling], Any]:
    """What the news itself says under the first of these names (ours) that it has."""
    return lambda telling: next((telling.said[name] for name in names if name in telling.said), None)


def always(value: str | int) -> Callable[[Telling], Any]:
    """The same in every event."""
    return lambda _telling: value


def now(reader: Callable[[Standing], Any]) -> Callable[[Telling], Any]:
    """What is true of whom it is told now, where the news froze nothing."""
    return lambda telling: reader(telling.person.standing) if telling.person is not None else None


def of_person(reader: Callable[[Person], Any]) -> Callable[[Telling], Any]:
    """What is known of whom it is told."""
    return lambda telling: reader(telling.person) if telling.person is not None else None


def balance(telling: Telling) -> int | None:
    """The points there were when it happened; for news that froze none, those there are now."""
    frozen = telling.said.get("points_balance")
    return frozen if frozen is not None else now(lambda standing: standing.balance)(telling)


def occurred(telling: Telling) -> str:
    """When it happened."""
    return instant(telling.message.occurred_at) or ""


def name_of(person: Person | None) -> str | None:
    """What somebody is called."""
    if person is None:
        return None
    return " ".join(part for part in (person.who.first_name, person.who.last_name) if part) or None


def instant(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat()


def yearless(standing: Standing, form: str) -> str | None:
    """A birthday in a form that has a year, which nobody was asked for: ``form`` brings one."""
    if standing.birthday_month is None or standing.birthday_day is None:
        return None
    return form.format(month=standing.birthday_month, day=standing.birthday_day)


def number_of(key: str | None) -> int | None:
    """A number for a key, where a vendor has numbers and we have names: the one that the key ends with (``gold_48213``), so that whoever
    moves can keep theirs; otherwise one that is made of the key and never changes while it does not."""
    if not key:
        return None
    end = key.rpartition("_")[2]
    return int(end) if end.isdecimal() else crc32(key.encode())
