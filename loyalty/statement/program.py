"""What the program's page reckons for its reader: an example of what an order earns."""

from decimal import Decimal
from fractions import Fraction

from loyalty.core.orders import round_points

EXAMPLE_AMOUNT = Decimal("84.50")


def example_points(rate: Decimal, rounding: str, *, amount: Decimal = EXAMPLE_AMOUNT) -> int:
    """What an order of ``amount`` earns, by the same rounding that real orders get."""
    return round_points(Fraction(amount) * Fraction(rate), rounding)
