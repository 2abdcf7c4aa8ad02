"""A life in a shop in which everything happens that Klaviyo is told of, settled for real."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from loyalty import calendar, redemption, referrals, staff
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.facts import (
    BirthdayTold,
    CustomerSeen,
    Fact,
    Identity,
    OrderSeen,
    PointsAdjusted,
    RewardDeactivated,
    RewardIssued,
    RewardRequested,
)
from loyalty.core.referrals import own_code
from loyalty.models import Member, RewardIssue, Shop
from loyalty.points import absorb
from tests.integration.klaviyo.conftest import World
from tests.unit.core.makers import line, order

ADA = Identity(7001, "ada@fernandfig.shop")
BO = Identity(7002, "bo@fernandfig.shop")
# The story has dates of its own, so that the same birthdays and ends of months are in it whenever it is told. Klaviyo takes no times that
# are more than a year ahead: it lies in the past.
BEGINS = datetime(2025, 12, 5, 12, tzinfo=UTC)
PROGRAM: Mapping[str, Any] = DEFAULT_DOCUMENT | {
    "points": {"one": "leaf", "many": "leaves"},
    "rewards": [
        {
            "key": "five_off",
            "kind": "amount_off",
            "title": "$5 off",
            "points": 50,
            "amount": "5.00",
            "expires_after_days": 30,
        },
        {"key": "ten_off", "kind": "amount_off", "title": "$10 off", "listed": False, "amount": "10.00"},
    ],
    "tiers": {
        "metric": "spent",
        "window": "rolling",
        "months": 3,
        "ladder": [{"key": "gold", "title": "Gold Leaf", "threshold": "100", "entry": {"reward": "ten_off"}}],
    },
    "referrals": {"friend": "ten_off", "advocate": {"points": 70}, "minimum": "30", "hold_days": 0},
    "expiry": {"kind": "inactivity", "months": 6, "warning_days": 30, "last_chance_days": 3},
    "balance_reminder": {"every": "month", "minimum": 1, "hour": 9},
    "reward_reminder_days": 3,
}


class Life:
    """Ada, who has been a customer for most of a year, and her friend Bo. ``after`` is called after each thing that happens."""

    def __init__(self, world: World, after: Callable[[], None] = lambda: None) -> None:
        self.world = world
        self.after = after
        self.orders = 0
        world.clock.now = BEGINS
        with self._shop() as (_, shop):
            shop.first_installed_at = shop.installed_at = world.clock() - timedelta(days=1)
        world.apply(PROGRAM)

    def play(self) -> None:
        """From joining to the end of the points."""
        self.join(ADA, "Ada", "Fern")
        self.hear(BirthdayTold(ADA, 2, 9, self.world.clock()))
        self.buy(ADA, "150")
        self.issue("ten_off")
        self.adjust(ADA, -7)
        self.redeem("first")
        self.buy(ADA, "20", code="FIRST")
        self.redeem("second")
        self.cancel("second")
        self.redeem("third")
        self.refer()
        for _ in range(240):
            self.world.clock.forward(days=1)
            self.calendar()

    def join(self, who: Identity, first: str, last: str | None) -> None:
        now = self.world.clock()
        self.hear(CustomerSeen(who, first, last, "en", now, now))

    def buy(self, who: Identity, amount: str, *, code: str = "") -> None:
        self.orders += 1
        now = self.world.clock()
        snapshot = order(
            line(amount),
            order_id=self.orders,
            name=f"#{1000 + self.orders}",
            created_at=now,
            updated_at=now,
            discount_codes=(code,) if code else (),
        )
        self.hear(OrderSeen(snapshot, who, authoritative=True))

    def adjust(self, who: Identity, points: int) -> None:
        fact = PointsAdjusted(points, "adjust-1", "A mistake", "staff", self.world.clock())
        with self._shop() as (session, shop):
            staff.adjust(session, shop, self.member(session, who), fact, now=self.world.clock())
        self.after()

    def redeem(self, key: str) -> None:
        now = self.world.clock()
        with self._shop() as (session, shop):
            asked = RewardRequested("five_off", key, f"issue-{key}", now)
            redemption.request_reward(session, shop, self.member(session, ADA), asked, now=now)
        self.made(f"issue-{key}", key.upper())

    def cancel(self, key: str) -> None:
        now = self.world.clock()
        with self._shop() as (session, shop):
            issue = session.get_one(RewardIssue, f"issue-{key}")
            redemption.cancel(session, shop, issue, by="customer", now=now)
        self.hear(RewardDeactivated(f"issue-{key}", used=False, deactivated_at=now))

    def refer(self) -> None:
        """Ada invites Bo, who takes a code and buys something."""
        now = self.world.clock()
        with self._shop() as (session, shop):
            ada = self.member(session, ADA)
            referrals.share(session, shop, ada, [BO.email or ""], new_key=lambda: "ref-1", now=now)
            code = own_code(ada.id or 0)
        self.after()
        with self._shop() as (session, shop):
            fact = referrals.ReferralClaimed("ref-2", code, BO.email or "", now)
            referrals.claim(session, shop, fact, now=now)
        self.issue("ten_off")
        self.join(BO, "Bo", None)
        self.buy(BO, "40")
        self.calendar()

    def issue(self, reward: str) -> None:
        """Shopify makes the codes of gifts."""
        with self.world.runtime.reading() as session:
            waiting = session.exec(
                select(RewardIssue.id).where(RewardIssue.reward == reward, RewardIssue.state == "issuing")
            ).all()
        assert waiting
        for issue_id in waiting:
            self.made(issue_id, f"GIFT-{issue_id[:6]}")

    def made(self, issue_id: str, code: str) -> None:
        with self._shop() as (session, shop):
            redemption.name_code(session, shop.id or 0, issue_id, code)
        self.hear(RewardIssued(issue_id, f"gid://shopify/DiscountCodeNode/{code}", self.world.clock()))

    def calendar(self) -> None:
        ran = calendar.run(self.world.runtime, self.world.shop.shop_id, at=self.world.clock())
        if ran.settled:
            self.after()

    def hear(self, *facts: Fact) -> None:
        with self._shop() as (session, shop):
            absorb(session, shop, facts, now=self.world.clock(), cipher=self.world.cipher)
        self.after()

    def member(self, session: Session, who: Identity) -> Member:
        return session.exec(select(Member).where(col(Member.shopify_customer_id) == who.customer_id)).one()

    @contextmanager
    def _shop(self) -> Iterator[tuple[Session, Shop]]:
        with self.world.runtime.transaction() as session:
            yield session, session.get_one(Shop, self.world.shop.shop_id)
