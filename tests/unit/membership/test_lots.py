"""Which points are left, and how old they are."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from loyalty.core.ledger import (
    ADJUST,
    EARN,
    EXPIRE,
    FORGIVE,
    IMPORT,
    REDEEM,
    RETURN,
    REVERSE,
    TRANSFER,
    Entry,
    Source,
)
from loyalty.core.lots import carried, lots
from loyalty.core.standing import Standing
from tests.unit.core.members import utc
from tests.unit.core.strategies import SETTINGS

JAN, FEB, MAR = utc(2026, 1, 1), utc(2026, 2, 1), utc(2026, 3, 1)


def entry(kind: str, points: int, at: datetime = MAR, ref: str = "1", **why: object) -> Entry:
    """A movement of points."""
    return Entry(kind, points, Source("order", ref), "order", 0, 1, "", why, at)


def left(*entries: Entry) -> list[tuple[datetime, int]]:
    """The points that are left of each date."""
    found: dict[datetime, int] = {}
    for lot in lots(entries):
        found[lot.at] = found.get(lot.at, 0) + lot.points
    return list(found.items())


A, B = entry(EARN, 100, JAN, "a"), entry(EARN, 50, FEB, "b")


class TestLots:
    def test_oldest_first(self):
        """Spending takes the oldest points, in whatever order they became known."""
        assert left(B, A, entry(REDEEM, -120)) == [(FEB, 30)]

    def test_own_first(self):
        """A refund takes back the points of its own order, and only then the oldest."""
        assert left(A, B, entry(REVERSE, -50, ref="b")) == [(JAN, 100)]
        assert left(A, B, entry(REVERSE, -60, ref="b")) == [(JAN, 90)]

    def test_given_back(self):
        """Points of a cancelled reward go back where they came from, as old as they were."""
        spent = (A, B, entry(REDEEM, -120, ref="r"))
        assert left(*spent, entry(RETURN, 120, ref="r")) == [(JAN, 100), (FEB, 50)]
        assert left(*spent, entry(RETURN, 10, ref="r")) == [(FEB, 40)]
        assert left(entry(RETURN, 10)) == [(MAR, 10)]

    def test_debt(self):
        """What is owed is paid off before anything can grow old."""
        owing = (A, entry(REDEEM, -100, ref="r"), entry(REVERSE, -100, ref="a"))
        assert left(*owing) == []
        assert left(*owing, B) == []
        assert left(*owing, B, entry(EARN, 70, MAR, "c")) == [(MAR, 20)]
        assert left(*owing, entry(FORGIVE, 100), B) == [(FEB, 50)]
        assert left(*owing, B, entry(RETURN, 100, ref="r")) == [(JAN, 50)]

    def test_transfer(self):
        """Points that move to another member keep their age."""
        moved = entry(TRANSFER, 150, MAR, lots=carried((A, B)))
        assert left(moved) == [(JAN, 100), (FEB, 50)]
        assert left(entry(TRANSFER, 120, MAR, lots=carried((A, B)))) == [(JAN, 100), (FEB, 20)]
        assert left(entry(TRANSFER, 200, MAR, lots=carried((A, B)))) == [(JAN, 100), (FEB, 50), (MAR, 50)]

    def test_import_undone(self):
        """Undoing an import takes what it brought, before anything older."""
        assert left(A, entry(IMPORT, 30, MAR, "file"), entry(IMPORT, -30, MAR, "file")) == [(JAN, 100)]


KINDS = st.sampled_from([EARN, REDEEM, RETURN, REVERSE, ADJUST, TRANSFER, EXPIRE, FORGIVE, IMPORT])


@st.composite
def movements(draw: st.DrawFn) -> Entry:
    """Any movement of points, also ones that no decision would make."""
    points = draw(st.integers(-300, 300).filter(bool))
    at = JAN + timedelta(days=draw(st.integers(0, 300)))
    return entry(draw(KINDS), points, at, draw(st.sampled_from("abc")))


class TestProperties:
    @SETTINGS
    @given(st.lists(movements(), max_size=25))
    def test_sum(self, entries):
        """After every entry the lots add up to the balance, or to nothing while it is below zero; and they are in order."""
        for length in range(len(entries) + 1):
            found = lots(entries[:length])
            assert sum(lot.points for lot in found) == max(sum(e.points for e in entries[:length]), 0)
            assert all(lot.points > 0 for lot in found)
            assert [lot.at for lot in found] == sorted(lot.at for lot in found)

    @SETTINGS
    @given(st.lists(movements(), max_size=25), st.integers(0, 25), st.data())
    def test_asked_between(self, entries, known, data):
        """A standing that is asked for its lots again and again, and learns late what was before, has those of all its entries."""
        standing, earlier = Standing(), entries[:known]
        for one in entries[known:]:
            standing.take(one)
            if data.draw(st.booleans()):
                standing.lots()
        standing.remember(earlier)

        assert tuple(standing.lots()) == lots(entries)
        standing.take(A)
        assert tuple(standing.lots()) == lots([*entries, A])
