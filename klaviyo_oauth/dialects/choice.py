"""The dialects that a shop's connection speaks: what each event is called in each of them, and what a profile shows in all of them together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from klaviyo_oauth.dialects.beans import BEANS
from klaviyo_oauth.dialects.dialect import Dialect, Property, PropertyValue, Telling
from klaviyo_oauth.dialects.influence import INFLUENCE
from klaviyo_oauth.dialects.laurel import LAUREL
from klaviyo_oauth.dialects.smile import SMILE
from klaviyo_oauth.dialects.stamped import STAMPED
from klaviyo_oauth.standing import Standing
from loyalty.delivery import Message

DIALECTS: Mapping[str, Dialect] = {each.key: each for each in (LAUREL, SMILE, STAMPED, BEANS, INFLUENCE)}
_OURS = frozenset(metric.name for metric in LAUREL.metrics)
_VALUE = "$value"


class Shown(NamedTuple):
    """What a profile shall show: properties with their values, and the names of those that it shall not have (any more)."""

    properties: dict[str, PropertyValue]
    unset: list[str]


class Event(NamedTuple):
    """One event as it is told. ``unique_id`` makes it one of its kind: the same news under the same name is the same event, whatever
    dialects were chosen when it was told."""

    metric: str
    unique_id: str
    properties: dict[str, Any]
    value: int | float | None = None


@dataclass(frozen=True)
class Choice:
    """The dialects that are spoken, in the order of ``DIALECTS``, and those that were ``left``: what we wrote in these is taken off."""

    spoken: tuple[Dialect, ...] = (LAUREL,)
    left: tuple[Dialect, ...] = ()
    _shown: tuple[tuple[str, Property], ...] = field(init=False, repr=False, compare=False)
    _left: tuple[tuple[str, Property], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shown = {name: each for dialect in self.spoken for name, each in dialect.properties.items()}
        left = {name: each for dialect in self.left for name, each in dialect.properties.items()}
        object.__setattr__(self, "_shown", tuple(shown.items()))
        object.__setattr__(self, "_left", tuple((name, left[name]) for name in left if name not in shown))

    def show(self, standing: Standing) -> Shown:
        """What one member's profile shows."""
        properties: dict[str, PropertyValue] = {}
        unset: list[str] = []
        for name, each in self._shown:
            value = each.read(standing)
            if value is not None:
                properties[name] = value
            elif not each.stays:
                unset.append(name)
        # Where something stays when we know nothing, it is ours only where we do know something.
        unset.extend(name for name, each in self._left if not each.stays or each.read(standing) is not None)
        return Shown(properties, unset)

    @property
    def properties(self) -> tuple[str, ...]:
        """The names of all properties that may be ours on a profile."""
        return tuple(name for name, _ in self._shown + self._left)

    @property
    def keys(self) -> str:
        """The dialects that are spoken, as they are kept with the connection."""
        return " ".join(dialect.key for dialect in self.spoken)

    @property
    def ident(self) -> str:
        """What makes this choice another than any other: what is spoken and what was left."""
        return " ".join([self.keys, *(f"-{dialect.key}" for dialect in self.left)])

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of all events that there may be."""
        return tuple(dict.fromkeys(metric.name for dialect in self.spoken for metric in dialect.metrics))

    def names(self, message: Message) -> tuple[str, ...]:
        """The metrics under which a message is told."""
        found = (metric.name for dialect in self.spoken for metric in dialect.of(message))
        return tuple(dict.fromkeys(found))

    def tell(self, telling: Telling) -> list[Event]:
        """The events that a piece of news becomes; none where no chosen dialect has a name for it. What several dialects call by the same
        name is one event, which says what each of them says."""
        words: dict[str, dict[str, Any]] = {}
        for dialect in self.spoken:
            for metric in dialect.of(telling.message):
                words[metric.name] = metric.words(telling) | words.get(metric.name, {})
        return [_event(name, said, telling.message) for name, said in words.items()]


def choice(spoken: Iterable[str], left: Iterable[str] = ()) -> Choice:
    """The choice with these keys, in the order in which dialects are always told; keys that no dialect has are passed over."""
    wanted, gone = frozenset(spoken), frozenset(left)
    return Choice(
        tuple(each for key, each in DIALECTS.items() if key in wanted),
        tuple(each for key, each in DIALECTS.items() if key in gone - wanted),
    )


def _event(name: str, said: dict[str, Any], message: Message) -> Event:
    unique_id = message.unique_id if name in _OURS else f"{message.unique_id}:{name}"
    return Event(name, unique_id, said, said.pop(_VALUE, None))
