"""How money is written in what shoppers and merchants read. It changes no amount: the books know nothing of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyFormat:
    """What a program says of it; None leaves it to the shop.

    ``display``: the currency's ``symbol`` or its ``code``. ``decimals``: ``always``, or only ``when_needed`` ($5, $5.50).
    ``position``: the symbol ``before`` the number or ``after`` it. ``thousands`` and ``decimal``: what stands between the groups of
    digits, and before the decimals.
    """

    display: str | None = None
    decimals: str | None = None
    position: str | None = None
    thousands: str | None = None
    decimal: str | None = None
