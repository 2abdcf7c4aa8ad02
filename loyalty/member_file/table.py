"""The lines of a CSV file as records, each with the number of the line that it begins on. One bad record never spoils the next."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

DELIMITERS = ",;\t|"
# A record this long is no record: a quotation mark was opened and never closed.
LONGEST_RECORD = 50
LONGEST_LINE = 20_000
_NOT_CLOSED = "a quotation mark is opened and not closed"


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of a record. ``line`` is where it begins (the header is on line 1), ``lines`` how many it takes."""

    line: int
    lines: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that is not CSV, and why. What follows it is read as if it were not there."""

    line: int
    reason: str
    lines: int = 1


class _Endless(Exception):
    """A record goes on for too many lines, or a line for too many characters."""


class Table:
    """Records of lines that end with a line feed. ``before`` is how many lines of the file came before them."""

    def __init__(self, lines: Iterable[str], delimiter: str, *, before: int = 0) -> None:
        self._lines = iter(lines)
        self._delimiter = delimiter
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._at = before

    def __iter__(self) -> Iterator[Record | Broken]:
        reader = self._reader()
        while True:
            self._taken.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (_Endless, csv.Error) as error:
                yield Broken(self._at + 1, _in_words(error))
                # Only the first line is given up: the mark that it opened may have swallowed good ones.
                self._again.extendleft(reversed(self._taken[1:]))
                self._at += 1
                reader = self._reader()
                continue
            yield Record(self._at + 1, len(self._taken), tuple(cells))
            self._at += len(self._taken)

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._pull(), delimiter=self._delimiter, strict=True)

    def _pull(self) -> Iterator[str]:
        while True:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            self._taken.append(line)
            if len(line) > LONGEST_LINE:
                raise _Endless("the line is too long")
            if len(self._taken) > LONGEST_RECORD:
                raise _Endless(_NOT_CLOSED)
            yield line


def _in_words(error: Exception) -> str:
    text = str(error)
    if isinstance(error, _Endless):
        return text
    if "expected after" in text:
        return "a quotation mark stands inside a quoted cell: write it twice"
    return _NOT_CLOSED if "end of data" in text or "field limit" in text else "the line is not CSV"
