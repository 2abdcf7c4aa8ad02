"""Whatever happens to a reward, in whatever order and however often: its points went once, or came back once, and the books add up."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from loyalty import programs, redemption
from loyalty.book import Book
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.facts import (
    OrderSeen,
    PointsAdjusted,
    RewardDeactivated,
    RewardFailed,
    RewardIssued,
    RewardRequested,
)
from loyalty.database import transaction
from loyalty.ledger import verify
from loyalty.models import KlaviyoConnection, LedgerEntry, Member, OutboxMessage, RewardIssue, Shop
from loyalty.points import absorb
from loyalty.redemption import CancelRefused
from loyalty.staff import adjust
from tests.integration.loyalty.story import ADA, NOW, joined
from tests.unit.core.makers import line, order

PRICE = 500
SPENT = ("issuing", "issued", "cancelling", "used", "expired")
HAPPENINGS = (
    "issued",
    "failed",
    "cancel",
    "dead",
    "dead_used",
    "order",
    "expire",
    "remind",
    "overdue",
    "ask_again",
)
LATER = NOW + timedelta(days=400)
_numbers = itertools.count(1)


class Life:
    """One reward of a member who can afford many."""

    def __init__(self, engine: Engine, shop: Shop) -> None:
        self.engine, self.shop, self.number = engine, shop, next(_numbers)
        self.id = f"issue-{self.number}"
        self.used = False
        self.ask_again()

    def happen(self, what: str) -> None:
        """One thing happens."""
        getattr(self, what)()

    def ask_again(self) -> None:
        """The shopper's browser sends the request (again)."""
        with transaction(self.engine) as session:
            member = session.exec(select(Member).where(Member.shopify_customer_id == ADA.customer_id)).one()
            wanted = RewardRequested(
                "five_off", f"key-{self.number}", self.id, NOW, code=f"CODE{self.number}"
            )
            redemption.request_reward(session, self.shop, member, wanted, now=NOW)

    def issued(self) -> None:
        """Shopify made the code."""
        self._settle(RewardIssued(self.id, f"gid://shopify/DiscountCodeNode/{self.number}", NOW))

    def failed(self) -> None:
        """Shopify refused."""
        self._settle(RewardFailed(self.id, "refused", NOW))

    def cancel(self) -> None:
        """Staff wants it back."""
        with transaction(self.engine) as session:
            row = session.get_one(RewardIssue, self.id)
            try:
                redemption.cancel(session, self.shop, row, by="staff", now=NOW)
            except CancelRefused:
                return

    def dead(self) -> None:
        """The code is switched off, and as far as Shopify has counted nobody had used it."""
        self._settle(RewardDeactivated(self.id, used=False, deactivated_at=NOW))

    def dead_used(self) -> None:
        """The code is switched off, and somebody had used it."""
        self._settle(RewardDeactivated(self.id, used=True, deactivated_at=NOW))

    def order(self) -> None:
        """An order that carries the code becomes known."""
        self.used = True
        snapshot = order(
            line("0"),
            order_id=self.number,
            name=f"#{self.number}",
            created_at=NOW,
            discount_codes=(f"CODE{self.number}",),
        )
        self._settle(OrderSeen(snapshot, ADA, authoritative=True))

    def expire(self) -> None:
        """Its time is over."""
        self._in_time(redemption.expire)

    def remind(self) -> None:
        """Its time is nearly over."""
        self._in_time(redemption.remind)

    def overdue(self) -> None:
        """It was not made for a day."""
        with transaction(self.engine) as session:
            redemption.return_overdue(session, self.shop, now=LATER)

    @property
    def state(self) -> str:
        """What has become of it."""
        with Session(self.engine) as session:
            return session.get_one(RewardIssue, self.id).state

    @property
    def moved(self) -> int:
        """The points that its entries move in all."""
        with Session(self.engine) as session:
            mine = select(LedgerEntry.points).where(LedgerEntry.source_ref == self.id)
            return sum(session.exec(mine).all())

    def told(self, kind: str) -> int:
        """How often something was told of it."""
        with Session(self.engine) as session:
            found = select(OutboxMessage.payload).where(OutboxMessage.kind == kind)
            return sum(said.get("coupon_code") == f"CODE{self.number}" for said in session.exec(found).all())

    def _settle(self, fact: object) -> None:
        with transaction(self.engine) as session:
            absorb(session, self.shop, [fact], now=NOW)  # type: ignore[list-item]

    def _in_time(self, action: object) -> None:
        with transaction(self.engine) as session:
            book = Book(session, self.shop, now=LATER)
            action(book, session.get_one(RewardIssue, self.id), LATER)  # type: ignore[operator]
            book.write()


@pytest.fixture(name="shop_of_ada")
def _shop_of_ada(sqlite_engine: Engine) -> tuple[Engine, Shop]:
    """A shop with the default program and a member with more points than all examples spend."""
    before = NOW - timedelta(days=10)
    with transaction(sqlite_engine) as session:
        shop = Shop(domain="fern-and-fig.myshopify.com", first_installed_at=before, installed_at=before)
        session.add(shop)
        session.flush()
        programs.apply(session, shop.id or 0, DEFAULT_DOCUMENT, author="install", now=before)
        session.add(
            KlaviyoConnection(shop_id=shop.id, road="private_key", state="connected", connected_at=before)
        )
        absorb(session, shop, [joined(ADA)], now=NOW)
        member = session.exec(select(Member)).one()
        adjust(session, shop, member, PointsAdjusted(10_000_000, "k", "Hello", "staff", NOW), now=NOW)
    return sqlite_engine, shop


class TestAnyOrder:
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(happenings=st.lists(st.sampled_from(HAPPENINGS), max_size=9))
    def test_points(self, shop_of_ada, happenings):
        """The points are spent exactly when the reward is, or still may be, the member's; nothing is told twice."""
        life = Life(*shop_of_ada)
        for what in happenings:
            life.happen(what)
            state = life.state
            assert life.moved == (-PRICE if state in SPENT else 0), (what, state)
            if life.used:
                assert state == "used"
        for kind in (
            "points_redeemed",
            "reward_used",
            "reward_expired",
            "reward_expiring",
            "reward_cancelled",
        ):
            assert life.told(kind) <= 1
        assert life.told("reward_used") == life.used

    def test_books(self, shop_of_ada):
        """After all that, every chain, balance and figure is what the entries say."""
        engine, shop = shop_of_ada
        for happenings in itertools.permutations(("issued", "cancel", "dead", "order"), 4):
            life = Life(engine, shop)
            for what in happenings:
                life.happen(what)
            assert life.state == "used"
        with Session(engine) as session:
            assert list(verify.verify(session, shop.id or 0)) == []
            member = session.exec(select(Member).order_by(col(Member.id))).one()
            spent = session.exec(select(RewardIssue.id).where(RewardIssue.state == "used")).all()
            assert member.lifetime_spent == PRICE * len(spent)
