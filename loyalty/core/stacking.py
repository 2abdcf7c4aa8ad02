"""How several multipliers that hold for one order become one."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A factor for points, and the names of what made it."""

    factor: Fraction
    names: tuple[str, ...]


NO_MULTIPLIER = Multiplier(Fraction(1), ())


def stack(named: Sequence[tuple[str, Fraction]], way: str) -> Multiplier:
    """``highest``: the greatest alone. ``add``: what each adds to one, added up (2 and 1.5 make 2.5; never less than nothing).
    ``multiply``: their product."""
    if not named:
        return NO_MULTIPLIER
    if way == "highest":
        name, factor = max(named, key=lambda pair: pair[1])
        return Multiplier(factor, (name,))
    names = tuple(name for name, _ in named)
    if way == "add":
        added = 1 + sum((factor - 1 for _, factor in named), Fraction(0))
        return Multiplier(max(added, Fraction(0)), names)
    factor = Fraction(1)
    for _, each in named:
        factor *= each
    return Multiplier(factor, names)
