"""What a point is worth, and how much of what is owed will never be spent: small sums by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from loyalty.core import ledger
from loyalty.core.breakage import Evidence
from loyalty.core.ledger import Entry, Source
from loyalty.core.worth import point_worth
from tests.unit.core.makers import FIVE_OFF, program

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def moved(kind: str, points: int, days_ago: float, ref: str = "1") -> Entry:
    """A movement so many days ago."""
    at = NOW - timedelta(days=days_ago)
    return Entry(kind, points, Source("test", f"{ref}:{kind}"), "test", 0, 1, "A test", {}, at)


class TestPointWorth:
    def test_said(self) -> None:
        """The program's own value comes first."""
        worth = point_worth(program(point_value=Decimal("0.004")))
        assert worth is not None
        assert (worth.of(1234), worth.reward) == (Decimal("4.94"), None)

    def test_cheapest(self) -> None:
        """The cheapest listed reward that is money says it; neither percentages nor gifts do."""
        rewards = (
            FIVE_OFF,
            replace(FIVE_OFF, key="ten_off", points=900, amount=Decimal(10)),
            replace(FIVE_OFF, key="tenth", kind="percentage_off", points=100, amount=Decimal(0)),
            replace(FIVE_OFF, key="present", points=0, listed=False, amount=Decimal(50)),
        )
        worth = point_worth(program(rewards=rewards))
        assert worth is not None
        assert (worth.money, worth.reward) == (Fraction(1, 100), "five_off")

    def test_none(self) -> None:
        """Where nothing is money, nothing is made up."""
        assert point_worth(program(rewards=())) is None

    def test_below_zero(self) -> None:
        """What members owe is worth as much less."""
        worth = point_worth(program())
        assert worth is not None
        assert worth.of(-250) == Decimal("-2.50")


class TestBreakage:
    def evidence(self) -> Evidence:
        """The example of docs/liability.md, told by a hundred members who are all alike, but for a quarter of what is left."""
        evidence = Evidence(NOW)
        for number in range(100):
            spent = [moved(ledger.REDEEM, -50, 700, "a"), moved(ledger.REDEEM, -10, 500, "b")]
            entries = [moved(ledger.EARN, 100, 750), *spent, moved(ledger.EXPIRE, -15, 100)]
            if number < 80:
                entries.append(moved(ledger.EARN, 10, 1, "late"))
            evidence.add(entries)
        return evidence

    def test_example(self) -> None:
        """Of 10,000 points 1,500 expired, 500 are left with members who are silent, 2,000 with others."""
        evidence = self.evidence()
        assert (evidence.given, evidence.expired, evidence.idle, evidence.left) == (10_000, 1500, 500, 2500)

    @pytest.mark.parametrize(
        ("days", "shares"),
        [(1, (Fraction(15, 100), Fraction(20, 100), Fraction(40, 100))),
         (125, (Fraction(30, 100), Fraction(40, 100), Fraction(80, 100)))],
    )  # fmt: skip
    def test_by_age(self, days: int, shares: tuple[Fraction, Fraction, Fraction]) -> None:
        """A point that has lain for months is more likely never to be spent than a fresh one."""
        evidence = self.evidence()
        evidence.outstanding_at_age.clear()
        evidence.outstanding_at_age[days // 30] = 700
        found = evidence.estimate()
        assert found is not None
        assert (found.low, found.base, found.high) == shares

    def test_too_little(self) -> None:
        """Fewer members, or fewer points, than can tell anything."""
        evidence = Evidence(NOW)
        evidence.add([moved(ledger.EARN, 50_000, 750)])
        assert evidence.estimate() is None
        for number in range(30):
            evidence.add([moved(ledger.EARN, 10, 30, str(number))])
        assert evidence.estimate() is None
