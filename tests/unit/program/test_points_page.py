"""The worked examples of docs/points.md are what the code does."""

import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from loyalty.core.orders import order_worth
from tests.unit.core.makers import line, order, order_rule

PAGE = Path(__file__).resolve().parents[3] / "docs" / "points.md"
LINE = re.compile(
    r"(?P<card>gift card )?(?P<quantity>\d+) for (?P<amount>[\d.]+)(?: \+ (?P<tax>[\d.]+) tax)?(?:, (?P<left>\d+) remain)?"
)


def examples():
    """The rows of the tables that are marked as checked."""
    for table in re.findall(
        r"<!-- checked: .*? -->\n\n.*?\n\|[-|]+\|\n(.*?)\n\n", PAGE.read_text(), re.DOTALL
    ):
        for row in table.splitlines():
            yield [cell.strip() for cell in row.strip("|").split("|")]


def read_line(text):
    found = LINE.fullmatch(text)
    assert found, f"{text!r} does not read as a line of an order"
    return line(
        found["amount"],
        quantity=int(found["quantity"]),
        remaining=None if found["left"] is None else int(found["left"]),
        tax=found["tax"] or "0",
        gift_card=found["card"] is not None,
    )


class TestExamples:
    def test_found(self):
        """The page has its examples, so that a change of its form cannot switch this test off."""
        assert 15 == len(list(examples()))

    def test_true(self):
        """Each row counts and earns what it says."""
        for row in examples():
            story, lines, refunded, shipping, outstanding, status, counts, points = row
            award = order_worth(
                order(
                    *(read_line(text) for text in lines.split("; ")),
                    refunded=refunded,
                    refunded_shipping=shipping,
                    outstanding=outstanding,
                    financial_status=status,
                ),
                order_rule(),
            )
            assert (Fraction(Decimal(counts)), int(points)) == (award.basis, award.points), story
