"""Orders that nobody can read at Shopify: what was told of them last decides."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.core.facts import OrderUnreadable
from loyalty.core.ledger import Source
from loyalty.core.orders import order_worth
from tests.unit.core.makers import later, line, order, program, seen
from tests.unit.core.recorder import Recorder
from tests.unit.core.strategies import SETTINGS, histories, snapshots

PIECES = line("60.00", quantity=2), line("40.00", line_id=2)


def told(*facts):
    """Somebody of whom these facts were told."""
    recorder = Recorder(program())
    recorder.absorb(facts)
    return recorder


class TestUnreadable:
    @SETTINGS
    @given(st.data())
    def test_any_order(self, data):
        """Messages in any order, repeated, with vain readings between them, end at what the newest is worth."""
        states = data.draw(histories(9001))
        facts = [*map(seen, states), *map(seen, states), OrderUnreadable(9001)]
        recorder = told(*data.draw(st.permutations(facts)), OrderUnreadable(9001))
        assert recorder.balance == order_worth(states[-1], program().order_rules[0]).points

    @SETTINGS
    @given(st.data())
    def test_same_second(self, data):
        """Of two messages of one second the same one decides, whichever came first."""
        states = [seen(data.draw(snapshots())) for _ in range(2)]
        ends = {told(*facts, OrderUnreadable(9001)).balance for facts in (states, states[::-1])}
        assert 1 == len(ends)

    @pytest.mark.parametrize(
        "happened",
        [
            {"cancelled": True},
            {"refunded": "30.00"},
            {"lines": (replace(PIECES[0], remaining=1), PIECES[1])},
        ],
    )
    def test_further_along(self, happened):
        """Of two messages of one second, the one that takes points back is the later: nothing of that is ever undone."""
        before, after = seen(order(*PIECES)), seen(replace(order(*PIECES), **_exact(happened)))
        for facts in ((before, after), (after, before)):
            assert told(*facts, OrderUnreadable(9001)).balance < 100

    def test_paid_is_later(self):
        """... and the one that is paid comes after the one that is not."""
        owed = seen(order(*PIECES, financial_status="pending", outstanding="100.00"))
        for facts in ((owed, seen(order(*PIECES))), (seen(order(*PIECES)), owed)):
            assert told(*facts, OrderUnreadable(9001)).balance == 100

    def test_why(self):
        """What was taken back says that it rests on a message; what was given by a message that needed no reading does not."""
        gone = seen(order(*PIECES, cancelled=True, updated_at=later(hours=1)))
        given_, taken = told(seen(order(*PIECES)), gone, OrderUnreadable(9001)).entries
        assert (given_.points, taken.points) == (100, -100)
        assert "unreadable" not in given_.why
        assert taken.why["unreadable"]

    def test_read_at_last(self):
        """A reading that comes after all decides, also against a message of the same second."""
        half = seen(order(*PIECES, refunded="50.00", updated_at=later(hours=1)))
        read = seen(order(*PIECES, refunded="40.00", updated_at=later(hours=1)), authoritative=True)
        recorder = told(seen(order(*PIECES)), half, OrderUnreadable(9001), read, half)
        assert sum(recorder.posted(Source("order", "9001"))) == 60

    def test_unknown(self):
        """Of an order that was never told of, nothing follows."""
        assert told(OrderUnreadable(9001)).entries == []


def _exact(said):
    return {
        name: order(refunded=value).refunded if name == "refunded" else value for name, value in said.items()
    }
