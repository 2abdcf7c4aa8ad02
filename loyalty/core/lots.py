"""Which points are left, and how old they are: a member's ledger, read as lots that are used up first in, first out.

A lot is dated when its points could first be spent. Points that are taken back come off their own lot first; everything else takes the
oldest. What was spent and comes back goes back where it came from. A debt is paid off before anything becomes a lot, so the lots always add
up to the balance, or to nothing while it is below zero. It decides nothing.
"""

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from loyalty.core import ledger
from loyalty.core.ledger import Entry, Source

# Taken from the lots of their own source first: they undo what it gave.
_UNDOING = frozenset({ledger.REVERSE, ledger.IMPORT, ledger.TRANSFER})


@dataclass(frozen=True, slots=True)
class Lot:
    """Points of one day and one source that are still there."""

    at: datetime
    points: int
    source: Source


@dataclass(slots=True)
class Purse:
    """The lots, from the oldest; what is owed; and which lots each source of spending took. It is given one entry after the other, in the
    order in which they were recorded, and never looks at one twice."""

    lots: list[Lot] = field(default_factory=list)
    debt: int = 0
    taken: dict[Source, list[Lot]] = field(default_factory=dict)

    def enter(self, entry: Entry, told: "list[Gone] | None" = None) -> None:
        """Let an entry move points; ``told`` gathers what left its lot by it."""
        if entry.kind == ledger.RETURN and entry.points > 0:
            back = self._give_back(entry)
            if told is not None:
                told.extend(
                    Gone(replace(lot, points=-lot.points), ledger.RETURN, entry.occurred_at) for lot in back
                )
        elif entry.points > 0:
            self._put(_new_lots(entry))
        else:
            gone = self._take(-entry.points, entry.source if entry.kind in _UNDOING else None)
            if told is not None:
                told.extend(Gone(lot, entry.kind, entry.occurred_at) for lot in gone)
            if entry.kind == ledger.REDEEM:
                self.taken.setdefault(entry.source, []).extend(gone)

    def _put(self, lots: Iterable[Lot]) -> None:
        """Add lots, after the debt has had its part of the oldest."""
        for lot in sorted(lots, key=_age):
            paid = min(self.debt, lot.points)
            self.debt -= paid
            if lot.points > paid:
                insort(self.lots, Lot(lot.at, lot.points - paid, lot.source), key=_age)

    def _take(self, points: int, own: Source | None = None) -> list[Lot]:
        """Take points, those of ``own`` first and then the oldest. What is not there becomes a debt. Returns what was taken."""
        gone: list[Lot] = []
        place = 0
        while own is not None and points and place < len(self.lots):
            if self.lots[place].source == own:
                points -= self._take_at(
                    place, points, gone
                )  # the next lot is at this place now, or nothing more is wanted
            else:
                place += 1
        while points and self.lots:
            points -= self._take_at(0, points, gone)
        self.debt += points
        return gone

    def _take_at(self, place: int, points: int, gone: list[Lot]) -> int:
        """Take up to so many points of one lot; how many it were."""
        lot = self.lots[place]
        part = min(points, lot.points)
        gone.append(Lot(lot.at, part, lot.source))
        if lot.points > part:
            self.lots[place] = Lot(lot.at, lot.points - part, lot.source)
        else:
            del self.lots[place]
        return part

    def _give_back(self, entry: Entry) -> list[Lot]:
        """Give points back to the lots that they were taken from, the youngest first; any beyond that are new. Returns what went back."""
        taken, left, back = self.taken.get(entry.source, []), entry.points, []
        while taken and left:
            lot = taken.pop()
            part = min(left, lot.points)
            left -= part
            back.append(Lot(lot.at, part, lot.source))
            if lot.points > part:
                taken.append(Lot(lot.at, lot.points - part, lot.source))
        fresh = [Lot(entry.occurred_at, left, entry.source)] if left else []
        self._put([*back, *fresh])
        return back


def lots(entries: Sequence[Entry]) -> tuple[Lot, ...]:
    """The lots that are left after these entries (in the order in which they were recorded), from the oldest."""
    return tuple(_purse(entries).lots)


def carried(entries: Sequence[Entry]) -> list[list[Any]]:
    """The lots as plain values, for the entry that moves them to another member (``why["lots"]``)."""
    return [[lot.at.isoformat(), lot.points] for lot in lots(entries)]


@dataclass(frozen=True, slots=True)
class Gone:
    """Points of a lot that left it at an instant: by a movement of this kind."""

    lot: Lot
    kind: str
    at: datetime


def fates(entries: Sequence[Entry]) -> tuple[tuple[Lot, ...], list[Gone]]:
    """The lots that are left after these entries, and where the other points of all lots went. What was spent and came back is told
    as a part of less than nothing."""
    gone: list[Gone] = []
    return tuple(_purse(entries, gone).lots), gone


def _purse(entries: Sequence[Entry], told: list[Gone] | None = None) -> Purse:
    purse = Purse()
    for entry in entries:
        purse.enter(entry, told)
    return purse


def _new_lots(entry: Entry) -> list[Lot]:
    """One lot, or those that the entry brings along from elsewhere; never more points than the entry has."""
    left, brought = entry.points, []
    for at, points in entry.why.get("lots", ()):
        part = min(left, int(points))
        if part > 0:
            brought.append(Lot(datetime.fromisoformat(at), part, entry.source))
            left -= part
    if left:
        brought.append(Lot(entry.occurred_at, left, entry.source))
    return brought


def _age(lot: Lot) -> tuple[datetime, str, str]:
    return lot.at, lot.source.kind, lot.source.ref
