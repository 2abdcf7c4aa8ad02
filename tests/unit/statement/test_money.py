"""How amounts of money are written: by the program, by the shop's own format, by the currency."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.core.program import CurrencyFormat
from loyalty.statement.money import Money
from tests.unit.core.programs import CURRENCY_FORMATS
from tests.unit.core.strategies import SETTINGS

GAP = "\u00a0"
BETWEEN_DIGITS = re.compile(r"(?<=\d)\D(?=\d)")
EVERYWHERE = st.sampled_from(["USD", "EUR", "JPY", "KRW", "BHD", "CHF", "CAD", "XQQ"])
FORMATS = st.sampled_from(
    ["", "${{amount}}", "{{amount_with_comma_separator}} €", "Rs. {{amount}}", "{{x}}", "<b>"]
)


def written(amount, money):
    """An amount for a table and for a sentence, with plain spaces."""
    exact = Decimal(amount)
    return money.write(exact).replace(GAP, " "), money.say(exact).replace(GAP, " ")


class TestByCurrency:
    @pytest.mark.parametrize(
        ("currency", "table", "sentence"),
        [
            ("USD", "$1,234.00", "$1,234"),
            ("EUR", "€1,234.00", "€1,234"),
            ("JPY", "¥1,234", "¥1,234"),
            ("KRW", "₩1,234", "₩1,234"),
            ("BHD", "BHD 1,234.000", "BHD 1,234"),
            ("CHF", "CHF 1,234.00", "CHF 1,234"),
            ("XQQ", "XQQ 1,234.00", "XQQ 1,234"),
        ],
    )
    def test_nothing_said(self, currency, table, sentence):
        """Without a word from program or shop, symbol and decimals are the currency's."""
        assert (table, sentence) == written("1234", Money(currency))

    @pytest.mark.parametrize(
        ("currency", "amount", "table", "sentence"),
        [
            ("USD", "5.5", "$5.50", "$5.50"),
            ("USD", "0.0125", "$0.01", "$0.0125"),
            ("USD", "-9.66", "-$9.66", "-$9.66"),
            ("USD", "-0.001", "$0.00", "-$0.001"),
            ("BHD", "5.5", "BHD 5.500", "BHD 5.500"),
            ("JPY", "0.5", "¥0", "¥0.5"),
        ],
    )
    def test_decimals(self, currency, amount, table, sentence):
        """A table rounds to what can be paid; a sentence says exactly what the program says."""
        assert (table, sentence) == written(amount, Money(currency))

    def test_another_currency(self):
        """An amount of a currency that the shop had before is written in that one."""
        money = Money("EUR", "{{amount_with_comma_separator}} €")
        assert "$1.234,50" == money.write(Decimal("1234.5"), "USD")


class TestByShop:
    @pytest.mark.parametrize(
        ("currency", "shop_format", "table", "sentence"),
        [
            ("CAD", "${{amount}}", "$1,234.00", "$1,234"),
            ("EUR", "€{{amount_with_comma_separator}}", "€1.234,00", "€1.234"),
            ("EUR", "{{ amount_with_comma_separator }} €", "1.234,00 €", "1.234 €"),
            ("SEK", "{{amount_with_space_separator}} kr", "1 234,00 kr", "1 234 kr"),
            ("CHF", "CHF {{amount_with_apostrophe_separator}}", "CHF 1’234.00", "CHF 1’234"),
            ("INR", "<span class=money>Rs. {{amount_no_decimals}}</span>", "Rs. 1,234.00", "Rs. 1,234"),
            ("GBP", "&pound;{{amount}} GBP", "£1,234.00 GBP", "£1,234 GBP"),
            ("JPY", "¥{{amount_no_decimals}}", "¥1,234", "¥1,234"),
            ("PLN", "{{amount_no_decimals_with_space_separator}} zł", "1 234,00 zł", "1 234 zł"),
            ("NOK", "{{amount_with_period_and_space_separator}} kr", "1 234.00 kr", "1 234 kr"),
        ],
    )
    def test_as_shopify(self, currency, shop_format, table, sentence):
        """What a merchant chose at Shopify holds; a format without decimals never rounds what a reward is worth."""
        assert (table, sentence) == written("1234", Money(currency, shop_format))

    @pytest.mark.parametrize(
        "shop_format",
        ["", "money", "{{amount}}", "{{price}} €", "{{amount}} {{amount}}", "x" * 40 + "{{amount}}"],
    )
    def test_unknown(self, shop_format):
        """A format that says nothing known is as good as none."""
        assert ("$1,234.00", "$1,234") == written("1234", Money("USD", shop_format))


class TestByProgram:
    @pytest.mark.parametrize(
        ("chosen", "table", "sentence"),
        [
            (CurrencyFormat(display="code"), "EUR 1.234,00", "EUR 1.234"),
            (CurrencyFormat(display="code", position="after"), "1.234,00 EUR", "1.234 EUR"),
            (CurrencyFormat(display="symbol"), "€1.234,00", "€1.234"),
            (CurrencyFormat(position="after"), "1.234,00 €", "1.234 €"),
            (CurrencyFormat(decimals="always"), "€1.234,00", "€1.234,00"),
            (CurrencyFormat(decimals="when_needed"), "€1.234", "€1.234"),
            (CurrencyFormat(thousands="none"), "€1234,00", "€1234"),
            (CurrencyFormat(decimal="point"), "€1,234.00", "€1,234"),
            (CurrencyFormat(thousands="comma"), "€1,234.00", "€1,234"),
            (CurrencyFormat(thousands="space", decimal="comma"), "€1 234,00", "€1 234"),
        ],
    )
    def test_over_the_shop(self, chosen, table, sentence):
        """What the program says holds; what it leaves out is the shop's, and gives way where the two would be the same mark."""
        assert (table, sentence) == written("1234", Money("EUR", "€{{amount_with_comma_separator}}", chosen))

    @SETTINGS
    @given(EVERYWHERE, FORMATS, CURRENCY_FORMATS, st.decimals(-(10**9), 10**9, places=4))
    def test_readable(self, currency, shop_format, chosen, amount):
        """However money is written, its digits can be told from its marks and give the amount again."""
        money = Money(currency, shop_format, chosen)
        said = money.say(amount)
        digits = "".join(mark for mark in said if mark.isdigit())
        exact = f"{abs(amount):f}".replace(".", "")
        assert digits.strip("0") == exact.strip("0")
        large, small = (BETWEEN_DIGITS.findall(money.say(Decimal(text))) for text in ("1234567", "0.5"))
        assert not {mark for mark in large if large.count(mark) > 1} & {*small}
