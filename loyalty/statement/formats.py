"""How numbers, money and times are written for a shop: in its currency and in its time zone. It reads nothing but its arguments."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_compact_decimal, format_decimal, format_percent
from sqlmodel import Session

from loyalty import programs
from loyalty.core.program import CurrencyFormat
from loyalty.models import Shop
from loyalty.statement.money import LOCALE, Money

# A number in another language's form would be the odd one out on pages that are written in English.
_AS_THE_SHOP = CurrencyFormat()


@dataclass(frozen=True, slots=True)
class Formats:
    """The ways to write of one shop."""

    currency: str = "USD"
    timezone: str = "UTC"
    shop_format: str = ""
    chosen: CurrencyFormat = _AS_THE_SHOP

    @property
    def amounts(self) -> Money:
        """How amounts of money are written."""
        return Money(self.currency, self.shop_format, self.chosen)

    @property
    def zone(self) -> tzinfo:
        """The shop's time zone; UTC when the shop names one that this machine does not know."""
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            return UTC

    def number(self, value: int | Decimal) -> str:
        """``12,345``."""
        return format_decimal(value, locale=LOCALE)

    def signed(self, value: int) -> str:
        """``+84`` or ``−84``, with a real minus sign."""
        return f"{'+' if value > 0 else '−' if value < 0 else ''}{self.number(abs(value))}"

    def compact(self, value: int) -> str:
        """``1.2M`` for a number that only has to give an idea."""
        return format_compact_decimal(value, locale=LOCALE, fraction_digits=1)

    def percent(self, value: float) -> str:
        """``42%``."""
        return format_percent(value, locale=LOCALE)

    def money(self, amount: Decimal, currency: str | None = None) -> str:
        """``$84.50``, with as many decimals as the currency has."""
        return self.amounts.write(amount, currency)

    def moment(self, at: datetime) -> str:
        """``Nov 21, 2026, 2:05 PM`` in the shop's time zone."""
        return format_datetime(at, "MMM d, y, h:mm a", tzinfo=self.zone, locale=LOCALE)

    def day(self, at: datetime | date) -> str:
        """``Nov 21, 2026`` in the shop's time zone."""
        local = at.astimezone(self.zone).date() if isinstance(at, datetime) else at
        return format_date(local, "MMM d, y", locale=LOCALE)

    def month(self, day: date) -> str:
        """``Nov 2026``: the month of a day."""
        return format_date(day, "MMM y", locale=LOCALE)

    def short_day(self, day: date) -> str:
        """``Nov 21``."""
        return format_date(day, "MMM d", locale=LOCALE)

    def span(self, seconds: float) -> str:
        """``3 minutes``: roughly how long."""
        return format_timedelta(timedelta(seconds=max(1.0, seconds)), threshold=1.5, locale=LOCALE)

    def ago(self, at: datetime, now: datetime) -> str:
        """``3 minutes ago``."""
        seconds = (now - at).total_seconds()
        return "just now" if seconds < 5 else f"{self.span(seconds)} ago"

    def start_of_day(self, day: date) -> datetime:
        """The instant at which ``day`` begins in the shop."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def today(self, now: datetime) -> date:
        """The day that it is in the shop."""
        return now.astimezone(self.zone).date()


def formats_of(session: Session, shop: Shop) -> Formats:
    """The ways to write of a shop, money as its program says."""
    assert shop.id is not None
    try:
        chosen = programs.current(session, shop.id).currency
    except programs.NoProgram:
        chosen = _AS_THE_SHOP
    return Formats(shop.currency, shop.timezone, shop.money_format, chosen)
