"""Referrals, judged: every check, every state, and the points that follow."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.core.decide import release
from loyalty.core.decide.referrals import (
    CHECKS,
    RULE,
    Case,
    FriendOrder,
    decide_referral,
    judge,
    referral_source,
)
from loyalty.core.program import Gift, Limit, PointsName, Program, Referrals
from loyalty.core.standing import Standing

CLAIM = datetime(2026, 3, 1, 12, tzinfo=UTC)
TERMS = Referrals(friend="ten_off", advocate=Gift(points=500), minimum=Decimal(30), hold_days=14)
NEXT_DAY = CLAIM + timedelta(days=2)
RELEASE = datetime(2026, 3, 17, tzinfo=UTC)  # ordered on the 2nd, two weeks, and the midnight after


def day(number: float) -> datetime:
    """Some days after the claim."""
    return CLAIM + timedelta(days=number)


def bought(order_id: int = 1, amount: str = "50", placed: float = 1, **said) -> FriendOrder:
    """An order of the friend's."""
    return FriendOrder(order_id, day(placed), Decimal(amount), **said)


def program(terms: Referrals = TERMS) -> Program:
    """A program with referrals."""
    return Program(version=3, points_name=PointsName("leaf", "leaves"), referrals=terms)


def judged(terms: Referrals = TERMS, at: datetime = NEXT_DAY, **said):
    """The verdict on a case."""
    return judge(Case(**said), program(terms), terms, at=at)


def found(verdict) -> dict[str, str]:
    """What each check says."""
    return {finding.check: finding.result for finding in verdict.findings}


def missing(verdict) -> dict[str, str]:
    """What the checks that were not made had nothing of."""
    return {each.check: each.missing for each in verdict.findings if each.result == "unknown"}


class TestStates:
    """What a referral has come to."""

    def test_claimed(self):
        """Nothing was ordered yet."""
        verdict = judged()
        assert (verdict.state, verdict.reason, verdict.order) == ("claimed", "", None)

    def test_below_minimum(self):
        """An order that is too small leaves the next one its chance."""
        assert (
            judged(orders=(bought(amount="29.99"),)).state,
            judged(orders=(bought(amount="29.99"),)).reason,
        ) == (
            "claimed",
            "below_minimum",
        )
        verdict = judged(orders=(bought(amount="29.99"), bought(2, "30", 3)), at=day(4))
        assert (verdict.state, verdict.order.order_id) == ("ordered", 2)

    def test_hold(self):
        """A good order holds until the shop's midnight after the days, and completes then."""
        for at, state in (
            (day(1), "ordered"),
            (RELEASE - timedelta(seconds=1), "ordered"),
            (RELEASE, "completed"),
        ):
            verdict = judged(orders=(bought(),), at=at)
            assert (verdict.state, verdict.due_at) == (state, RELEASE)

    def test_no_hold(self):
        """Without a hold it completes with the order."""
        verdict = judged(replace(TERMS, hold_days=0), orders=(bought(),))
        assert (verdict.state, verdict.due_at) == ("completed", None)

    def test_refunded_within_hold(self):
        """Money back within the hold cancels it; another good order takes the place of the first."""
        gone = bought(amount="0", is_lost=True)
        assert (judged(orders=(gone,)).state, judged(orders=(gone,)).reason) == ("cancelled", "refunded")
        assert judged(orders=(gone, bought(2, "40", 2))).state == "ordered"

    def test_refunded_after(self):
        """Money back after it was completed reverses it, whatever was ordered since."""
        orders = (bought(amount="0", is_lost=True), bought(2, "400", 30))
        verdict = judged(orders=orders, completed_with=1, at=day(40))
        assert (verdict.state, verdict.reason) == ("reversed", "refunded")

    def test_part_refunded(self):
        """What is left of the order is asked for the minimum."""
        assert judged(orders=(bought(amount="30", is_lost=True),)).state == "ordered"
        assert judged(orders=(bought(amount="29", is_lost=True),)).state == "cancelled"

    def test_staff_blocks(self):
        """Staff may block what every check let through, before and after it was completed."""
        assert judged(orders=(bought(),), ruling="blocked").state == "blocked"
        verdict = judged(orders=(bought(),), ruling="blocked", completed_with=1)
        assert (verdict.state, verdict.reason) == ("reversed", "staff")

    def test_staff_approves(self):
        """Staff may approve what a check blocked; the check's word stays to be seen."""
        verdict = judged(orders=(bought(),), was_customer=True, ruling="approved")
        assert (verdict.state, found(verdict)["existing_customer"]) == ("ordered", "failed")


class TestChecks:
    """What blocks a referral, and what is only shown."""

    CASES = (
        ("self", {"same_person": True}),
        ("self", {"orders": (bought(by_advocate=True),)}),
        ("duplicate", {"is_taken": True}),
        ("existing_customer", {"was_customer": True}),
        ("device", {"device_matches": True}),
        ("address", {"orders": (bought(address_matches=True),)}),
    )

    @pytest.mark.parametrize(("check", "said"), CASES)
    def test_blocks(self, check, said):
        """Each check blocks by its name, and reverses what was completed unless it is about that day."""
        verdict = judged(**said)
        assert (verdict.state, verdict.reason, found(verdict)[check]) == ("blocked", check, "failed")
        orders = said.get("orders", (bought(),))
        late = judged(
            **said
            | {"orders": orders, "completed_with": 1, "findings": {"device": "passed", "address": "passed"}}
        )
        assert late.state == ("completed" if check in ("device", "address") else "reversed")

    @pytest.mark.parametrize(("check", "said"), CASES)
    def test_only_shown(self, check, said):
        """A check that the program does not name is shown and blocks nothing, but for the one that nobody may switch off."""
        verdict = judged(replace(TERMS, checks=frozenset()), **said)
        assert found(verdict)[check] == "failed"
        assert (verdict.state == "blocked") == (check == "duplicate")

    def test_all_shown(self):
        """Every check is shown in every verdict, in one order; what could not be looked at is unknown."""
        verdict = judged()
        assert [finding.check for finding in verdict.findings] == list(CHECKS)
        assert found(verdict) == {
            "self": "passed",
            "duplicate": "passed",
            "existing_customer": "passed",
            "device": "unknown",
            "address": "unknown",
            "limit": "unknown",
        }

    def test_missing(self):
        """A check that was not made says what it had nothing of; one that was made does not."""
        limited = replace(TERMS, limit=Limit(2, "month"))
        assert missing(judged(limited)) == {"device": "", "address": "order", "limit": "order"}
        blind = {
            "same_person": None,
            "email_missing": "advocate",
            "device_missing": "friend",
            "orders": (bought(address_missing="advocate"),),
        }
        assert missing(judged(**blind)) == {
            "self": "advocate", "device": "friend", "address": "advocate", "limit": "limit",
        }  # fmt: skip
        seen = bought(address_matches=False, address_missing="advocate")
        assert missing(judged(orders=(seen,), device_matches=False, device_missing="friend")) == {
            "limit": "limit"
        }

    def test_missing_stays(self):
        """What could not be looked at on the day of the reward is said of that day, whatever is known since."""
        was = {"findings": {"address": "unknown", "device": "passed"}, "missing": {"address": "advocate"}}
        verdict = judged(completed_with=1, orders=(bought(address_matches=True),), at=day(60), **was)
        assert (verdict.state, found(verdict)["address"], missing(verdict)["address"]) == (
            "completed", "unknown", "advocate",
        )  # fmt: skip

    def test_first_reason(self):
        """Of several failures the plainest is the reason."""
        verdict = judged(was_customer=True, is_taken=True, device_matches=True)
        assert verdict.reason == "duplicate"

    def test_self_stays(self):
        """Two people of one mailbox stay one when the address is forgotten, and not when a merge of theirs is undone."""
        assert judged(findings={"self": "failed"}, is_erased=True).reason == "self"
        erased = judged(findings={"self": "passed"}, is_erased=True, same_person=None, email_missing="friend")
        assert (found(erased)["self"], missing(erased).get("self")) == ("passed", None)
        assert judged(findings={"self": "failed"}).state == "claimed"
        assert judged(findings={"device": "failed"}).state == "claimed"

    def test_limit(self):
        """No more count in a period than the limit lets; what counts already goes on counting."""
        terms = replace(TERMS, limit=Limit(2, "month"))
        march = (day(2), day(3))
        assert judged(terms, orders=(bought(),), others=march).reason == "limit"
        assert judged(terms, orders=(bought(),), others=march, counts=True).state == "ordered"
        assert judged(terms, orders=(bought(),), others=march[:1]).state == "ordered"
        assert judged(terms, orders=(bought(placed=40),), others=march, at=day(41)).state == "ordered"


class TestPoints:
    """What the advocate gets."""

    def test_held(self):
        """The points wait for their release, then are there; a second look changes nothing."""
        advocate = Standing(name="1")
        self._settle(advocate, at=day(2), orders=(bought(),))
        assert (advocate.balance, advocate.held) == (0, 500)
        self._settle(advocate, at=RELEASE, orders=(bought(),))
        assert (advocate.balance, advocate.held) == (500, 0)
        assert self._settle(advocate, at=day(60), orders=(bought(),), completed_with=1) == ()

    def test_occurred(self):
        """They are dated at the end of the hold, however late we look."""
        advocate = Standing(name="1")
        (entry,) = self._settle(advocate, at=day(60), orders=(bought(),))
        assert (entry.occurred_at, entry.points, entry.reason) == (RELEASE, 500, "Refer a friend")

    def test_not_before_time(self):
        """What is on hold is released by the calendar, in its turn, and by no second look of ours."""
        advocate = Standing(name="1")
        self._settle(advocate, at=day(2), orders=(bought(),))
        verdict = judged(at=RELEASE, orders=(bought(),))
        decision = decide_referral(advocate, "r-1", verdict, program(), TERMS, at=RELEASE)
        assert (verdict.state, decision.entries, decision.awards) == ("completed", (), ())

    def test_cancelled(self):
        """Nothing was posted, so nothing is taken back; the ledger never hears of it."""
        advocate = Standing(name="1")
        entries = self._settle(advocate, at=day(2), orders=(bought(),))
        entries += self._settle(advocate, at=day(3), orders=(bought(amount="0", is_lost=True),))
        assert entries == ()
        assert (advocate.balance, advocate.held) == (0, 0)

    def test_reversed(self):
        """After the completion the points are taken back, once."""
        advocate = Standing(name="1")
        self._settle(advocate, at=RELEASE, orders=(bought(),))
        gone = {"orders": (bought(amount="0", is_lost=True),), "completed_with": 1}
        (entry,) = self._settle(advocate, at=day(30), **gone)
        assert (entry.kind, entry.points, advocate.balance) == ("reverse", -500, 0)
        assert self._settle(advocate, at=day(31), **gone) == ()

    def test_other_order(self):
        """While it is held, another order moves the day of its release."""
        advocate = Standing(name="1")
        self._settle(advocate, at=day(2), orders=(bought(),))
        self._settle(advocate, at=day(3), orders=(bought(amount="0", is_lost=True), bought(2, "40", 2.5)))
        award = advocate.award(referral_source("r-1"), RULE)
        assert award.release_at == RELEASE + timedelta(days=2)

    def test_reward_alone(self):
        """A gift without points posts nothing."""
        terms = replace(TERMS, advocate=Gift(reward="ten_off"))
        advocate = Standing(name="1")
        assert self._settle(advocate, terms, at=day(60), orders=(bought(),)) == ()
        assert advocate.awards == {}

    @given(
        st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["0", "20", "50"])), max_size=8),
        st.randoms(use_true_random=False),
    )
    def test_converges(self, states, random):
        """Whatever order the states of the friend's orders become known in within the hold, the advocate ends at the same points."""
        newest = {order_id: (place, amount) for place, (order_id, amount) in enumerate(states)}
        ends = []
        for _ in range(2):
            heard = list(enumerate(states))
            random.shuffle(heard)
            advocate = Standing(name="1")
            known: dict[int, tuple[int, Any]] = {}
            for place, (order_id, amount) in heard:
                if place >= known.get(order_id, (-1, ""))[0]:
                    known[order_id] = place, amount
                self._settle(advocate, at=day(4), orders=self._orders(known))
            assert known == newest
            self._settle(advocate, at=day(60), orders=self._orders(known))
            ends.append((advocate.balance, advocate.award(referral_source("r-1"), RULE) is not None))
        assert ends[0][0] == ends[1][0]
        assert ends[0][0] == (500 if any(amount == "50" for _, amount in newest.values()) else 0)

    def _orders(self, known):
        return tuple(
            bought(order_id, amount, order_id, is_lost=amount == "0")
            for order_id, (_, amount) in sorted(known.items())
        )

    def _settle(self, advocate, terms=TERMS, *, at, **said):
        verdict = judged(terms, at=at, **said)
        decision = decide_referral(advocate, "r-1", verdict, program(terms), terms, at=at)
        for award in decision.awards:
            advocate.put(award)
        entries = list(decision.entries)
        for award in list(advocate.awards.values()):
            if award.held and award.release_at <= at:
                changed, posted, _ = release(advocate, award, at=at)
                advocate.put(changed)
                entries.extend(posted)
        for entry in entries:
            advocate.take(entry)
        return tuple(entries)
