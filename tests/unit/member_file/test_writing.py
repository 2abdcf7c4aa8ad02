"""What is exported reads back as it was, and runs nowhere."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from loyalty.member_file import HEADER, FileRow, Rules, Table, member_line, read_row
from loyalty.member_file.columns import recognise


class TestMemberLine:
    @pytest.mark.parametrize("text", ["=1+1", "+31 6", "-a", "@SUM(A1)", '=HYPERLINK("x")'])
    def test_formula(self, text):
        """A text that a spreadsheet would calculate is marked as text."""
        assert member_line([text]).lstrip('"').startswith("'" + text[0])

    def test_numbers(self):
        """Numbers are numbers, below zero too; nothing is nothing."""
        assert member_line([-5, None, 0]) == "-5,,0\r\n"

    def test_round_trip(self):
        """A line is read back as it was."""
        joined = datetime(2020, 3, 1, 10, tzinfo=UTC)
        values = ["=ada@fernandfig.shop", 7001, '=A"1"', "O;'X,", 120, "gold", None, "12-25", "-C0DE", joined, 900, "gold", "member"]  # fmt: skip
        text = member_line(HEADER) + member_line(values)
        layout = recognise(text.splitlines(keepends=True)[0])
        (record,) = list(Table(text.splitlines(keepends=True)[1:], layout.delimiter, before=1))
        rules = Rules(ZoneInfo("UTC"), "add", datetime(2026, 1, 1, tzinfo=UTC), {"gold": "gold"})
        assert layout.format == "laurel"
        assert read_row(record, layout, rules)[0] == FileRow(
            email="=ada@fernandfig.shop",
            customer_id=7001,
            first_name='=A"1"',
            last_name="O;'X,",
            points=120,
            tier="gold",
            birthday=(12, 25),
            referral_code="-C0DE",
            joined_at=joined,
            lifetime_points=900,
        )
