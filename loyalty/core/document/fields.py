"""Tables of a document, described by their fields: what each is called, how it is read, what holds when it is left out.

The description is all there is: reading, writing, the admin's forms and the words for a difference follow from it, so a field that is
added here is there everywhere. A key that is not described is a mistake, because a misspelt one would switch a rule off in silence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from loyalty.core.document.kinds import WRONG, Kind
from loyalty.core.document.mistakes import Notes, join, one_of

REQUIRED: Final = object()
NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a table. ``label`` and ``details`` are for people; ``default`` is the value (as the program has it) when it is left
    out, and ``none`` what it means for people that there is none."""

    name: str
    kind: Kind
    label: str
    details: str = ""
    default: Any = REQUIRED
    none: str = NOTHING

    @property
    def is_required(self) -> bool:
        """Whether it must be there."""
        return self.default is REQUIRED


Check = Callable[[Mapping[str, Any], str, Notes], None]


def _no_check(values: Mapping[str, Any], path: str, notes: Notes) -> None:
    """Nothing has to hold between the fields."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as a value. ``check`` sees the values that could be read, and notes what is wrong between them."""

    fields: tuple[Field, ...]
    build: Callable[..., Any]
    check: Check = _no_check

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        before = notes.count
        values = read_fields(self.fields, found, path, notes)
        self.check(values, path, notes)
        return self.build(**values) if notes.count == before else WRONG

    def write(self, value: Any) -> Any:
        return write_fields(self.fields, value)


def read_fields(
    fields: Sequence[Field], found: Any, path: str, notes: Notes, *, beside: Sequence[str] = ()
) -> dict[str, Any]:
    """The values of a table's fields, without those that are wrong. ``beside`` are keys that somebody else reads."""
    if not isinstance(found, Mapping):
        notes.mistake(path, found, "a table")
        return {}
    names = [field.name for field in fields] + list(beside)
    for key in found:
        if key not in names:
            notes.mistake(join(path, str(key)), found[key], one_of(names, str(key)))
    values: dict[str, Any] = {}
    for field in fields:
        given = found.get(field.name)
        # JSON's null is a key that is left out.
        if given is None and not field.is_required:
            values[field.name] = field.default
            continue
        # Of a table that must be there but is not, it helps more to say what it lacks.
        found_or_empty = {} if given is None and isinstance(field.kind, Table) else given
        value = field.kind.read(found_or_empty, join(path, field.name), notes)
        if value is not WRONG:
            values[field.name] = value
    return values


def write_fields(fields: Sequence[Field], value: Any) -> dict[str, Any]:
    """What a table has to say for this value: everything that is not there by default."""
    return {
        field.name: field.kind.write(getattr(value, field.name))
        for field in fields
        if field.is_required or getattr(value, field.name) != field.default
    }
