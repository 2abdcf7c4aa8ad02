"""What holds for every order, and for every order in which facts arrive."""

import json
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from loyalty.core.facts import CustomerSeen, OrderSeen, OrderSnapshot, ReviewSeen
from loyalty.core.ledger import Source
from loyalty.core.orders import counted_amount, order_worth
from tests.unit.core.makers import customer, line, order, order_rule, program, seen
from tests.unit.core.recorder import Recorder, chain
from tests.unit.core.strategies import SETTINGS, histories, review_histories, snapshots

RULES = st.builds(
    order_rule,
    st.sampled_from(["1", "0.1", "2.5", "100", "0.0001"]),
    st.sampled_from(["down", "half_up", "up"]),
)


class TestCountedAmount:
    @SETTINGS
    @given(snapshots(), RULES)
    def test_bounds(self, snapshot, rule):
        """Never below nothing and never more than the goods that were sold; points are within one of the exact product."""
        sold = sum(Fraction(x.amount) for x in snapshot.lines if not x.gift_card and x.quantity)
        assert 0 <= counted_amount(snapshot) <= sold
        award = order_worth(snapshot, rule)
        assert award.points >= 0
        assert abs(award.points - award.basis * Fraction(rule.rate)) < 1

    @SETTINGS
    @given(
        st.lists(st.tuples(st.integers(1, 9_999), st.integers(1, 6)), min_size=1, max_size=4),
        st.sampled_from(["0", "0.25"]),
        RULES,
        st.data(),
    )
    def test_alike(self, bought, tax_rate, rule, data):
        """Pieces given back for their rounded price leave the points that the same money without pieces leaves."""
        lines = [
            line(
                str(Decimal(cents * 4) / 100),
                quantity=quantity,
                tax=str(Decimal(cents * 4) / 100 * Decimal(tax_rate)),
            )
            for cents, quantity in bought
        ]
        place = data.draw(st.integers(0, len(lines) - 1))
        back = data.draw(st.integers(1, lines[place].quantity))
        price = (lines[place].amount + lines[place].tax) * back / lines[place].quantity
        refunded = str(price.quantize(Decimal("0.01"), ROUND_HALF_UP))
        by_amount = order(*lines, refunded=refunded)
        lines[place] = replace(lines[place], remaining=lines[place].quantity - back)
        by_line = order(*lines, refunded=refunded)
        assert order_worth(by_line, rule).points == order_worth(by_amount, rule).points

    @SETTINGS
    @given(snapshots(), RULES)
    def test_full_refund(self, snapshot, rule):
        """All pieces back, or all money back, leave exactly nothing."""
        paid = sum(x.amount + x.tax for x in snapshot.lines)
        no_pieces = replace(snapshot, lines=tuple(replace(x, remaining=0) for x in snapshot.lines))
        no_money = replace(snapshot, refunded=paid + snapshot.refunded_shipping)
        assert 0 == order_worth(no_pieces, rule).points == order_worth(no_money, rule).points


class TestConvergence:
    @SETTINGS
    @given(st.data(), RULES)
    def test_any_order(self, data, rule):
        """Late, repeated and shuffled facts end at what the newest states are worth, computed from scratch."""
        orders = [data.draw(histories(order_id)) for order_id in range(1, data.draw(st.integers(1, 3)) + 1)]
        reviews = [data.draw(review_histories(f"r-{n}")) for n in range(data.draw(st.integers(0, 2)))]
        told: list[CustomerSeen | OrderSeen | ReviewSeen]
        told = [seen(state) for states in orders for state in states]
        told += [state for states in reviews for state in states]
        told += [customer()]
        again = data.draw(st.lists(st.sampled_from(told), max_size=10))
        facts = data.draw(st.permutations(told + again))
        recorder = Recorder(program(order=rule))
        recorder.absorb(facts)
        recorder.absorb(
            seen(orders[order_id - 1][-1], authoritative=True) for order_id in sorted(recorder.unread)
        )
        assert recorder.worth() == recorder.balance
        assert {n: states[-1] for n, states in enumerate(orders, 1)} == {
            n: known.order for n, known in recorder.orders.items()
        }

    @SETTINGS
    @given(st.data())
    def test_settled(self, data):
        """Two arrivals end at one balance; repeating everything in any order posts nothing more, and the chain stays as it is."""
        states = data.draw(histories(1))
        facts: list[OrderSeen | CustomerSeen] = [seen(state, authoritative=True) for state in states]
        facts.append(customer())
        balances = set()
        for arrival in (facts, data.draw(st.permutations(facts + facts))):
            recorder = Recorder(program())
            recorder.absorb(arrival)
            balances.add(recorder.balance)
            settled = chain(recorder.entries)
            recorder.absorb(data.draw(st.permutations(facts + facts)))
            assert settled == chain(recorder.entries)
        assert 1 == len(balances)

    @SETTINGS
    @given(st.data())
    def test_refunded_at_last(self, data):
        """Whatever happened before, a full refund leaves exactly nothing from the order."""
        states = data.draw(histories(1))
        gone = replace(
            states[-1], financial_status="refunded", updated_at=states[-1].updated_at.replace(year=2027)
        )
        recorder = Recorder(program(order=order_rule("3.3", "up")))
        facts = [seen(state, authoritative=data.draw(st.booleans())) for state in states]
        recorder.absorb([*data.draw(st.permutations(facts)), seen(gone), seen(gone, authoritative=True)])
        assert 0 == sum(recorder.posted(Source("order", "1")))

    @SETTINGS
    @given(st.data())
    def test_program_changes(self, data):
        """Under rules that change in between, an order is corrected by the rule that first rewarded it, and never below nothing."""
        states = data.draw(histories(1))
        recorder = Recorder(program())
        for version, state in enumerate(data.draw(st.permutations(states + states)), 1):
            rule = data.draw(st.none() | RULES)
            recorder.program = program(version=version, order=rule)
            recorder.absorb([seen(state, authoritative=data.draw(st.booleans()))])
        versions = {entry.program_version for entry in recorder.entries}
        assert len(versions) <= 1
        recorder.absorb([seen(states[-1], authoritative=True)])
        assert 0 <= sum(recorder.posted(Source("order", "1")))


class TestOrderSnapshot:
    @SETTINGS
    @given(snapshots(order_id=2**63 - 1))
    def test_round_trip(self, snapshot):
        """A snapshot comes back equal from JSON text, with its exact amounts, zones and 64-bit ids; the text changes nothing."""
        read = json.loads(json.dumps(snapshot.to_json()))
        assert snapshot.to_json() == read
        assert snapshot == OrderSnapshot.from_json(read)
