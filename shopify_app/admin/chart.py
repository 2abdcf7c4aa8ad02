"""The bars of the home page's chart: points earned above the line, points spent below it. Pure arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from loyalty.statement.home import Day

WIDTH = 600
HEIGHT = 180
_GAP = 0.25
# A day with any points at all must be seen.
_SMALLEST = 1.5


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
    """Everything that the template draws. ``top`` is the number at the upper edge, ``zero`` the height of the line."""

    bars: tuple[Bar, ...]
    top: int
    zero: float
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def empty(self) -> bool:
        return not self.bars


def draw(days: Sequence[Day]) -> Chart:
    """The chart of ``days``, one step of equal width for each."""
    up = max((day.earned for day in days), default=0)
    down = max((day.spent for day in days), default=0)
    span = max(1, max(up, 0) + max(down, 0))
    zero = HEIGHT * max(up, 0) / span
    step = WIDTH / max(1, len(days))
    bars: list[Bar] = []
    for place, day in enumerate(days):
        x, width = round(place * step + step * _GAP / 2, 2), round(step * (1 - _GAP), 2)
        for kind, points in (("earned", day.earned), ("spent", day.spent)):
            if points <= 0:
                continue
            height = round(max(_SMALLEST, HEIGHT * points / span), 2)
            y = (
                round(max(0.0, zero - height), 2)
                if kind == "earned"
                else round(min(zero, HEIGHT - height), 2)
            )
            bars.append(Bar(kind, day.day, points, x, y, width, height))
    return Chart(tuple(bars), top=up, zero=round(zero, 2))
