"""Numbers about numbers: what a row of measurements comes to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several rounds, and how far they lie apart."""

    low: float
    middle: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        """The spread of at least one value."""
        return Spread(min(values), median(values), max(values))

    def data(self) -> dict[str, float]:
        """For the results' file."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p99 and the slowest, in milliseconds; empty without values."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {
        "p50": round(at(ordered, 0.50) * 1000, 3),
        "p99": round(at(ordered, 0.99) * 1000, 3),
        "slowest": round(ordered[-1] * 1000, 3),
    }


def at(ordered: Sequence[float], share: float) -> float:
    """The value that ``share`` of the ordered values do not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
