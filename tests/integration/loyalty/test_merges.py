"""A merge that is taken back leaves everything as it was: balances, awards, orders, addresses. What came since stays where it came."""

import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from loyalty import merges, programs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.facts import CustomerSeen, CustomersMerged, Fact, Identity, RewardRequested
from loyalty.core.lots import Lot, lots
from loyalty.database import make_engine
from loyalty.ledger import verify
from loyalty.ledger.reading import as_entry
from loyalty.models import (
    AwardRow,
    LedgerEntry,
    Member,
    MemberMerge,
    OrderStanding,
    Review,
    RewardIssue,
    Shop,
)
from loyalty.points import absorb
from loyalty.redemption import request_reward
from loyalty.runtime import Runtime
from loyalty.staff import set_tier
from tests.integration.loyalty.conftest import NOW
from tests.integration.loyalty.story import ADA, BO, bought, joined
from tests.unit.core.makers import review

GUEST = Identity(None, "bo.guest@fernandfig.shop")


def settle(runtime: Runtime, shop: Shop, *facts: Fact) -> None:
    """Settle facts one by one, as deliveries of their own."""
    for fact in facts:
        together(runtime, shop, fact)


def together(runtime: Runtime, shop: Shop, *facts: Fact) -> None:
    """Settle facts in one batch."""
    with runtime.transaction() as session:
        absorb(session, session.get_one(Shop, shop.id), facts, now=runtime.clock())


def merged(runtime: Runtime) -> int:
    """The latest merge."""
    with runtime.reading() as session:
        found = session.exec(select(MemberMerge.id).order_by(col(MemberMerge.id).desc())).first()
    assert found is not None
    return found


def unmerge(runtime: Runtime, shop: Shop, merge_id: int | None = None) -> None:
    """Take a merge back (the latest by default)."""
    with runtime.transaction() as session:
        merges.unmerge(
            session,
            session.get_one(Shop, shop.id),
            merge_id or merged(runtime),
            staff="staff:1",
            now=runtime.clock(),
        )


def state(runtime: Runtime) -> dict[str, Any]:
    """All that a merge touches, but for the times and the seals."""
    with runtime.reading() as session:
        members = session.exec(select(Member).order_by(col(Member.id))).all()
        awards = session.exec(select(AwardRow)).all()
        orders = session.exec(select(OrderStanding)).all()
        return {
            "members": [
                (m.id, m.email, m.shopify_customer_id, m.state, m.merged_into, m.balance, m.pending, m.tier, m.birthday_month, m.hand_tier, m.joined_at)
                for m in members
            ],
            "earned": [(m.id, m.lifetime_earned, m.lifetime_spent, m.last_activity_at, m.last_order_at) for m in members],
            "awards": sorted((a.member_id, a.source_kind, a.source_ref, a.rule, a.worth, a.posted) for a in awards),
            "orders": sorted((o.order_id, o.member_id or 0) for o in orders),
            "reviews": sorted((r.review_id, r.member_id or 0) for r in session.exec(select(Review))),
            "issues": sorted((i.id, i.member_id) for i in session.exec(select(RewardIssue))),
        }  # fmt: skip


def books(runtime: Runtime) -> list[str]:
    """What is wrong with the books."""
    with runtime.reading() as session:
        return [str(problem) for problem in verify.verify(session)]


def program(runtime: Runtime, shop: Shop, **changes: Any) -> None:
    """The default program with something else in it."""
    with runtime.transaction() as session:
        programs.apply(session, shop.id, DEFAULT_DOCUMENT | changes, author="test", now=NOW)


def redeem(runtime: Runtime, shop: Shop, identity: Identity, issue_id: str = "issue-1") -> None:
    """Somebody has five off for 500 points, under the one key that the tests use."""
    with runtime.transaction() as session:
        request = RewardRequested("five_off", "key", issue_id, NOW, code=f"LAUREL-{issue_id}")
        member = session.get_one(Member, who(runtime, identity).id)
        request_reward(session, session.get_one(Shop, shop.id), member, request, now=NOW)


def who(runtime: Runtime, identity: Identity) -> Member:
    """Somebody's row."""
    with runtime.reading() as session:
        return session.exec(select(Member).where(Member.shopify_customer_id == identity.customer_id)).one()


class TestUnmerge:
    def test_guest_waited(self, runtime, shop):
        """Where guests wait, what the kept one bought as a guest is a member's by the other one's account."""
        program(runtime, shop, guests="wait")
        settle(runtime, shop, replace(joined(ADA), has_account=False), joined(BO), bought(ADA, 1, "800"))
        assert (who(runtime, ADA).balance, who(runtime, BO).balance) == (0, 100)
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW))
        assert who(runtime, ADA).balance == 900
        assert books(runtime) == []

    def test_guests_record(self, runtime, shop):
        """The record that Shopify keeps may be a guest's: with the other one's account it is a member's, and a guest's again without."""
        settle(runtime, shop, replace(joined(ADA), has_account=False), joined(BO), bought(ADA, 1, "800"))
        before = state(runtime)
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW))
        kept = who(runtime, ADA)
        assert (kept.state, kept.joined_at, kept.balance) == ("member", NOW, 900)
        unmerge(runtime, shop)
        assert state(runtime) == before
        assert (who(runtime, ADA).state, who(runtime, BO).state) == ("guest", "member")

    def test_as_before(self, runtime, shop):
        """Two customers with orders, a review and a reward each are two again, to the last award."""
        settle(runtime, shop, joined(ADA), joined(BO), bought(ADA, 1, "800"), bought(BO, 2, "600"))
        settle(runtime, shop, review(email=BO.email, submitted_at=NOW, seen_at=NOW))
        redeem(runtime, shop, BO)
        before = state(runtime)
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW))
        assert state(runtime) != before
        assert who(runtime, ADA).balance == 800 + 100 + 600 + 50 - 500  # one of the two sign-ups went
        with runtime.reading() as session:
            foretold = [merges.returning_points(session, row) for row in session.exec(select(MemberMerge))]
        assert foretold == [600 + 100 + 50 - 500]
        unmerge(runtime, shop)
        assert state(runtime) == before
        assert books(runtime) == []

    def test_twice(self, runtime, shop, hands):
        """What was taken back as given twice returns, and by new entries: the ledger keeps the whole story."""
        settle(runtime, shop, joined(ADA), joined(BO))
        before = state(runtime)
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW))
        assert who(runtime, ADA).balance == 100
        hands.later(3600)
        unmerge(runtime, shop)
        assert state(runtime) == before
        with runtime.reading() as session:
            rows = session.exec(
                select(LedgerEntry).order_by(col(LedgerEntry.member_id), col(LedgerEntry.position))
            ).all()
        assert {(row.kind, row.points) for row in rows if row.source_kind == "signup"} == {
            ("earn", 100),
            ("reverse", -100),
        }
        assert books(runtime) == []

    def test_again(self, runtime, shop, hands):
        """Merged, parted, merged and parted again: as before each time. A repeat of the old message merges nobody."""
        settle(runtime, shop, joined(ADA), joined(BO), bought(BO, 2, "600"))
        before = state(runtime)
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW))
        together = state(runtime)
        hands.later(60)
        unmerge(runtime, shop)
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW))
        assert state(runtime) == before
        hands.later(60)
        settle(runtime, shop, CustomersMerged(7001, 7002, hands.now))
        assert state(runtime) == together
        hands.later(60)
        unmerge(runtime, shop)
        assert state(runtime) == before
        assert books(runtime) == []

    def test_goal(self, runtime, shop, hands):
        """A goal that both had reached is given once to the one, and to each again when they are parted."""
        goal = {"way": "order_count_goal", "title": "First order", "goal": 1, "points": 300}
        with runtime.transaction() as session:
            document = DEFAULT_DOCUMENT | {"earn": {"first": goal}}
            programs.apply(session, shop.id, document, author="staff:1", now=runtime.clock())
        settle(runtime, shop, joined(ADA), joined(BO), bought(BO, 2, "60"), bought(ADA, 1, "80"))
        before = state(runtime)
        assert who(runtime, ADA).balance == who(runtime, BO).balance == 300
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW), bought(ADA, 3, "5"))
        assert who(runtime, ADA).balance == 300
        settle(runtime, shop, bought(ADA, 3, "5", refunded="5", minute=9))
        hands.later(60)
        unmerge(runtime, shop)
        assert state(runtime)["awards"] == before["awards"]
        assert books(runtime) == []

    def test_refunded_since(self, runtime, shop):
        """An order that was refunded while the two were one goes back with its refund."""
        settle(runtime, shop, joined(ADA), joined(BO), bought(ADA, 1, "800"), bought(BO, 2, "600"))
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW))
        settle(runtime, shop, bought(BO, 2, "600", refunded="200", minute=5))
        unmerge(runtime, shop)
        assert (who(runtime, ADA).balance, who(runtime, BO).balance) == (900, 500)
        settle(runtime, shop, bought(BO, 2, "600", refunded="600", minute=9))
        assert (who(runtime, ADA).balance, who(runtime, BO).balance) == (900, 100)
        assert books(runtime) == []

    def test_earned_since(self, runtime, shop):
        """What had earned nothing when it moved, and earned while the two were one, goes back with its points, and can be corrected there."""
        settle(runtime, shop, joined(ADA), joined(BO), bought(BO, 2, "600", refunded="600"))
        unverified = review(email=BO.email, submitted_at=NOW, seen_at=NOW, verified=False)
        settle(runtime, shop, unverified)
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW), bought(BO, 2, "600", minute=5))
        settle(runtime, shop, replace(unverified, verified=True, seen_at=NOW + timedelta(minutes=5)))
        unmerge(runtime, shop)
        assert (who(runtime, ADA).balance, who(runtime, BO).balance) == (100, 100 + 600 + 50)
        settle(runtime, shop, bought(BO, 2, "600", refunded="200", minute=9))
        settle(runtime, shop, replace(unverified, status="rejected", seen_at=NOW + timedelta(minutes=9)))
        assert (who(runtime, ADA).balance, who(runtime, BO).balance) == (100, 100 + 400)
        assert books(runtime) == []

    @pytest.mark.parametrize("by_address", [True, False])
    def test_waited(self, runtime, shop, by_address):
        """What waited for its buyer to have an account earns when the buyer turns out to be a member, and goes back when that was a mistake."""
        program(runtime, shop, guests="wait")
        guest = GUEST if by_address else Identity(7009, None)
        settle(runtime, shop, joined(ADA), bought(guest, 5, "70"))
        seen = CustomerSeen(
            Identity(7001, GUEST.email), "Ada", "Byron", "en", NOW, NOW + timedelta(minutes=1)
        )
        settle(runtime, shop, seen if by_address else CustomersMerged(7001, 7009, NOW))
        assert who(runtime, ADA).balance == 170
        unmerge(runtime, shop)
        assert who(runtime, ADA).balance == 100
        assert books(runtime) == []

    def test_forgiven_since(self, runtime, shop):
        """A debt that was forgiven while the two were one goes back with what it was forgiven for."""
        program(runtime, shop, debts="forgive")
        settle(runtime, shop, joined(ADA), joined(BO), bought(BO, 2, "400"))
        redeem(runtime, shop, BO)
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW))
        settle(runtime, shop, bought(BO, 2, "400", refunded="150", minute=5))
        settle(runtime, shop, bought(BO, 2, "400", refunded="400", minute=9))
        unmerge(runtime, shop)
        assert (who(runtime, ADA).balance, who(runtime, BO).balance) == (100, 0)
        assert books(runtime) == []

    def test_known_for_longer(self, runtime, shop, hands):
        """Who was a member before stays one since then, as long as the two are one: what was bought as a member earns, whenever it is looked at."""
        program(runtime, shop, guests="never")
        settle(runtime, shop, joined(BO), bought(BO, 2, "600"))
        hands.later(40 * 86_400)
        settle(runtime, shop, CustomerSeen(ADA, "Ada", "Byron", "en", hands.now, hands.now))
        before = state(runtime)
        settle(runtime, shop, CustomersMerged(7001, 7002, hands.now))
        for minute in (5, 6):
            settle(
                runtime, shop, bought(BO, minute, "600", minute=minute), bought(BO, 2, "600", minute=minute)
            )
        assert (who(runtime, ADA).balance, who(runtime, ADA).joined_at) == (100 + 600 + 1200, NOW)
        settle(runtime, shop, *(bought(BO, n, "600", refunded="600", minute=9) for n in (5, 6)))
        unmerge(runtime, shop)
        assert state(runtime)["members"] == before["members"]

    def test_tier_by_hand(self, runtime, shop):
        """A tier that staff had given one of the two is the other's only while they are one."""
        tiers = {"metric": "spent", "ladder": [{"key": "gold", "title": "Gold", "threshold": "9000"}]}
        program(runtime, shop, tiers=tiers)
        settle(runtime, shop, joined(ADA), joined(BO))
        with runtime.transaction() as session:
            bo = session.get_one(Member, who(runtime, BO).id)
            set_tier(session, session.get_one(Shop, shop.id), bo, "gold", staff="staff:1", now=NOW)
        before = state(runtime)
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW))
        assert who(runtime, ADA).tier == "gold"
        unmerge(runtime, shop)
        assert state(runtime) == before

    def test_same_request(self, runtime, shop):
        """Two accounts that had asked for a reward under the same key can be one, and two again."""
        settle(runtime, shop, joined(ADA), joined(BO), bought(ADA, 1, "800"), bought(BO, 2, "600"))
        redeem(runtime, shop, ADA, "issue-1")
        redeem(runtime, shop, BO, "issue-2")
        before = state(runtime)
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW))
        assert {owner for _, owner in state(runtime)["issues"]} == {who(runtime, ADA).id}
        unmerge(runtime, shop)
        assert state(runtime) == before

    def test_came_since(self, runtime, shop):
        """What was ordered and spent while the two were one stays with the account that was kept."""
        settle(runtime, shop, joined(ADA), joined(BO), bought(BO, 2, "600"))
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW), bought(ADA, 3, "50"))
        redeem(runtime, shop, ADA)
        unmerge(runtime, shop)
        assert (who(runtime, ADA).balance, who(runtime, BO).balance) == (100 + 50 - 500, 700)
        assert books(runtime) == []

    def test_guest(self, runtime, shop):
        """A guest whose orders joined the wrong account has them back, and the address."""
        other = Identity(None, GUEST.email)
        settle(runtime, shop, joined(ADA), bought(other, 5, "70"))
        seen = CustomerSeen(
            Identity(7001, GUEST.email), "Ada", "Byron", "en", NOW, NOW + timedelta(minutes=1)
        )
        settle(runtime, shop, seen)
        assert who(runtime, ADA).balance == 170
        unmerge(runtime, shop)
        with runtime.reading() as session:
            guest = session.exec(select(Member).where(col(Member.shopify_customer_id).is_(None))).one()
        # The address is the customer's by Shopify's word; the history is the guest's.
        assert (guest.balance, guest.state, guest.email, who(runtime, ADA).balance) == (
            70,
            "guest",
            None,
            100,
        )
        assert books(runtime) == []

    def test_address_goes_back(self, runtime, shop):
        """An address that the kept account only had by the merge goes back."""
        settle(runtime, shop, joined(Identity(7001, None)), joined(BO))
        before = state(runtime)
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW))
        assert who(runtime, ADA).email == BO.email
        unmerge(runtime, shop)
        assert state(runtime) == before

    def test_lots(self, runtime, shop, hands):
        """Where points end by age they are as old afterwards as before, on both sides."""
        program(runtime, shop, expiry={"kind": "age", "months": 12})
        settle(runtime, shop, joined(ADA), bought(ADA, 1, "800"))
        hands.later(30 * 86_400)
        settle(runtime, shop, joined(BO), bought(BO, 2, "600", minute=30 * 1440))
        before = ages(runtime)
        settle(runtime, shop, CustomersMerged(7001, 7002, hands.now))
        hands.later(60)
        unmerge(runtime, shop)
        assert ages(runtime) == before

    def test_refused(self, runtime, shop):
        """Nothing is taken back twice, for another shop, or out of the middle of a row of merges."""
        cy = Identity(7003, "cy@fernandfig.shop")
        settle(runtime, shop, joined(ADA), joined(BO), joined(cy))
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW))
        first = merged(runtime)
        settle(runtime, shop, CustomersMerged(7003, 7001, NOW))
        for merge_id, code in ((first, "merged_on"), (999, "unknown")):
            with pytest.raises(merges.UnmergeRefused) as refused:
                unmerge(runtime, shop, merge_id)
            assert refused.value.code == code
        unmerge(runtime, shop)
        unmerge(runtime, shop, first)
        with pytest.raises(merges.UnmergeRefused) as refused:
            unmerge(runtime, shop, first)
        assert refused.value.code == "undone"
        assert [who(runtime, one).balance for one in (ADA, BO, cy)] == [100, 100, 100]

    def test_both_orders_of_arrival(self, runtime, shop):
        """A merge that we hear of before its customers is one all the same, and can be taken back."""
        settle(runtime, shop, CustomersMerged(7001, 7002, NOW), joined(ADA), joined(BO), bought(BO, 2, "600"))
        assert who(runtime, ADA).balance == 700
        unmerge(runtime, shop)
        assert books(runtime) == []
        # What came after the merge came to the kept account.
        assert (who(runtime, ADA).balance, who(runtime, BO).balance) == (700, 0)


def ages(runtime: Runtime) -> dict[int, dict[str, int]]:
    """How old everybody's points are."""
    with runtime.reading() as session:
        rows = session.exec(select(LedgerEntry).order_by(col(LedgerEntry.position))).all()
    entries: dict[int, list[Any]] = {}
    for row in rows:
        entries.setdefault(row.member_id, []).append(as_entry(row))
    return {member_id: by_day(lots(found)) for member_id, found in entries.items()}


def by_day(found: Iterable[Lot]) -> dict[str, int]:
    """The points of each day."""
    days: Counter[str] = Counter()
    for lot in found:
        days[lot.at.isoformat()] += lot.points
    return dict(days)


ORDERS = st.lists(
    st.tuples(st.sampled_from([7001, 7002]), st.integers(1, 5), st.integers(1, 900), st.integers(0, 900)),
    max_size=4,
)
IDENTITIES = {7001: ADA, 7002: BO}


def buying(owners: dict[int, int], place: int, told: tuple[int, int, int, int]) -> Fact:
    """An order as it was seen: bought, and perhaps refunded."""
    _, number, amount, back = told
    refunded = str(min(back, amount))
    return bought(IDENTITIES[owners[number]], number, str(amount), refunded=refunded, minute=place)


class TestAnyHistory:
    @settings(
        max_examples=6,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(first=ORDERS, later=ORDERS)
    def test_as_if_never_merged(self, sqlite_template, tmp_path_factory, first, later):
        """Whatever the two bought before, and whatever of it was refunded while they were one: parted, each has what they would have had."""
        end = []
        for merging in (False, True):
            path = tmp_path_factory.mktemp("merge") / "laurel.db"
            shutil.copyfile(sqlite_template, path)
            engine = make_engine(f"sqlite:///{path}")
            runtime = Runtime(engine, None, lambda *_a, **_k: None, lambda: NOW)
            with runtime.transaction() as session:
                shop = Shop(domain="x.myshopify.com", first_installed_at=NOW, installed_at=NOW)
                session.add(shop)
                session.flush()
                programs.apply(session, shop.id, DEFAULT_DOCUMENT, author="t", now=NOW)
            owners = {number: owner for owner, number, _, _ in reversed(first)}
            together(
                runtime, shop, joined(ADA), joined(BO), *(buying(owners, *told) for told in enumerate(first))
            )
            if merging:
                together(runtime, shop, CustomersMerged(7001, 7002, NOW))
            known = [told for told in enumerate(later, 20) if told[1][1] in owners]
            together(runtime, shop, *(buying(owners, *told) for told in known))
            if merging:
                unmerge(runtime, shop)
            assert books(runtime) == []
            seen = state(runtime)
            end.append({name: seen[name] for name in ("members", "awards", "orders")})
            engine.dispose()
        assert end[0] == end[1]
