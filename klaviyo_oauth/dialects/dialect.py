"""What a dialect is: the names under which Klaviyo is told of things, as tables. It knows no vendor and sends nothing.

A dialect is data. Its readers are one-line functions of what is being told; whatever takes more thought belongs to
``klaviyo_oauth.event_properties`` and ``klaviyo_oauth.standing``, where all dialects have it from.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from klaviyo_oauth.standing import ShopView, Standing
from loyalty.delivery import Message, Recipient

PropertyValue = str | int | float | bool | list[str]

NUMBER, TEXT, DATE, MOMENT, FLAG, TEXTS = (
    "number",
    "text",
    "date",
    "date and time",
    "yes or no",
    "list of texts",
)


class Person(NamedTuple):
    """Somebody whom news is about: who they are, and what is true of them now."""

    who: Recipient
    standing: Standing


class Telling(NamedTuple):
    """One piece of news on its way: the message, what it says under our own names, the shop, and the people in it as far as they may be named.

    ``person`` is whom it is told; ``advocate`` and ``friend`` are the two sides of a referral.
    """

    message: Message
    said: Mapping[str, Any]
    shop: ShopView
    person: Person | None = None
    advocate: Person | None = None
    friend: Person | None = None


Reader = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Inner:
    """A reader of an object inside an event: its keys, and whom or what they are read from (nothing there: no object)."""

    keys: Mapping[str, Reader]
    of: Reader = lambda telling: telling

    def __call__(self, telling: Any) -> dict[str, Any] | None:
        found = self.of(telling)
        return read(self.keys, found) or None if found is not None else None


@dataclass(frozen=True, slots=True)
class Metric:
    """One kind of event: what it is called, of which of our news it tells, and what it says.

    ``only``: the news must have one of these values under each of these names (``sign`` is ``+`` or ``-``). ``keys`` of None: everything
    that is known, under our own names. A key ``$value`` becomes the event's value at Klaviyo.
    """

    name: str
    kind: str
    keys: Mapping[str, Reader] | None = None
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def tells(self, message: Message) -> bool:
        """Whether this metric tells of a message."""
        if message.kind != self.kind:
            return False
        said = message.payload
        return all(_trait(said, name) in allowed for name, allowed in self.only.items())

    def words(self, telling: Telling) -> dict[str, Any]:
        """What the event says."""
        return dict(telling.said) if self.keys is None else read(self.keys, telling)


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a profile. ``type`` is for people. ``stays``: where we know no value, whatever is on the profile is left alone, since
    what somebody else knew of a person (a birthday) has not become wrong; any other property is taken off."""

    read: Callable[[Standing], PropertyValue | None]
    type: str
    stays: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way of naming everything. ``notes`` are what merchants should know of it: what has no counterpart, which names were guessed."""

    key: str
    title: str
    metrics: tuple[Metric, ...]
    properties: Mapping[str, Property]
    notes: tuple[str, ...] = ()

    def of(self, message: Message) -> tuple[Metric, ...]:
        """The metrics that tell of a message: nearly always one, and none where this dialect has no name for it."""
        return tuple(metric for metric in self.metrics if metric.tells(message))


def metric(
    name: str, kind: str, keys: Mapping[str, Reader] | None = None, **only: str | tuple[str, ...]
) -> Metric:
    """A row of a table of metrics."""
    allowed = {
        trait: frozenset((value,) if isinstance(value, str) else value) for trait, value in only.items()
    }
    return Metric(name, kind, keys, allowed)


def read(keys: Mapping[str, Reader], telling: Any) -> dict[str, Any]:
    """What is known of the keys. What is not known, or empty, is not said: to Klaviyo that is the same."""
    found = ((name, reader(telling)) for name, reader in keys.items())
    return {name: value for name, value in found if value is not None and value not in ("", {}, [])}


def key_names(keys: Mapping[str, Reader], *, within: str = "") -> Iterator[str]:
    """The names of keys for people to read, those of inner objects with dots."""
    for name, reader in keys.items():
        if isinstance(reader, Inner):
            yield from key_names(reader.keys, within=f"{within}{name}.")
        else:
            yield f"{within}{name}"


def _trait(said: Mapping[str, Any], name: str) -> str | None:
    if name != "sign":
        return said.get(name)
    points = said.get("points")
    return None if not isinstance(points, int) or not points else "+" if points > 0 else "-"
