"""The outcomes of many members, added up: on the books, under the program in force, and under the changed one. Plain numbers, so that a
run can keep them between two steps."""

from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from loyalty.core.program import Tiers
from loyalty.preview.outcome import Outcome

MOST_AFFECTED = 10
SIDES = ("books", "before", "after")
_SUMS = tuple(each.name for each in fields(Outcome) if each.name != "tier")


@dataclass(frozen=True, slots=True)
class Affected:
    """A member whose points differ: what there is (pending points included) under the program in force, and under the changed one."""

    member_id: int
    before: int
    after: int

    @property
    def difference(self) -> int:
        """How many more points there would be."""
        return self.after - self.before


@dataclass(slots=True)
class Side:
    """The sum over all members; ``below_zero`` counts those who owe points, ``tiers`` the members of each tier ("" for none)."""

    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SUMS, 0))
    below_zero: int = 0
    tiers: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count a member."""
        for name in _SUMS:
            self.sums[name] += getattr(outcome, name)
        self.below_zero += outcome.balance < 0
        self.tiers[outcome.tier or ""] = self.tiers.get(outcome.tier or "", 0) + 1


@dataclass(slots=True)
class Totals:
    """See the module. ``moves`` counts the members by their tiers before and after, ``moves_from_books`` by what they have on the books.
    ``unknown_goods`` are orders of whose products the changed program would have to know more than is known."""

    members: int = 0
    orders: int = 0
    unknown_goods: int = 0
    gaining: int = 0
    losing: int = 0
    sides: dict[str, Side] = field(default_factory=lambda: {side: Side() for side in SIDES})
    moves: dict[str, dict[str, int]] = field(default_factory=dict)
    moves_from_books: dict[str, dict[str, int]] = field(default_factory=dict)
    affected: list[Affected] = field(default_factory=list)

    def add(self, member_id: int, books: Outcome, before: Outcome, after: Outcome) -> None:
        """Count a member."""
        self.members += 1
        for side, outcome in zip(SIDES, (books, before, after), strict=True):
            self.sides[side].add(outcome)
        _count(self.moves, before.tier, after.tier)
        _count(self.moves_from_books, books.tier, after.tier)
        self.gaining += after.points > before.points
        self.losing += after.points < before.points
        if after.points != before.points:
            self.affected.append(Affected(member_id, before.points, after.points))
            self.affected.sort(key=lambda one: (-abs(one.difference), one.member_id))
            del self.affected[MOST_AFFECTED:]

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``from_json`` gives equal totals back."""
        return asdict(self)

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Totals":
        """Rebuild totals from ``to_json``'s form."""
        own = deepcopy(value)  # what is added from now on is none of the caller's
        made = {
            "sides": {side: Side(**kept) for side, kept in own["sides"].items()},
            "affected": [Affected(**kept) for kept in own["affected"]],
        }
        return Totals(**(own | made))


@dataclass(frozen=True, slots=True)
class TierMove:
    """How many members go from one tier to another (None: none at all), and whether that is up, down or sideways."""

    before: str | None
    after: str | None
    members: int
    direction: str


def tier_moves(counted: dict[str, dict[str, int]], old: Tiers | None, new: Tiers | None) -> list[TierMove]:
    """Those who move, the largest numbers first. Heights are the new ladder's; what it does not have, stands where it stood."""

    def place(key: str) -> int:
        here = new.place(key) if new else 0
        return here or (old.place(key) if old else 0)

    found = []
    for before, afters in counted.items():
        for after, members in afters.items():
            if before != after:
                step = place(after) - place(before)
                direction = "up" if step > 0 else "down" if step < 0 else "sideways"
                found.append(TierMove(before or None, after or None, members, direction))
    return sorted(found, key=lambda move: (-move.members, move.before or "", move.after or ""))


def _count(moves: dict[str, dict[str, int]], before: str | None, after: str | None) -> None:
    afters = moves.setdefault(before or "", {})
    afters[after or ""] = afters.get(after or "", 0) + 1
