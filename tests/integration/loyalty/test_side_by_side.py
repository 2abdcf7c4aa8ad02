"""Many hands on the same few people at once: what two of them cannot do side by side, they do one after the other."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlmodel import Session, col, select

from loyalty import calendar, programs, referrals, staff
from loyalty.core.decide import AdjustmentRefused, RewardRefused
from loyalty.core.facts import (
    CustomerSeen,
    CustomersMerged,
    Fact,
    Identity,
    OrderSeen,
    OrderSnapshot,
    PointsAdjusted,
    RewardIssued,
    RewardRequested,
)
from loyalty.database import retry_on_conflict, transaction
from loyalty.ledger.verify import verify
from loyalty.models import AwardRow, Member, RewardIssue, Shop
from loyalty.points import absorb
from loyalty.redemption import request_reward
from loyalty.runtime import Runtime
from tests.integration.loyalty.conftest import INSTALLED, NOW, Hands
from tests.integration.loyalty.story import ADA, BO, joined
from tests.unit.core.makers import line, order

HANDS = 6
DOINGS = 20
PEOPLE = [Identity(7000 + number, f"shopper-{number}@fernandfig.shop") for number in range(12)]
REFUSED = (RewardRefused, AdjustmentRefused, referrals.ReferralRefused)
DOCUMENT: dict[str, Any] = {
    "points": {"one": "leaf", "many": "leaves"},
    "earn": {
        "order": {"title": "Place an order", "rate": "1", "hold_days": 2},
        "signup": {"title": "Join", "points": 100},
    },
    "rewards": [{"key": "five_off", "title": "$5 off", "kind": "amount_off", "amount": "5.00", "points": 60}],
    "tiers": {
        "metric": "spent",
        "window": "rolling",
        "months": 12,
        "ladder": [{"key": "gold", "title": "Gold", "threshold": "150"}],
    },
    "referrals": {"title": "Bring a friend", "friend": "five_off", "advocate": {"points": 40}},
    "expiry": {"kind": "age", "months": 2},
}


@pytest.fixture(name="busy_shop")
def _busy_shop(engine: Engine, shop: Shop) -> Shop:
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # A second, as usual, between noticing and ending each deadlock would be most of the test.
            connection.exec_driver_sql(f"ALTER DATABASE {engine.url.database} SET deadlock_timeout = '10ms'")
    else:
        # SQLite lets whoever happens to ask next go on, so on a crowded machine somebody may have no luck for long.
        event.listen(
            engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=200000")
        )
    engine.dispose()
    with transaction(engine) as session:
        programs.apply(session, shop.id or 0, DOCUMENT, author="test", now=INSTALLED)
    return shop


class Hand:
    """One of those who do something: what comes next is its own dice's."""

    def __init__(self, number: int, runtime: Runtime, shop_id: int, hands: Hands) -> None:
        self.dice = random.Random(number)
        self.runtime = runtime
        self.shop_id = shop_id
        self.hands = hands
        self.number = number
        self.orders: dict[int, tuple[OrderSnapshot, Identity]] = {}

    def work(self) -> None:
        """Do many things, one after the other."""
        doings: list[Callable[[], None]] = [
            self._tell,
            self._tell,
            self._redeem,
            self._staff,
            self._night,
            self._claim,
        ]
        for _ in range(DOINGS):
            try:
                retry_on_conflict(self.dice.choice(doings))()
            except REFUSED:
                continue

    def _tell(self) -> None:
        with self.runtime.transaction() as session:
            absorb(session, session.get_one(Shop, self.shop_id), [*self._facts()], now=self.hands.now)

    def _facts(self) -> Iterator[Fact]:
        for _ in range(self.dice.randint(1, 5)):
            who = self.dice.choice(PEOPLE)
            chance = self.dice.random()
            if chance < 0.6:
                yield self._order(who)
            elif chance < 0.9:
                yield CustomerSeen(who, "Ada", "Byron", "en", NOW, self.hands.now)
            else:
                one, other = self.dice.sample(PEOPLE, 2)
                yield CustomersMerged(one.customer_id or 0, other.customer_id or 0, self.hands.now)

    def _order(self, who: Identity) -> OrderSeen:
        now = self.hands.now
        if self.orders and self.dice.random() < 0.4:
            number = self.dice.choice([*self.orders])
            known, who = self.orders[number]
            snapshot = replace(
                known, refunded=known.refunded + Decimal(self.dice.randint(1, 60)), updated_at=now
            )
        else:
            number = self.number * 1000 + len(self.orders)
            goods = line(str(self.dice.randint(5, 200)))
            snapshot = order(goods, order_id=number, name=f"#{number}", created_at=now, updated_at=now)
        self.orders[number] = snapshot, who
        return OrderSeen(snapshot, who, authoritative=True)

    def _member(self, session: Session) -> Member | None:
        found = session.exec(select(Member).order_by(col(Member.id))).all()
        return self.dice.choice(found) if found else None

    def _redeem(self) -> None:
        now = self.hands.now
        with self.runtime.transaction() as session:
            shop, member = session.get_one(Shop, self.shop_id), self._member(session)
            if member is not None:
                key = f"{self.number}-{self.dice.random()}"
                request_reward(session, shop, member, RewardRequested("five_off", key, key, now), now=now)
        with self.runtime.transaction() as session:
            waiting = session.exec(select(RewardIssue.id).where(RewardIssue.state == "issuing")).all()
            made = [RewardIssued(issue_id, "made", now) for issue_id in waiting]
            absorb(session, session.get_one(Shop, self.shop_id), made, now=now)

    def _staff(self) -> None:
        now, points = self.hands.now, self.dice.choice([50, -70])
        with self.runtime.transaction() as session:
            shop, member = session.get_one(Shop, self.shop_id), self._member(session)
            if member is not None:
                fact = PointsAdjusted(points, f"{self.number}-{self.dice.random()}", "A word", "staff", now)
                staff.adjust(session, shop, member, fact, now=now)

    def _night(self) -> None:
        self.hands.now += timedelta(hours=self.dice.choice([3, 24]))
        calendar.run(self.runtime, self.shop_id, at=self.hands.now)

    def _claim(self) -> None:
        with self.runtime.transaction() as session:
            shop, member = session.get_one(Shop, self.shop_id), self._member(session)
            if member is not None:
                code = referrals.own_or_given(member.id or 0, member.referral_code)
                friend = f"shopper-{self.dice.randint(0, 15)}@fernandfig.shop"
                key = f"{self.number}-{self.dice.random()}"
                fact = referrals.ReferralClaimed(key, code, friend, self.hands.now)
                referrals.claim(session, shop, fact, now=self.hands.now)


class TestConflicts:
    def test_ring(self, engine: Engine, busy_shop: Shop) -> None:
        """Two units that wait for each other's rows both end well: the one that the database gives up begins anew."""
        with transaction(engine) as session:
            absorb(session, busy_shop, [joined(ADA), joined(BO)], now=NOW)
            first, second = session.exec(select(Member.id).order_by(col(Member.id))).all()
        both_hold_one = threading.Barrier(2)
        tries: list[int | None] = []

        @retry_on_conflict
        def lock(*ids: int | None) -> None:
            with transaction(engine) as session:
                tries.append(ids[0])
                session.get_one(Member, ids[0], with_for_update=True)
                if len(tries) <= 2 and engine.dialect.name == "postgresql":
                    both_hold_one.wait(60)
                session.get_one(Member, ids[1], with_for_update=True)

        with ThreadPoolExecutor(2) as pool:
            for ended in [pool.submit(lock, first, second), pool.submit(lock, second, first)]:
                ended.result(120)
        # Whoever begins anew may be quicker than the other one, and meet it in a ring again.
        assert (len(tries) > 2) == (engine.dialect.name == "postgresql")


class TestEverybodyAtOnce:
    @pytest.mark.acceptance("S4-19")
    def test_books_are_right(self, engine: Engine, runtime: Runtime, busy_shop: Shop, hands: Hands) -> None:
        """Orders, refunds, merges, rewards, adjustments, referrals and nights side by side: nothing fails but by a rule, and the
        ledger, the balances and the points on hold are what the entries and awards say."""
        workers = [Hand(number, runtime, busy_shop.id or 0, hands) for number in range(1, HANDS + 1)]
        with ThreadPoolExecutor(HANDS) as pool:
            for ended in [pool.submit(worker.work) for worker in workers]:
                ended.result(250)

        with Session(engine) as session:
            assert list(verify(session, busy_shop.id)) == []
            awards = session.exec(select(AwardRow)).all()
            waiting = {award.member_id: 0 for award in awards}
            for award in awards:
                if award.release_at is not None and award.postings == 0:
                    waiting[award.member_id] += award.worth
                elif award.postings:
                    assert award.posted == award.worth
            for member in session.exec(select(Member)).all():
                assert member.pending == waiting.get(member.id or 0, 0)
