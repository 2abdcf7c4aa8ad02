"""Takes a file in: what it is, whether it was seen before, and its bytes into the database. It reads no line but the first."""

from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any

from sqlalchemy import insert
from sqlmodel import Session, col, select

from loyalty.member_file import NotAMemberFile, Text, Undecodable, examine
from loyalty.member_file.columns import recognise
from loyalty.member_file.rows import MODES
from loyalty.models import ImportBatch, ImportChunk, Shop

LARGEST_FILE = 512 * 1024 * 1024
_LONGEST_NAME = 120
_AT_ONCE = 8
# Some programs say in a line of their own what separates the cells.
_DELIMITER_LINE = "sep="


class UploadRefused(ValueError):
    """The file is not one that members can be read from. The text says why, to whoever sent it."""


def upload(
    session: Session,
    shop: Shop,
    file: IO[bytes],
    *,
    batch_id: str,
    file_name: str,
    author: str,
    now: datetime,
    mode: str = "add",
    day_first: bool = False,
) -> ImportBatch:
    """Keep a seekable file for its dry run. ``batch_id`` is random. Raises ``UploadRefused``."""
    assert mode in MODES
    assert shop.id is not None
    text = _examined(file)
    pieces = text.pieces(file)
    first = next(pieces, b"")
    skipped, header = _header(first)
    try:
        layout = recognise(header)
    except NotAMemberFile as problem:
        raise UploadRefused(str(problem)) from None
    batch = ImportBatch(
        id=batch_id,
        shop_id=shop.id,
        mode=mode,
        day_first=day_first,
        file_name=_name(file_name),
        format=layout.format,
        layout={**layout.to_json(), "skip": skipped},
        digest=text.digest,
        size=text.size,
        author=author,
        created_at=now,
    )
    session.add(batch)
    session.flush()
    lines = _keep(session, batch, first, pieces)
    if lines <= skipped:
        raise UploadRefused("The file has a header and nothing below it.")
    batch.report = {"lines": lines - skipped, "encoding": text.encoding}
    session.flush()
    return batch


def earlier(session: Session, shop_id: int, digest: str) -> ImportBatch | None:
    """The latest import of the very same file that was begun and not undone, or None."""
    return session.exec(
        select(ImportBatch)
        .where(
            ImportBatch.shop_id == shop_id,
            ImportBatch.digest == digest,
            col(ImportBatch.state).in_(("importing", "imported", "undoing")),
        )
        .order_by(col(ImportBatch.created_at).desc())
    ).first()


def _examined(file: IO[bytes]) -> Text:
    file.seek(0, 2)
    if file.tell() > LARGEST_FILE:
        raise UploadRefused(
            f"The file is larger than {LARGEST_FILE // 2**20} MB: split it into several imports."
        )
    try:
        return examine(file)
    except Undecodable as problem:
        raise UploadRefused(str(problem)) from None


def _header(first: bytes) -> tuple[int, str]:
    """How many lines come before the first member, and the header."""
    for number, line in enumerate(first.decode().split("\n"), 1):
        if line.strip() and not line.strip().strip('"').lower().startswith(_DELIMITER_LINE):
            return number, line
    return 0, ""


def _keep(session: Session, batch: ImportBatch, first: bytes, rest: Iterator[bytes]) -> int:
    """Insert the pieces; returns how many lines they have."""
    waiting: list[dict[str, Any]] = []
    lines = number = 0
    piece: bytes | None = first
    while piece is not None:
        row = {
            "shop_id": batch.shop_id,
            "batch_id": batch.id,
            "number": number,
            "lines_before": lines,
            "data": piece,
        }
        waiting.append(row)
        lines += piece.count(b"\n") + (not piece.endswith(b"\n"))
        number += 1
        piece = next(rest, None)
        if piece is None or len(waiting) >= _AT_ONCE:
            session.execute(insert(ImportChunk), waiting)
            waiting = []
    return lines


def _name(text: str) -> str:
    """A file's name without its path, and nothing in it that a page could not show."""
    bare = text.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in bare if letter.isprintable()).strip()[:_LONGEST_NAME] or "members.csv"
