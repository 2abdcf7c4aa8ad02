"""How amounts of money are written: by what the program says of it, else by the shop's own format at Shopify, else by its currency.

Digits and symbols are Babel's; only what stands between and around them is chosen here. Everything that shows money of a program to
a person writes it with this.
"""

import html
import re
from dataclasses import dataclass
from decimal import Decimal

from babel.numbers import format_decimal, get_currency_precision, get_currency_symbol

from loyalty.core.program import CurrencyFormat

# The texts around are English, and what the program and the shop leave open is as English writes it.
LOCALE = "en_US"
_AS_THE_SHOP = CurrencyFormat()
_GAP = "\u00a0"
# No amount in a program has more decimals.
_MOST_DECIMALS = 4
_THOUSANDS = {"comma": ",", "point": ".", "space": _GAP, "apostrophe": "’", "none": ""}
_DECIMAL = {"point": ".", "comma": ","}
_OTHER = {"point": "comma", "comma": "point"}
# Shopify's names for a number in a format of money, and what each puts between thousands and before decimals.
_NUMBERS = {
    "amount": ("comma", "point"),
    "amount_no_decimals": ("comma", "point"),
    "amount_with_comma_separator": ("point", "comma"),
    "amount_no_decimals_with_comma_separator": ("point", "comma"),
    "amount_with_apostrophe_separator": ("apostrophe", "point"),
    "amount_no_decimals_with_space_separator": ("space", "comma"),
    "amount_with_space_separator": ("space", "comma"),
    "amount_with_period_and_space_separator": ("space", "point"),
}
_FORMAT = re.compile(r"(?P<before>[^{}]*)\{\{\s*(?P<number>\w+)\s*\}\}(?P<after>[^{}]*)")
_TAG = re.compile(r"<[^<>]*>")
_LONGEST_MARK = 12


@dataclass(frozen=True, slots=True)
class Money:
    """The ways to write amounts of one shop. ``shop_format`` is Shopify's (``{{amount}} kr``), empty where it is not known."""

    currency: str = "USD"
    shop_format: str = ""
    chosen: CurrencyFormat = _AS_THE_SHOP

    def write(self, amount: Decimal, currency: str | None = None) -> str:
        """``$84.50`` for a column or a report: rounded to the decimals of the currency, and with all of them."""
        code = currency or self.currency
        digits = max(get_currency_precision(code), 0)
        rounded = round(amount, digits)
        is_short = self.chosen.decimals == "when_needed" and rounded == rounded.to_integral_value()
        return self._around(rounded, "0" * (0 if is_short else digits), code)

    def say(self, amount: Decimal) -> str:
        """``$5`` or ``$5.50`` inside a sentence: exactly what a program says, with decimals where there are any."""
        digits = max(get_currency_precision(self.currency), 0)
        if self.chosen.decimals != "always" and amount == amount.to_integral_value():
            return self._around(amount, "", self.currency)
        return self._around(amount, "0" * digits + "#" * (_MOST_DECIMALS - digits), self.currency)

    def _around(self, amount: Decimal, decimals: str, code: str) -> str:
        shop = _read(self.shop_format) if code == self.currency else None
        thousands, decimal = self._separators(_read(self.shop_format))
        pattern = f"#,##0.{decimals}" if decimals else "#,##0"
        number = format_decimal(abs(amount), pattern, locale=LOCALE).translate(
            {ord(","): thousands, ord("."): decimal}
        )
        before, after = self._marks(shop, code)
        return f"{'-' if amount < 0 else ''}{before}{number}{after}"

    def _separators(self, shop: "_ShopFormat | None") -> tuple[str, str]:
        thousands, decimal = (shop.thousands, shop.decimal) if shop else ("comma", "point")
        # Where only one of the two is said, the other one gives way to it.
        if self.chosen.thousands == decimal:
            decimal = _OTHER[decimal]
        if self.chosen.decimal == thousands:
            thousands = _OTHER[thousands]
        return _THOUSANDS[self.chosen.thousands or thousands], _DECIMAL[self.chosen.decimal or decimal]

    def _marks(self, shop: "_ShopFormat | None", code: str) -> tuple[str, str]:
        """What stands before a number, and what after it."""
        chosen = self.chosen
        if shop and chosen.display is None and chosen.position is None:
            return shop.before, shop.after
        own = (shop.before.strip() or shop.after.strip()) if shop else ""
        is_code = chosen.display == "code" or (chosen.display is None and own == code)
        named = own and own != code
        mark = code if is_code else own if named else get_currency_symbol(code, locale=LOCALE)
        position = chosen.position or ("after" if shop and not shop.before.strip() else "before")
        if position == "after":
            return "", _GAP + mark
        # Letters would run into the digits: BHD 5.000, and $5.
        return mark + (_GAP if mark[-1:].isalpha() or mark.endswith(".") else ""), ""


@dataclass(frozen=True, slots=True)
class _ShopFormat:
    """A format of Shopify's, taken apart."""

    before: str
    after: str
    thousands: str
    decimal: str


def _read(shop_format: str) -> _ShopFormat | None:
    """None for one that says nothing, or nothing that is known: it may be any text a merchant wrote, tags included."""
    found = _FORMAT.fullmatch(html.unescape(_TAG.sub("", shop_format)).strip())
    if found is None or found["number"] not in _NUMBERS:
        return None
    before, after = (re.sub(r"\s+", _GAP, found[side]) for side in ("before", "after"))
    if not (before + after).strip() or max(len(before), len(after)) > _LONGEST_MARK:
        return None
    return _ShopFormat(before, after, *_NUMBERS[found["number"]])
