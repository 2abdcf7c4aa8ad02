"""Goals are given once, stay as they were given, and are undone by nothing but refunds."""

from dataclasses import replace
from decimal import Decimal

import pytest

from loyalty.core.calendar import take
from loyalty.core.decide import Decision, decide_duplicates, decide_goals
from loyalty.core.decide.separating import decide_given_again
from loyalty.core.program import GoalRule, Program, Schedule, Tier, Tiers
from loyalty.core.standing import OrderCredit, Standing
from tests.unit.core.makers import later, program

MARCH = later()
TWO = GoalRule(key="two", way="order_count_goal", title="Two orders", goal=Decimal(2), points=200)


def buyer(*days: int, name: str = "7") -> Standing:
    """A member who bought for 10.00 on each of these days after noon."""
    orders = {day: OrderCredit(later(days=day), Decimal(10)) for day in days}
    return Standing(name=name, joined_at=MARCH, is_guest=False, orders=orders)


def rules(*goals: GoalRule, **said: object) -> Program:
    """A program with goals."""
    return program(*goals, **said)


def look(member: Standing, rules: Program, day: int) -> Decision:
    """What the goals say on a day, taken."""
    decision = decide_goals(member, rules, at=later(days=day))
    take(member, decision)
    return decision


def lost(member: Standing, day: int) -> None:
    """The order of a day is refunded in full."""
    member.orders[day] = OrderCredit(later(days=day), Decimal(0))


class TestGiven:
    def test_higher(self):
        """A goal that is set higher takes nothing back, and a refund that undoes it by its own terms still does."""
        member, higher = buyer(1, 2), rules(replace(TWO, goal=Decimal(5), points=900), version=4)
        look(member, rules(TWO), 2)
        assert look(member, higher, 3) == Decision()
        assert member.balance == 200
        lost(member, 2)
        assert [entry.points for entry in look(member, higher, 4).entries] == [-200]

    def test_lower(self):
        """Whoever has less than it took then, and enough for what it takes now, keeps what was given."""
        member = buyer(1, 2)
        look(member, rules(TWO), 2)
        lost(member, 2)
        assert look(member, rules(replace(TWO, goal=Decimal(1), points=20), version=4), 3) == Decision()
        assert member.balance == 200

    def test_switched_off(self):
        """A goal that is switched off takes nothing back; refunds still undo it."""
        member = buyer(1, 2)
        look(member, rules(TWO), 2)
        assert look(member, rules(), 3) == Decision()
        lost(member, 1)
        look(member, rules(), 4)
        assert member.balance == 0

    def test_again(self):
        """Reached again, it is worth what it is worth now, and the entry names the version that says so."""
        member = buyer(1, 2)
        look(member, rules(TWO), 2)
        lost(member, 2)
        look(member, rules(TWO), 3)
        member.orders[4] = OrderCredit(later(days=4), Decimal(10))
        (entry,) = look(member, rules(replace(TWO, points=300), version=8), 4).entries
        assert (entry.points, entry.program_version, entry.sequence) == (300, 8, 2)

    def test_hold_again(self):
        """A goal that was undone on hold is on hold again when it is reached again: the new order can come back too."""
        held, member = rules(replace(TWO, hold_days=14)), buyer(1, 2)
        look(member, held, 2)
        lost(member, 2)
        look(member, held, 5)
        assert (member.balance, member.held) == (0, 0)
        member.orders[30] = OrderCredit(later(days=30), Decimal(10))
        look(member, held, 30)
        assert (member.balance, member.held) == (0, 200)
        (award,) = member.awards.values()
        assert award.release_at is not None
        assert award.release_at > later(days=44)


class TestOnePerson:
    def joined(self, *, other_first: bool = True) -> Standing:
        """Two who each reached the goal turn out to be one."""
        days = ((5, 6), (1, 2)) if other_first else ((1, 2), (5, 6))
        one, other = buyer(*days[0], name="7"), buyer(*days[1], name="9")
        for each in (one, other):
            look(each, rules(TWO), 6)
            assert each.balance == 200
        one.orders |= other.orders
        for award in other.awards.values():
            one.put(award)
        one.balance += other.balance
        return one

    @pytest.mark.parametrize("other_first", [True, False])
    def test_once(self, other_first):
        """The goal is given once, whoever of the two had it first, however often anybody looks."""
        member = self.joined(other_first=other_first)
        take(member, decide_duplicates(member, at=later(days=7)))
        assert member.balance == 200
        assert look(member, rules(TWO), 8) == Decision()
        assert member.balance == 200

    def test_parted(self):
        """What returns when the two are parted can still be undone by refunds."""
        member = self.joined()
        twice = decide_duplicates(member, at=later(days=7))
        take(member, twice)
        (award,) = twice.awards
        take(member, decide_given_again(member, award, 200, at=later(days=8)))
        assert member.balance == 400
        for day in (1, 2, 5, 6):
            lost(member, day)
        for day in (9, 10):
            look(member, rules(TWO), day)
        assert member.balance == 0


class TestBounds:
    """When a goal holds and for whom, by the order that reaches it."""

    @pytest.mark.parametrize(("begins", "points"), [(2, 200), (3, 0)])
    def test_schedule(self, begins, points):
        """The day of the order that reaches it decides, however late somebody looks."""
        only = replace(TWO, schedule=Schedule(begins=later(days=begins).date(), ends=later(days=5).date()))
        member = buyer(1, 2, 9)
        look(member, rules(only), 300)
        assert member.balance == points

    @pytest.mark.parametrize(("tier", "points"), [("silver", 200), ("gold", 0)])
    def test_tier(self, tier, points):
        """The tier that the member had with that order decides, not the one of the day on which somebody looks."""
        ladder = (Tier("silver", "Silver", Decimal(20)), Tier("gold", "Gold", Decimal(30)))
        only = rules(replace(TWO, tiers=frozenset({tier})), tiers=Tiers(ladder=ladder))
        member = buyer(1, 2, 3)
        look(member, only, 4)
        assert member.balance == points
