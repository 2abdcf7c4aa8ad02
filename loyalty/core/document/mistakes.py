"""What is wrong with a document, told so that a person can mend it: where, what was found, what was expected."""

import difflib
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_LONGEST_NUMBER = 60
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with a document."""

    path: str
    found: Any
    expected: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, found {shown(self.found)}"


class ProgramInvalid(ValueError):
    """A program document has mistakes; ``mistakes`` lists all of them."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(str(mistake) for mistake in self.mistakes))


@dataclass(frozen=True, slots=True)
class Notes:
    """Collects the mistakes of one pass, so that nobody mends a document one error at a time.

    ``known`` says what keys there are in the document (in ``earn``, ``rewards`` and ``tiers``) and of which way or kind each is; None
    where a part is read without its document, and nothing can be said about what it refers to.
    """

    mistakes: list[Mistake] = field(default_factory=list)
    known: Mapping[str, Mapping[str, str]] | None = None

    def mistake(self, path: str, found: Any, expected: str) -> None:
        """Note a mistake. The document itself has the path ``document``."""
        self.mistakes.append(Mistake(path or "document", found, expected))

    @property
    def count(self) -> int:
        """How many there are so far."""
        return len(self.mistakes)


def join(path: str, key: str) -> str:
    """The path of a key in the table at ``path``. A key that would make the path ambiguous or unreadable is quoted."""
    name = key if key and _PLAIN.issuperset(key) else ascii(key[:60])
    return f"{path}.{name}" if path else name


def one_of(choices: Iterable[str], found: object = None) -> str:
    """What was expected where only some names will do, with the one that was probably meant."""
    names: Sequence[str] = sorted(choices)
    listed = f"one of {', '.join(names)}" if names else "there is none"
    near = difflib.get_close_matches(found[:60], names, n=1) if isinstance(found, str) else []
    return f"{listed} (did you mean {near[0]}?)" if near else listed


def shown(found: Any) -> str:
    """A value for people to read: short, on one line, whatever it is."""
    return _Shown().repr(found)


class _Shown(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 90
        self.maxlevel = 3

    def repr_str(self, text: str, level: int) -> str:
        # ascii: half of a surrogate pair cannot be printed anywhere.
        return super().repr_str(text if text.isprintable() else ascii(text[: self.maxstring])[1:-1], level)

    def repr_int(self, number: int, level: int) -> str:  # noqa: ARG002  # the name and the arguments are reprlib's
        # Python refuses to write out a number of thousands of digits.
        if number.bit_length() > _LONGEST_NUMBER * 4:
            return "a number of very many digits"
        return repr(number)
