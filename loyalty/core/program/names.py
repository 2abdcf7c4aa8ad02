"""What a shop calls its points."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PointsName:
    """What the shop calls its points."""

    one: str
    many: str

    @property
    def heading(self) -> str:
        """``many`` where it begins a line: ``Leaves``, and ``AirMiles`` as the shop writes it."""
        return self.many[:1].upper() + self.many[1:]

    def format(self, points: int) -> str:
        """``1 leaf``, ``-3 leaves``, ``1,200 leaves``."""
        return f"{points:,} {self.one if abs(points) == 1 else self.many}"
