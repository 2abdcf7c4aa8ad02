"""Money arithmetic of the sandbox: cents, presentment currency, and exact splitting.

It refuses floats: every amount is a Decimal from the moment it is parsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

ZERO = Decimal("0.00")
CENT = Decimal("0.01")
WHOLE_UNIT_CURRENCIES = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "HUF"})


def parse(value: object) -> Decimal:
    """Read an amount given as text or number; raise ValueError for anything else."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError(f"not an amount: {value!r}") from error
    if not amount.is_finite():
        raise ValueError(f"not an amount: {value!r}")
    return amount


def rounded(amount: Decimal, currency: str = "USD") -> Decimal:
    """Round half up to the currency's smallest unit, always written with two decimals."""
    step = Decimal(1) if currency in WHOLE_UNIT_CURRENCIES else CENT
    return amount.quantize(step, ROUND_HALF_UP).quantize(CENT)


def text(amount: Decimal) -> str:
    """Write an amount as webhooks do: always two decimals."""
    return str(amount.quantize(CENT, ROUND_HALF_UP))


def graph_text(amount: Decimal) -> str:
    """Write an amount as the GraphQL Decimal scalar does: at least one decimal, no trailing zeros."""
    plain = text(amount)
    return plain.removesuffix("0")


def spread(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Split a total over weights to the cent; the parts always add up to the total."""
    whole = sum(weights, ZERO)
    if whole <= 0:
        return [ZERO for _ in weights]
    parts, given, seen = [], ZERO, ZERO
    for weight in weights:
        seen += weight
        upto = (total * seen / whole).quantize(CENT, ROUND_HALF_UP)
        parts.append(upto - given)
        given = upto
    return parts


def portion(total: Decimal, part: int, whole: int) -> Decimal:
    """Return the share of `part` units out of `whole`; portions of all units add up exactly."""
    return (total * part / whole).quantize(CENT, ROUND_HALF_UP) if whole else ZERO
