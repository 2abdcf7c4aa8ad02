"""The kinds of lists in a document: names, Shopify's ids, lines of text, tables."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loyalty.core.document.kinds import KEY, WRONG, Kind, Text, is_text
from loyalty.core.document.mistakes import Notes, one_of

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Many:
    """A list of values of one kind, as ``build`` keeps it. ``says`` names what it is a list of."""

    kind: Kind
    says: str
    build: Callable[[list[Any]], Any] = frozenset
    most: int = 250
    least: int = 0

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        if not isinstance(found, list) or not self.least <= len(found) <= self.most:
            bounds = f"{self.least} to {self.most}" if self.least else f"at most {self.most}"
            notes.mistake(path, found, f"a list of {bounds} {self.says}")
            return WRONG
        values = [self.kind.read(value, f"{path}[{place}]", notes) for place, value in enumerate(found)]
        return WRONG if any(value is WRONG for value in values) else self.build(values)

    def write(self, value: Any) -> Any:
        written = [self.kind.write(each) for each in value]
        return sorted(written) if isinstance(value, frozenset) else written


@dataclass(frozen=True, slots=True)
class ShopifyId:
    """An id of Shopify's: the number, or the whole ``gid://shopify/…`` of the right ``noun``."""

    noun: str

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        number = found if isinstance(found, int) and not isinstance(found, bool) else self._number(found)
        if number is None or not 1 <= number <= _LARGEST_ID:
            notes.mistake(path, found, f"a {self.noun}'s id: the number or gid://shopify/{self.noun}/number")
            return WRONG
        return number

    def write(self, value: Any) -> Any:
        return value

    def _number(self, found: Any) -> int | None:
        if not isinstance(found, str):
            return None
        match = re.fullmatch(rf"(?:gid://shopify/{self.noun}/)?(\d{{1,19}})", found, re.ASCII)
        return int(match[1]) if match else None


@dataclass(frozen=True, slots=True)
class Word:
    """A short name of somebody else's making. ``folded``: case does not tell two of them apart, as with Shopify's tags."""

    folded: bool = False
    limit: int = 255

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        word = found.strip() if is_text(found, self.limit) else ""
        word = word.casefold() if self.folded else word
        if not is_text(word, self.limit):
            notes.mistake(path, found, f"a text of 1 to {self.limit} characters, on one line")
            return WRONG
        return word

    def write(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Reference:
    """The key of something else in the document: of one in ``to`` (rewards, tiers or earn), if need be of certain ``kinds`` only."""

    to: str
    kinds: frozenset[str] | None = None

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        if notes.known is None:
            return KEY.read(found, path, notes)
        fitting = [
            key for key, kind in notes.known[self.to].items() if self.kinds is None or kind in self.kinds
        ]
        if not isinstance(found, str) or found not in fitting:
            of = f" ({', '.join(sorted(self.kinds))})" if self.kinds else ""
            notes.mistake(path, found, f"the key of {_NOUNS[self.to]}{of}: {one_of(fitting, found)}")
            return WRONG
        return found

    def write(self, value: Any) -> Any:
        return value


_NOUNS = {"rewards": "a reward", "tiers": "a tier", "earn": "a way to earn"}
PRODUCTS = Many(ShopifyId("Product"), "products")
COLLECTIONS = Many(ShopifyId("Collection"), "collections")
TAGS = Many(Word(folded=True), "tags")
CHANNELS = Many(Word(limit=100), "sales channels", most=50)
LINES = Many(Text(limit=200), "texts", build=tuple, most=20)
TIERS = Many(Reference("tiers"), "keys of tiers", most=50)
