"""What a file's bytes are as text. Spreadsheets write UTF-8 with or without a mark, UTF-16, or the Windows code page of the West.

The whole file is looked at before any of it is believed: a single line in another encoding would put wrong letters into names.
"""

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import IncrementalNewlineDecoder
from typing import IO

PIECE = 256 * 1024
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Undecodable(ValueError):
    """The file is no text in an encoding that we read (or not text at all)."""


@dataclass(frozen=True, slots=True)
class Text:
    """What was learnt of a file by looking at all of it. ``digest`` is the SHA-256 of its bytes, ``encoding`` a codec of Python's."""

    encoding: str
    size: int
    digest: str

    def pieces(self, file: IO[bytes]) -> Iterator[bytes]:
        """The file as UTF-8 in pieces that end where lines end (whatever marked their ends before), and without its mark."""
        decoder = codecs.getincrementaldecoder(self.encoding)()
        ends = IncrementalNewlineDecoder(None, translate=True)
        rest = ""
        file.seek(0)
        while True:
            block = file.read(PIECE)
            text = ends.decode(decoder.decode(block, final=not block), final=not block)
            rest += text
            whole, newline, tail = rest.rpartition("\n")
            if newline:
                yield (whole + newline).encode()
                rest = tail
            if not block:
                break
        if rest:
            yield rest.encode()


def examine(file: IO[bytes]) -> Text:
    """Read a seekable file once, and say what it is. Raises ``Undecodable``."""
    file.seek(0)
    head = file.read(4096)
    encoding = _marked(head) or ("utf-8" if b"\0" not in head else _unmarked_utf16(head))
    seal = hashlib.sha256()
    size = 0
    for block in _blocks(file):
        seal.update(block)
        size += len(block)
    if not size:
        raise Undecodable("The file is empty.")
    for candidate in (encoding, "cp1252") if encoding == "utf-8" else (encoding,):
        if _decodes(file, candidate):
            return Text(candidate, size, seal.hexdigest())
    raise Undecodable("The file is not text that can be read: save it as CSV in UTF-8.")


def _marked(head: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def _unmarked_utf16(head: bytes) -> str:
    """UTF-16 without its mark: of a header in Latin letters, every other byte is nothing."""
    return "utf-16-le" if head[1::2].count(0) >= head[0::2].count(0) else "utf-16-be"


def _decodes(file: IO[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in _blocks(file):
            if "\0" in decoder.decode(block):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(PIECE):
        yield block
