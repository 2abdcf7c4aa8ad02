"""What points are worth in money, for reports: what the program says, or else what they buy. It decides nothing."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from loyalty.core.program import Program, Reward

_MONEY_KINDS = frozenset({"amount_off", "incremental", "gift_card", "store_credit"})
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class PointWorth:
    """What one point is worth. ``reward`` is the key of the reward that says so; None when the program itself does."""

    money: Fraction
    reward: str | None = None

    def of(self, points: int) -> Decimal:
        """What so many points are worth, to the cent."""
        exact = self.money * points
        return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(_CENT, ROUND_HALF_UP)


def point_worth(program: Program) -> PointWorth | None:
    """The program's ``point_value``; without one, what the cheapest reward that is an amount of money gives for each of its points. None
    where no reward is money."""
    if program.point_value is not None:
        return PointWorth(Fraction(program.point_value))
    cheapest = min(
        (reward for reward in program.rewards if _is_money(reward)),
        key=lambda reward: (reward.points, -reward.amount, reward.key),
        default=None,
    )
    if cheapest is None:
        return None
    return PointWorth(Fraction(cheapest.amount) / cheapest.points, cheapest.key)


def _is_money(reward: Reward) -> bool:
    return reward.listed and reward.kind in _MONEY_KINDS and reward.points > 0
