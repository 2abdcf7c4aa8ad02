"""What is different between two documents, for people. Things are matched by their keys, and values compared by what they mean: ``"5.00"``
and ``5`` are the same amount, and what is left out is the same as what it is by default."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loyalty.core.document import earning, rewards
from loyalty.core.document.fields import NOTHING, Field, Table
from loyalty.core.document.kinds import WRONG
from loyalty.core.document.mistakes import Notes, join
from loyalty.core.document.program import FIELDS
from loyalty.core.document.text import plain
from loyalty.core.document.tiers import TIER
from loyalty.core.document.words import in_words, lower_first, value_in_words

# These tables are a few words as a whole; others are told part by part.
_SHORT = frozenset({"limit", "schedule", "entry", "advocate"})


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``old`` and ``new`` are what stands in the documents (None where nothing does); ``text`` says it for people."""

    path: str
    old: Any
    new: Any
    text: str


@dataclass(frozen=True, slots=True)
class _Things:
    """Things of one sort, told apart by their keys. ``fields`` are those of one thing; ``sort`` names what makes it one of its sort."""

    noun: str
    path: str
    fields: Callable[[str], Sequence[Field]]
    sort: Callable[[str, Mapping[str, Any]], str] = lambda _key, _thing: ""

    def place(self, key: str) -> str:
        """The path of the thing with this key."""
        return join(self.path, key) if self.path == "earn" else f"{self.path}[{key}]"


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """All changes from one valid document to another, in the order of a document."""
    before, after = plain(old), plain(new)
    return tuple(_changes(before, after))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    plain_fields = [field for field in FIELDS if field.name not in ("rewards", "campaigns")]
    yield from _in_table(plain_fields, before, after, "", "")
    yield from _in_things(_EARN, before.get("earn", {}), after.get("earn", {}))
    for things in (_CAMPAIGNS, _REWARDS):
        yield from _in_things(things, _by_key(before.get(things.path)), _by_key(after.get(things.path)))


def _in_table(
    fields: Sequence[Field], before: Mapping[str, Any], after: Mapping[str, Any], path: str, subject: str
) -> Iterator[Change]:
    for field in fields:
        old, new = before.get(field.name), after.get(field.name)
        if field.name == "ladder":
            yield from _in_things(_TIERS, _by_key(old), _by_key(new))
        elif _value(field, old) != _value(field, new):
            yield from _in_field(field, old, new, join(path, field.name), subject)


def _in_field(field: Field, old: Any, new: Any, path: str, subject: str) -> Iterator[Change]:
    label = f"{subject}, {lower_first(field.label)}" if subject else field.label
    if field.name == "enabled":
        yield Change(path, old, new, f"{subject}: switched {'off' if new is False else 'on'}")
        return
    if isinstance(field.kind, Table) and field.name not in _SHORT:
        if field.default is not None:  # what is left out is a table with nothing said
            old, new = old or {}, new or {}
        if old is None or new is None:
            yield Change(path, old, new, f"{label}: {'added' if old is None else 'removed'}")
        else:
            yield from _in_table(field.kind.fields, old, new, path, label)
        return
    yield Change(path, old, new, f"{label}: {_said(field, old)} → {_said(field, new)}")


def _in_things(things: _Things, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for key in [*before, *(key for key in after if key not in before)]:
        yield from _in_thing(things, key, before.get(key), after.get(key))
    kept_before = [key for key in before if key in after]
    kept_after = [key for key in after if key in before]
    if kept_before != kept_after:
        yield Change(things.path, kept_before, kept_after, f"{things.noun}: put in another order")


def _in_thing(things: _Things, key: str, old: Any, new: Any) -> Iterator[Change]:
    path = things.place(key)
    if old is None or new is None:
        done = "added" if old is None else "removed"
        yield Change(path, old, new, f"{things.noun} “{_title(new or old, key)}”: {done}")
        return
    subject = f"“{_title(old, key)}”"
    sort = things.sort(key, new)
    if things.sort(key, old) != sort:
        yield Change(path, old, new, f"{things.noun} {subject}: now of another sort ({sort})")
    else:
        yield from _in_table(things.fields(sort), old, new, path, subject)


def _value(field: Field, found: Any) -> Any:
    """What a field means, so that two spellings of it compare equal."""
    if found is None:
        return None if field.is_required else field.default
    value = field.kind.read(found, "", Notes())
    # A part that is switched off has no value, but settings that may differ.
    return found if value is WRONG or value is None else value


def _said(field: Field, found: Any) -> str:
    given = field.default if found is None and not field.is_required else None
    text = value_in_words(field.kind, given) if found is None else in_words(field.kind, found)
    return field.none if text == NOTHING else text


def _title(thing: Mapping[str, Any], key: str) -> str:
    title = thing.get("title")
    return title if isinstance(title, str) else key


def _by_key(found: Any) -> dict[str, Any]:
    things = found if isinstance(found, list) else []
    return {str(thing["key"]): thing for thing in things if isinstance(thing, Mapping) and "key" in thing}


_EARN = _Things(
    "Way to earn",
    "earn",
    lambda way: (earning.ENABLED, *earning.fields_of(way)),
    lambda key, rule: str(rule.get("way", key)),
)
_CAMPAIGNS = _Things("Campaign", "campaigns", lambda _: earning.CAMPAIGN.fields)
_REWARDS = _Things(
    "Reward", "rewards", rewards.fields_of, lambda _, reward: str(reward.get("kind", rewards.DEFAULT_KIND))
)
_TIERS = _Things("Tier", "tiers.ladder", lambda _: TIER.fields)
