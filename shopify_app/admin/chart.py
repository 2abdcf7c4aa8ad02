"""The bars of the home page's chart: for each day the points earned and, beside them, the points spent. Pure arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from loyalty.statement.home import Day

WIDTH = 600
HEIGHT = 180
_KINDS = ("earned", "spent")
_GAP = 0.3
# A day with any points at all must be seen.
_SMALLEST = 1.5
# What the scale may end at, times a power of ten: even numbers, so that its middle is a whole number too.
_TOPS = (2, 4, 6, 8, 10, 12, 16, 20, 24, 30)


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle, in the chart's own units."""

    kind: str
    day: date
    points: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the template draws. ``top`` is the number at the upper edge, a round one."""

    bars: tuple[Bar, ...]
    top: int
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def empty(self) -> bool:
        return not self.bars

    @property
    def middle(self) -> int:
        """The number at half the height."""
        return self.top // 2


def draw(days: Sequence[Day]) -> Chart:
    """The chart of ``days``, one step of equal width for each."""
    top = _scale(max((max(day.earned, day.spent) for day in days), default=0))
    step = WIDTH / max(1, len(days))
    width = step * (1 - _GAP) / len(_KINDS)
    bars: list[Bar] = []
    for place, day in enumerate(days):
        for number, (kind, points) in enumerate(zip(_KINDS, (day.earned, day.spent), strict=True)):
            if points <= 0:
                continue
            height = max(_SMALLEST, HEIGHT * points / top)
            x = place * step + step * _GAP / 2 + number * width
            rounded = (round(value, 2) for value in (x, HEIGHT - height, width, height))
            bars.append(Bar(kind, day.day, points, *rounded))
    return Chart(tuple(bars), top=top)


def _scale(most: int) -> int:
    """The round number that the scale ends at: the least one that nothing is above."""
    power = 1
    while _TOPS[-1] * power < most:
        power *= 10
    return next(top * power for top in _TOPS if top * power >= most)
