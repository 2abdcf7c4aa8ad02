"""Random lives under random programs: what must hold at every moment, whatever happens and in whatever order it is told."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loyalty.core import ledger
from loyalty.core.calendar import Era
from loyalty.core.decide import (
    AdjustmentRefused,
    Decision,
    RewardRefused,
    decide_adjustment,
    decide_reward_request,
    decide_reward_return,
)
from loyalty.core.facts import (
    ActionDone,
    BirthdayTold,
    CustomerSeen,
    OrderSeen,
    OrderSnapshot,
    PointsAdjusted,
    RewardRequested,
)
from loyalty.core.ledger import Entry
from loyalty.core.lots import lots
from loyalty.core.orders import counted_amount
from loyalty.core.program import ORDER_WAYS, SELF_REPORTED_WAYS, Program
from loyalty.core.tiers import Climb
from tests.unit.core.makers import NOON, REVIEW, SIGNUP, SOMEBODY, order_rule, review
from tests.unit.core.programs import programs
from tests.unit.core.recorder import Recorder
from tests.unit.core.strategies import order_lines


class Life(RuleBasedStateMachine):
    """One member's life. Facts may be told again at any time; time only goes forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = NOON
        self.told: list[Any] = []
        self.orders: dict[int, OrderSnapshot] = {}
        self.redeemed: list[Entry] = []
        self.negative_allowed = False

    @initialize(drawn=programs(), rate=st.sampled_from(["1", "2.5", "0.1"]), hold=st.sampled_from([0, 0, 14]))
    def begin(self, drawn: Program, rate: str, hold: int) -> None:
        """A program with the usual rules beside the random ones."""
        others = tuple(one for one in drawn.earning if one.key not in ("order", "signup", "review"))
        rules = (order_rule(rate, hold_days=hold), SIGNUP, REVIEW, *others)
        program = replace(drawn, earning=rules)
        self.recorder = Recorder(program)
        self.eras = (Era(NOON - timedelta(days=9000), program),)

    @property
    def program(self) -> Program:
        """The program in force."""
        return self.recorder.program

    def tell(self, fact: Any) -> None:
        """A fact becomes known now."""
        self.told.append(fact)
        self.recorder.happen(fact, self.eras, at=self.now)

    @rule(hours=st.integers(1, 24 * 60))
    def time_passes(self, hours: int) -> None:
        """Nothing but time."""
        self.now += timedelta(hours=hours)
        self.recorder.wait(self.eras, until=self.now)

    @rule(subscribed=st.booleans())
    def joins(self, subscribed: bool) -> None:
        """The customer record is made, or seen again."""
        since = self.now if subscribed else None
        joined = self.recorder.standing.joined_at or self.now
        self.tell(CustomerSeen(SOMEBODY, "Rosa", None, None, joined, self.now, subscribed_at=since))

    @rule(lines=st.lists(order_lines(), max_size=3), channel=st.sampled_from(["web", "pos"]))
    def buys(self, lines: list[Any], channel: str) -> None:
        """A new order."""
        fresh = tuple(replace(x, remaining=x.quantity, tags=("sale",), collections=(7,)) for x in lines)
        number = len(self.orders) + 1
        self.orders[number] = OrderSnapshot(
            order_id=number,
            name=f"#{number}",
            created_at=self.now,
            updated_at=self.now,
            currency="USD",
            financial_status="paid",
            cancelled=False,
            test=False,
            source=channel,
            lines=fresh,
            outstanding=Decimal(0),
            refunded=Decimal(0),
            refunded_shipping=Decimal(0),
        )
        self.tell(OrderSeen(self.orders[number], SOMEBODY, authoritative=True))

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def order_changes(self, data: st.DataObject) -> None:
        """Pieces come back, money goes back, or the order is cancelled; told by a webhook or read."""
        order = self.orders[data.draw(st.sampled_from(sorted(self.orders)))]
        lines = tuple(
            replace(x, remaining=data.draw(st.integers(0, x.remaining)) if x.remaining else 0)
            for x in order.lines
        )
        price = sum((x.amount + x.tax for x in order.lines), Decimal(0))
        changed = replace(
            order,
            updated_at=max(self.now, order.updated_at + timedelta(seconds=1)),
            lines=lines,
            refunded=min(price, order.refunded + data.draw(st.integers(0, 5_000)) / Decimal(100)),
            cancelled=order.cancelled or data.draw(st.integers(0, 9)) == 0,
        )
        self.orders[order.order_id] = changed
        self.tell(OrderSeen(changed, SOMEBODY, authoritative=data.draw(st.booleans())))

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def told_again(self, data: st.DataObject) -> None:
        """Any fact comes once more."""
        self.recorder.happen(data.draw(st.sampled_from(self.told)), self.eras, at=self.now)

    @rule(number=st.integers(1, 4), status=st.sampled_from(["published", "rejected"]), media=st.booleans())
    def reviews(self, number: int, status: str, media: bool) -> None:
        """A review is written, changed, rejected or shown again."""
        self.tell(
            review(
                review_id=f"r-{number}", status=status, has_media=media, submitted_at=NOON, seen_at=self.now
            )
        )

    @precondition(lambda self: self.program.rules(*SELF_REPORTED_WAYS, "custom", "nps", "answer"))
    @rule(data=st.data())
    def acts(self, data: st.DataObject) -> None:
        """Something that a rule rewards."""
        chosen = data.draw(
            st.sampled_from(self.program.rules(*SELF_REPORTED_WAYS, "custom", "nps", "answer"))
        )
        self.tell(ActionDone(chosen.key, data.draw(st.sampled_from(["", "a", "b"])), SOMEBODY, self.now))

    @rule(month=st.integers(1, 12), day=st.integers(1, 29))
    def tells_birthday(self, month: int, day: int) -> None:
        """A birthday is told, or another one."""
        if (month, day) != (2, 30):
            self.tell(BirthdayTold(SOMEBODY, month, day, self.now))

    @precondition(lambda self: any(one.listed for one in self.program.rewards))
    @rule(data=st.data(), points=st.none() | st.integers(1, 2_000))
    def redeems(self, data: st.DataObject, points: int | None) -> None:
        """A reward is asked for; it is had or refused."""
        chosen = data.draw(st.sampled_from([one for one in self.program.rewards if one.listed]))
        number = len(self.recorder.entries)
        request = RewardRequested(chosen.key, f"k{number}", f"i{number}", self.now, points)
        before = self.recorder.balance
        try:
            _, cost, entry = decide_reward_request(self.recorder.standing, request, self.program)
        except RewardRefused:
            return
        assert 0 < cost.points <= before
        self.recorder.apply(Decision(entries=(entry,)))
        self.redeemed.append(entry)

    @precondition(lambda self: self.redeemed)
    @rule()
    def gets_points_back(self) -> None:
        """A reward that was not used is cancelled."""
        entry = self.redeemed.pop()
        self.recorder.apply(
            decide_reward_return(
                entry, because="cancelled", reason="Cancelled", at=self.now, balance=self.recorder.balance
            )
        )

    @rule(points=st.integers(-500, 500))
    def is_adjusted(self, points: int) -> None:
        """Staff gives or takes, never more than there is."""
        fact = PointsAdjusted(
            points, f"a{len(self.recorder.entries)}-{len(self.told)}", "Note", "staff-9", self.now
        )
        try:
            self.recorder.apply(decide_adjustment(self.recorder.standing, fact, self.program))
        except AdjustmentRefused:
            return

    @invariant()
    def holds(self) -> None:
        """The books hold: see ``Recorder.check``. Lots, holds and lifetime figures are those that a fresh fold gives."""
        if not hasattr(self, "recorder"):
            return
        self.recorder.check()
        standing = self.recorder.standing
        assert standing.held == sum(award.held for award in standing.awards.values()) >= 0
        assert sum(lot.points for lot in lots(self.recorder.entries)) == max(standing.balance, 0)
        folds = [ledger.lifetime(entry.kind, entry.points) for entry in self.recorder.entries]
        assert (standing.lifetime_earned, standing.lifetime_spent) == (
            sum(earned for earned, _ in folds),
            sum(spent for _, spent in folds),
        )
        slots = [award.slot for award in standing.awards.values() if award.slot and award.worth]
        assert len(slots) == len(set(slots))
        if self.program.debts == "forgive":
            assert standing.balance >= 0

    @invariant()
    def tier_is_computed(self) -> None:
        """The tier that was moved to step by step is the one that a look from scratch gives."""
        if not hasattr(self, "recorder") or self.program.tiers is None or self.recorder.unread:
            return
        standing = self.recorder.standing
        if standing.joined_at is None and not standing.orders:
            return  # nobody is known yet
        tier = Climb(standing, self.program).tier(self.now)
        assert standing.tier == (tier.key if tier else None)

    def teardown(self) -> None:
        """When every order is refunded in full, nothing is left of any of them, held or posted."""
        if not hasattr(self, "recorder"):
            return
        for order in self.orders.values():
            gone = replace(
                order, updated_at=order.updated_at + timedelta(days=1), financial_status="refunded"
            )
            assert counted_amount(gone) == 0
            self.now = max(self.now, gone.updated_at)
            self.tell(OrderSeen(gone, SOMEBODY, authoritative=True))
        left = [award for award in self.recorder.standing.awards.values() if award.way in ORDER_WAYS]
        assert not any(award.worth or award.posted for award in left)
        self.recorder.check()


TestLife = Life.TestCase
# A life is as much work as a dozen of other examples.
TestLife.settings = settings(max_examples=max(2, settings().max_examples // 4), stateful_step_count=25)
