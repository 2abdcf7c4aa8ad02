"""What each fact means for one member."""

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest

from loyalty.core import decide, ledger, news
from loyalty.core.decide import (
    AdjustmentRefused,
    Decision,
    RewardRefused,
    order_source,
    review_source,
    signup_source,
    staff_source,
)
from loyalty.core.facts import PointsAdjusted, RewardRequested
from loyalty.core.ledger import Source
from loyalty.core.program import Schedule
from loyalty.core.standing import Award, OrderCredit, Standing
from tests.unit.core.makers import (
    NOON,
    REVIEW,
    SIGNUP,
    action_rule,
    customer,
    later,
    line,
    order,
    order_rule,
    program,
    review,
    seen,
)
from tests.unit.core.recorder import Recorder


def known(source, rule, balance=0, *, joined=False, posted=0, postings=0):
    """A member who has this balance, and to whom a source has given what it says."""
    standing = Standing(name="1", balance=balance, joined_at=NOON if joined else None, is_guest=not joined)
    if postings:
        award = Award(source, rule, rule, "Given before", posted, NOON, 3, posted=posted, postings=postings)
        standing.put(award)
    return standing


class TestCustomer:
    def decide(self, fact=None, standing=None, rules=None):
        """Decide with an installation an hour before noon."""
        return decide.decide_customer(
            standing or known(signup_source(7001), "signup"),
            fact or customer(),
            rules or program(),
            earning_since=later(hours=-1),
            at=later(days=1),
        )

    def test_joins(self):
        """A new account joins, earns once and is told of both, in this order."""
        decision = self.decide(standing=known(signup_source(7001), "signup", balance=7))
        (entry,) = decision.entries
        assert decision.joins
        assert ("earn", 100, Source("signup", "7001"), 0) == (
            entry.kind,
            entry.points,
            entry.source,
            entry.sequence,
        )
        assert [news.JOINED, news.EARNED] == [told.kind for told in decision.news]
        assert 107 == decision.news[1].properties["points_balance"]
        assert entry is decision.news[1].entry

    def test_again(self):
        """The same customer again changes nothing."""
        assert Decision() == self.decide(
            standing=known(signup_source(7001), "signup", 100, joined=True, posted=100, postings=1)
        )

    def test_given_back(self):
        """A sign-up that was rewarded and taken back is not rewarded again."""
        assert not self.decide(
            standing=known(signup_source(7001), "signup", joined=True, posted=0, postings=2)
        ).entries

    def test_old_account(self):
        """An account from before the program joins without points, and as history: no flow greets an old friend."""
        decision = self.decide(customer(created_at=later(days=-400)))
        assert ((), True) == (decision.entries, decision.joins)
        assert [True] == [told.history for told in decision.news]

    def test_exactly_at_start(self):
        """The first instant of the program counts."""
        assert self.decide(customer(created_at=later(hours=-1))).entries

    def test_rule_off(self):
        """Without the rule a customer joins and is told so, and earns nothing."""
        decision = self.decide(rules=program(signup=None))
        assert ((), [news.JOINED]) == (decision.entries, [told.kind for told in decision.news])

    def test_several(self):
        """Of several rules the first one that applies gives its points; when the program changes, no other one follows."""
        over = replace(SIGNUP, schedule=Schedule(ends=later(days=-1).date()))
        now = replace(SIGNUP, key="welcome", points=30)
        rules = program(now, action_rule("signup", 70, key="more"), signup=over)
        standing = known(signup_source(7001), "other", joined=True)
        decision = self.decide(standing=standing, rules=rules)
        assert [("welcome", 30)] == [(entry.rule, entry.points) for entry in decision.entries]
        standing.awards = {award.key: award for award in decision.awards}
        assert Decision() == self.decide(standing=standing, rules=rules)
        assert Decision() == self.decide(standing=standing)

    def test_guest_joins(self):
        """A guest's points do not hide that the sign-up was never rewarded."""
        decision = self.decide(standing=known(signup_source(7001), "signup", balance=40, joined=True))
        assert ([100], False) == ([entry.points for entry in decision.entries], decision.joins)

    def test_history(self):
        """What an import brings is told as history."""
        assert [True, True] == [told.history for told in self.decide(customer(history=True)).news]


class TestOrder:
    def decide(self, snapshot, standing=None, rules=None, **how):
        """Decide an order for a member that has joined."""
        return decide.decide_order(
            standing or known(order_source(9001), "order", joined=True),
            seen(snapshot, **how),
            rules or program(),
            at=later(days=1),
        )

    def test_earns(self):
        """The first award says where it comes from and why it is what it is."""
        (entry,) = self.decide(order(line("59.97"))).entries
        assert (ledger.EARN, 59, Source("order", "9001"), "order", 0, 3) == (
            entry.kind,
            entry.points,
            entry.source,
            entry.rule,
            entry.sequence,
            entry.program_version,
        )
        assert {
            "order": "#1001",
            "basis": "59.97",
            "lines": [1],
            "currency": "USD",
            "rate": "1",
            "rounding": "down",
            "worth": 59,
            "already": 0,
            "status": "paid",
        } == entry.why

    def test_tells(self):
        """The member is told of the points, the balance after them and the order, never of the amount."""
        (told,) = self.decide(order(line("59.97")), known(order_source(9001), "order", 41, joined=True)).news
        assert (news.EARNED, 59, 100, "#1001") == (
            told.kind,
            told.properties["points"],
            told.properties["points_balance"],
            told.properties["order_name"],
        )

    def test_unchanged(self):
        """An order that is worth what was posted changes nothing."""
        assert Decision() == self.decide(
            order(line("50")), known(order_source(9001), "order", 50, posted=50, postings=1)
        )

    def test_worth_nothing(self):
        """A first sight of an unpaid order posts nothing, not even a zero."""
        assert Decision() == self.decide(order(line("50"), financial_status="pending"))

    def test_grows(self):
        """A paid addition posts the difference, as the next posting of the order."""
        (entry,) = self.decide(
            order(line("70")), known(order_source(9001), "order", 50, posted=50, postings=2)
        ).entries
        assert (ledger.EARN, 20, 2) == (entry.kind, entry.points, entry.sequence)

    def test_hearsay(self):
        """A webhook that would take points back only asks to read the order."""
        decision = self.decide(
            order(line("20")), known(order_source(9001), "order", 50, posted=50, postings=1)
        )
        assert Decision(reread=True) == decision

    def test_hearsay_for_goals(self):
        """A webhook by which an order counts less for goals and tiers asks too, also where the order itself earned nothing."""
        member = known(order_source(9001), "order", joined=True)
        member.orders[9001] = OrderCredit(NOON, Decimal(50))
        rules = program(order=None)
        assert Decision(reread=True) == self.decide(order(line("20")), member, rules)
        assert Decision() == self.decide(order(line("50")), member, rules)
        assert Decision() == self.decide(order(line("20")), member, rules, authoritative=True)

    def test_shrinks(self):
        """What was read at Shopify takes the difference back and says what changed."""
        decision = self.decide(
            order(line("20"), updated_at=later(days=2)),
            known(order_source(9001), "order", 50, posted=50, postings=1),
            authoritative=True,
        )
        (entry,) = decision.entries
        assert (ledger.REVERSE, -30, "Order #1001 changed", later(days=2)) == (
            entry.kind,
            entry.points,
            entry.reason,
            entry.occurred_at,
        )
        assert [news.ADJUSTED] == [told.kind for told in decision.news]

    def test_full_refund(self):
        """A full refund takes exactly what is left, even when the member has spent it."""
        snapshot = order(line("50"), financial_status="refunded")
        (entry,) = self.decide(
            snapshot, known(order_source(9001), "order", -3, posted=17, postings=4), authoritative=True
        ).entries
        assert (-17, 4) == (entry.points, entry.sequence)

    def test_cancelled(self):
        """The explanation names the cancellation rather than the payment."""
        snapshot = order(line("50"), cancelled=True)
        (entry,) = self.decide(
            snapshot, known(order_source(9001), "order", 50, posted=50, postings=1), authoritative=True
        ).entries
        assert ("cancelled", "0", 0) == (entry.why["status"], entry.why["basis"], entry.why["worth"])

    def test_rule_off(self):
        """Without a rule for orders nothing moves, in either direction."""
        rules = program(order=None)
        assert Decision() == self.decide(order(line("50")), rules=rules)
        gone = order(line("50"), cancelled=True)
        assert Decision() == self.decide(
            gone, known(order_source(9001), "order", posted=5, postings=1), rules, authoritative=True
        )

    def test_history(self):
        """An imported order earned when it was placed, and starts no flow."""
        decision = self.decide(order(line("50"), updated_at=later(days=9)), history=True)
        assert (NOON, NOON, True) == (
            decision.entries[0].occurred_at,
            decision.news[0].occurred_at,
            decision.news[0].history,
        )

    def test_history_correction(self):
        """What an import corrects happened when the order changed, not when it was placed."""
        decision = self.decide(
            order(line("20"), updated_at=later(days=9)),
            known(order_source(9001), "order", 50, posted=50, postings=1),
            authoritative=True,
            history=True,
        )
        assert later(days=9) == decision.entries[0].occurred_at

    @pytest.mark.parametrize(("amount", "text"), [("0.333333", "0.3333"), ("120", "120"), ("1.10", "1.1")])
    def test_basis_text(self, amount, text):
        """The basis is written as money, without noise."""
        (entry,) = self.decide(order(line(amount)), rules=program(order=order_rule("10"))).entries
        assert text == entry.why["basis"]


class TestReview:
    def decide(self, fact, standing=None, rules=None):
        """Decide a review of a member."""
        standing = standing or known(review_source("r-1"), "review", 20, joined=True)
        return decide.decide_review(standing, fact, rules or program(), at=later(days=1))

    @pytest.mark.parametrize("kind", ["review", "rating"])
    def test_earns(self, kind):
        """Text and stars earn alike, when they were submitted."""
        decision = self.decide(review(kind=kind, rating=2))
        (entry,) = decision.entries
        assert (ledger.EARN, 50, Source("review", "r-1"), NOON) == (
            entry.kind,
            entry.points,
            entry.source,
            entry.occurred_at,
        )
        assert 70 == decision.news[0].properties["points_balance"]

    def test_again(self):
        """The same review again earns nothing, nor does a dearer rule."""
        assert Decision() == self.decide(
            review(), known(review_source("r-1"), "review", 70, posted=30, postings=1)
        )

    @pytest.mark.parametrize(
        ("said", "problem"),
        [
            ({"verified": False}, "not_verified"),
            ({"kind": "question"}, "not_a_product_review"),
            ({"kind": "store"}, "not_a_product_review"),
            ({"status": "rejected"}, "rejected"),
        ],
    )
    def test_problem(self, said, problem):
        """What earns nothing says why, and gives back what was earned."""
        assert problem == decide.review_problem(review(**said))
        assert Decision() == self.decide(review(**said))
        (entry,) = self.decide(
            review(**said), known(review_source("r-1"), "review", 50, posted=50, postings=1)
        ).entries
        assert (ledger.REVERSE, -50, 1, later(minutes=1)) == (
            entry.kind,
            entry.points,
            entry.sequence,
            entry.occurred_at,
        )

    def test_no_problem(self):
        """A verified product review has no problem."""
        assert decide.review_problem(review()) is None

    def test_approved_again(self):
        """A review that is shown again after a rejection earns again, as its third posting."""
        (entry,) = self.decide(
            review(), known(review_source("r-1"), "review", 0, posted=0, postings=2)
        ).entries
        assert (50, 2) == (entry.points, entry.sequence)

    def test_approved_again_later(self):
        """What is given again is given by the version of now, which the entry names."""
        rules = program(review=replace(REVIEW, points=80), version=9)
        given = known(review_source("r-1"), "review", 0, posted=0, postings=2)
        (entry,) = self.decide(review(), given, rules).entries
        assert (80, 9) == (entry.points, entry.program_version)

    def test_rule_off(self):
        """Without the rule nothing is earned, and what was earned stays."""
        assert Decision() == self.decide(review(), rules=program(review=None))
        assert Decision() == self.decide(
            review(), known(review_source("r-1"), "review", 50, posted=50, postings=1), program(review=None)
        )

    def test_rejected_after_rule_off(self):
        """A rejection takes back what was given even when the rule is off by then."""
        decision = self.decide(
            review(status="rejected"),
            known(review_source("r-1"), "review", 50, posted=50, postings=1),
            program(review=None),
        )
        assert [-50] == [entry.points for entry in decision.entries]

    def test_no_rating(self):
        """A property that is not known is left out of the event."""
        assert "rating" not in self.decide(review(rating=None)).news[0].properties


REQUEST = RewardRequested("five_off", "key-1", "issue-1", NOON)


class TestRewardRequest:
    def decide(self, balance, reward="five_off"):
        """Ask for a reward."""
        return decide.decide_reward_request(
            known(staff_source("k"), "adjustment", balance, joined=True),
            replace(REQUEST, reward=reward),
            program(),
        )

    @pytest.mark.parametrize("balance", [500, 501])
    def test_granted(self, balance):
        """Enough points, to the last one, buy the reward."""
        reward, cost, entry = self.decide(balance)
        assert decide.Price(500, Decimal("5.00")) == cost
        assert ("five_off", ledger.REDEEM, -500, Source("reward", "issue-1"), 0) == (
            reward.key,
            entry.kind,
            entry.points,
            entry.source,
            entry.sequence,
        )
        assert {"reward": "five_off", "price": 500, "amount": "5.00"} == entry.why

    @pytest.mark.parametrize(("balance", "missing"), [(499, 1), (0, 500), (-20, 520)])
    def test_too_few(self, balance, missing):
        """One point short is short, and it is said by how many."""
        with pytest.raises(RewardRefused) as refused:
            self.decide(balance)
        assert ("not_enough_points", missing) == (refused.value.code, refused.value.missing)

    def test_unknown(self):
        """A reward that is not offered cannot be had for any points."""
        with pytest.raises(RewardRefused) as refused:
            self.decide(10_000, "car")
        assert ("unknown_reward", 0) == (refused.value.code, refused.value.missing)

    def test_return(self):
        """What could not be made gives exactly its points back, under the rule version that took them."""
        _, _, redeemed = self.decide(500)
        decision = decide.decide_reward_return(
            replace(redeemed, program_version=2),
            because="code_taken",
            reason="Reward could not be made",
            at=later(hours=1),
            balance=0,
        )
        (entry,) = decision.entries
        assert (ledger.RETURN, 500, redeemed.source, redeemed.rule, 1, 2) == (
            entry.kind,
            entry.points,
            entry.source,
            entry.rule,
            entry.sequence,
            entry.program_version,
        )
        assert (news.ADJUSTED, 500) == (
            decision.news[0].kind,
            decision.news[0].properties["points_balance"],
        )

    def test_news(self):
        """Spending is told as a positive number, with the code, once the code is there."""
        _, _, redeemed = self.decide(500)
        told = decide.redeemed_news(redeemed, balance=0, at=later(minutes=1), reward={"coupon_code": "L-1"})
        assert (news.REDEEMED, 500, 0, "L-1", later(minutes=1)) == (
            told.kind,
            told.properties["points"],
            told.properties["points_balance"],
            told.properties["coupon_code"],
            told.occurred_at,
        )


class TestAdjustment:
    def decide(self, points, standing=None, *, may_go_negative=False):
        """Adjust by staff."""
        fact = PointsAdjusted(points, "key-1", "Sorry for the delay", "staff-9", NOON, may_go_negative)
        return decide.decide_adjustment(
            standing or known(staff_source("k"), "adjustment", 30, joined=True), fact, program()
        )

    @pytest.mark.parametrize(("points", "balance"), [(25, 55), (-30, 0)])
    def test_moves(self, points, balance):
        """Points are given, or taken down to nothing, with the note for the customer and the name of staff."""
        decision = self.decide(points)
        (entry,) = decision.entries
        assert (
            ledger.ADJUST,
            points,
            Source("staff", "key-1"),
            "Sorry for the delay",
            {"staff": "staff-9"},
        ) == (
            entry.kind,
            entry.points,
            entry.source,
            entry.reason,
            entry.why,
        )
        assert balance == decision.news[0].properties["points_balance"]

    def test_below_zero(self):
        """Taking more than there is has to be meant."""
        with pytest.raises(AdjustmentRefused) as refused:
            self.decide(-31)
        assert 30 == refused.value.balance

    def test_below_zero_meant(self):
        """Taking more than there is happens when it is meant."""
        assert [-31] == [entry.points for entry in self.decide(-31, may_go_negative=True).entries]

    def test_gift_below_zero(self):
        """Points can be given to somebody who is below zero, and stays there."""
        assert self.decide(5, known(staff_source("k"), "adjustment", -20)).entries

    def test_nothing(self):
        """An adjustment by nothing changes nothing."""
        assert Decision() == self.decide(0)


class TestTransfer:
    @pytest.mark.parametrize("points", [120, -8])
    def test_pair(self, points):
        """A merge moves the whole balance, above or below zero, and makes no points."""
        out, into = decide.decide_transfer(points, from_member=4, to_member=9, at=NOON, program_version=3)
        assert (-points, points) == (out.points, into.points)
        assert out.source == into.source == Source("merge", "4-9")
        assert out.rule != into.rule

    def test_again(self):
        """A second transfer between the same two is another posting."""
        first, _ = decide.decide_transfer(1, from_member=4, to_member=9, at=NOON, program_version=3)
        again, _ = decide.decide_transfer(
            1, from_member=4, to_member=9, at=NOON, program_version=3, sequence=1
        )
        assert ledger.entry_id(1, first) != ledger.entry_id(1, again)


class TestRefundsInSteps:
    STEPS = tuple(
        order(
            line("30", quantity=3, remaining=left, tax="3"), refunded=money, updated_at=later(days=3 - left)
        )
        for left, money in ((3, "0"), (2, "11"), (1, "22"), (0, "33"))
    )

    def test_any_arrival(self):
        """An order refunded in three steps, each told five times in any order, ends at nothing and is never below it."""
        for arrival in itertools.permutations(range(4)):
            recorder = Recorder(program())
            recorder.absorb(seen(self.STEPS[n], authoritative=True) for n in arrival for _ in range(5))
            assert 0 == recorder.balance == recorder.worth(), arrival

    def test_one_by_one(self):
        """In the order of events each step takes its own third back, once."""
        recorder = Recorder(program())
        recorder.absorb(seen(step, authoritative=True) for step in self.STEPS for _ in range(5))
        assert [30, -10, -10, -10] == recorder.posted(Source("order", "9001"))

    def test_webhooks_only_ask(self):
        """Told by webhooks alone nothing is taken back: the order is asked for instead."""
        recorder = Recorder(program())
        recorder.absorb(seen(step) for step in self.STEPS)
        assert (30, {9001}) == (recorder.balance, recorder.unread)
