"""What a shop owes its members in points: per day and month, in money, and how much of it will come to nothing. It reads, and no more."""

from loyalty.liability.movements import COLUMNS, Line
from loyalty.liability.periods import MOST, UNITS, Period, TooLong
from loyalty.liability.report import Liability, csv_lines, liability

__all__ = ["COLUMNS", "MOST", "UNITS", "Liability", "Line", "Period", "TooLong", "csv_lines", "liability"]
