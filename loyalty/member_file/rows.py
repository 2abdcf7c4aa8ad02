"""What a record of a file says of a member, or everything that is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from loyalty.member_file import values
from loyalty.member_file.columns import Layout
from loyalty.member_file.table import Record

_T = TypeVar("_T")

LONGEST_NAME = 100
LONGEST_CODE = 60
MODES = ("add", "set")


@dataclass(frozen=True, slots=True)
class Rules:
    """By what a file is read. ``tiers`` maps keys and titles (case-folded) to keys; ``mode``: whether points ``add`` to what there is or
    ``set`` the balance; ``now``: nothing was earned and nobody joined after it."""

    zone: ZoneInfo
    mode: str
    now: datetime
    tiers: Mapping[str, str]
    day_first: bool = False


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a cell. ``column`` is the file's own header, empty where the whole line is meant."""

    column: str
    what: str


@dataclass(frozen=True, slots=True)
class FileRow:
    """What a line tells. ``points`` is None where it tells of none; ``adds``: whether they add to what there is."""

    email: str | None = None
    customer_id: int | None = None
    first_name: str | None = None
    last_name: str | None = None
    points: int | None = None
    adds: bool = True
    tier: str | None = None
    tier_until: datetime | None = None
    birthday: tuple[int, int] | None = None
    referral_code: str | None = None
    joined_at: datetime | None = None
    points_earned_at: datetime | None = None
    points_expire_at: datetime | None = None
    lifetime_points: int | None = None

    def to_json(self) -> dict[str, Any]:
        """What is told, as plain values, without the address and the customer (which are looked for, and kept beside it)."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in told.items()
            if value is not None and name not in ("email", "customer_id")
        }

    @staticmethod
    def from_json(told: Mapping[str, Any], email: str | None, customer_id: int | None) -> "FileRow":
        """The row that ``to_json`` gave."""
        read = dict(told)
        for name in ("tier_until", "joined_at", "points_earned_at", "points_expire_at"):
            if name in read:
                read[name] = datetime.fromisoformat(read[name])
        if "birthday" in read:
            read["birthday"] = tuple(read["birthday"])
        return FileRow(email=email, customer_id=customer_id, **read)


def read_row(record: Record, layout: Layout, rules: Rules) -> tuple[FileRow, tuple[Mistake, ...]]:
    """What a record says, and all of its mistakes. With a mistake in it a row is good for nothing but finding its twins."""
    spare = [cell for cell in record.cells[layout.width :] if cell.strip()]
    if spare:
        what = f"has {len(record.cells)} cells where the header has {layout.width}: is a comma not quoted?"
        return FileRow(), (Mistake("", what),)
    reader = _Reader(record, layout)
    row = _read(reader, rules)
    if row.email is None and row.customer_id is None and not reader.mistakes:
        reader.mistakes.append(Mistake(layout.header("email"), "is empty: nothing says who this is"))
    return row, tuple(reader.mistakes)


class _Reader:
    """The cells of a record by the names of fields; whatever is wrong with them is collected."""

    def __init__(self, record: Record, layout: Layout) -> None:
        self._cells = record.cells
        self._layout = layout
        self.mistakes: list[Mistake] = []

    def has(self, field: str) -> bool:
        return bool(self._cell(field).strip())

    def read(self, field: str, value: Callable[[str], _T | None]) -> _T | None:
        try:
            return value(self._cell(field))
        except values.Wrong as wrong:
            self.wrong(field, str(wrong))
        return None

    def wrong(self, field: str, what: str) -> None:
        self.mistakes.append(Mistake(self._layout.header(field), what))

    def _cell(self, field: str) -> str:
        place = self._layout.places.get(field)
        return self._cells[place] if place is not None and place < len(self._cells) else ""


def _read(reader: _Reader, rules: Rules) -> FileRow:
    def name(cell: str) -> str | None:
        return values.plain(cell, LONGEST_NAME)

    def moment(cell: str) -> datetime | None:
        return values.moment(cell, rules.zone, day_first=rules.day_first)

    def past(cell: str) -> datetime | None:
        at = moment(cell)
        if at is not None and at > rules.now:
            raise values.Wrong("is in the future")
        return at

    adds = rules.mode == "add"
    field = "points"
    if reader.has("add_points") and not reader.has("points"):
        field, adds = "add_points", True
    least = -values.MOST_POINTS if adds else 0
    return FileRow(
        email=reader.read("email", values.email),
        customer_id=reader.read("customer_id", values.customer_id),
        first_name=reader.read("first_name", name),
        last_name=reader.read("last_name", name),
        points=reader.read(field, lambda cell: values.whole(cell, least=least)),
        adds=adds,
        tier=reader.read("tier", lambda cell: values.tier(cell, rules.tiers)),
        tier_until=reader.read("tier_until", moment),
        birthday=reader.read("birthday", lambda cell: values.birthday(cell, day_first=rules.day_first)),
        referral_code=reader.read("referral_code", lambda cell: values.plain(cell, LONGEST_CODE)),
        joined_at=reader.read("joined_at", past),
        points_earned_at=reader.read("points_earned_at", past),
        points_expire_at=reader.read("points_expire_at", moment),
        lifetime_points=reader.read("lifetime_points", values.whole),
    )
