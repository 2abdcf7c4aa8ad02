"""Facts become entries, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from loyalty import programs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.facts import (
    CustomerDeleted,
    CustomerSeen,
    CustomersMerged,
    CustomerVisited,
    Fact,
    Identity,
    OrderLine,
    OrderSeen,
    OrderSnapshot,
    PointsAdjusted,
    ReviewSeen,
    RewardFailed,
    RewardIssued,
    RewardRequested,
)
from loyalty.database import transaction
from loyalty.models import LedgerEntry, Member, OutboxMessage, Review, RewardIssue, Shop
from loyalty.points import absorb
from loyalty.redemption import LONGEST_ISSUING, request_reward, return_overdue, shops_with_overdue
from loyalty.reviews import REDACTED
from loyalty.staff import adjust

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def customer(
    customer_id: int = 7001, email: str | None = "ada@fernandfig.shop", minute: int = 0
) -> CustomerSeen:
    return CustomerSeen(Identity(customer_id, email), "Ada", "Byron", "en", at(minute), at(minute))


def order(
    minute: int = 1,
    *,
    remaining: int = 2,
    status: str = "paid",
    refunded: str = "0",
    identity: Identity | None = None,
    authoritative: bool = False,
    codes: tuple[str, ...] = (),
) -> OrderSeen:
    snapshot = OrderSnapshot(
        order_id=9001,
        name="#1001",
        created_at=at(1),
        updated_at=at(minute),
        currency="USD",
        financial_status=status,
        cancelled=False,
        test=False,
        source="web",
        lines=(OrderLine(1, 11, 2, remaining, Decimal("100.00"), Decimal("8.00"), gift_card=False),),
        outstanding=Decimal(0),
        refunded=Decimal(refunded),
        refunded_shipping=Decimal(0),
        discount_codes=codes,
    )
    return OrderSeen(snapshot, identity or Identity(7001, "ada@fernandfig.shop"), authoritative=authoritative)


def settle(engine: Engine, shop: Shop, *facts: Fact) -> frozenset[str]:
    with transaction(engine) as session:
        return absorb(session, shop, facts, now=NOW)


def members(engine: Engine) -> list[Member]:
    with Session(engine) as session:
        return list(session.exec(select(Member).order_by(col(Member.id))).all())


def points(engine: Engine) -> list[tuple[str, int]]:
    with Session(engine) as session:
        rows = session.exec(
            select(LedgerEntry).order_by(col(LedgerEntry.member_id), col(LedgerEntry.position))
        )
        return [(row.kind, row.points) for row in rows]


def outbox(engine: Engine, channel: str) -> list[str]:
    with Session(engine) as session:
        rows = session.exec(
            select(OutboxMessage).where(OutboxMessage.channel == channel).order_by(col(OutboxMessage.id))
        )
        return [row.kind for row in rows]


class TestAbsorb:
    def test_new_customer(self, engine: Engine, shop: Shop) -> None:
        """A new customer joins and earns the sign-up points once, however often we hear of it."""
        settle(engine, shop, customer(), customer())
        settle(engine, shop, customer())

        (member,) = members(engine)
        assert (member.state, member.balance, member.entry_count) == ("member", 100, 1)
        assert points(engine) == [("earn", 100)]
        assert outbox(engine, "klaviyo") == ["joined_program", "points_earned"]
        assert outbox(engine, "shopify") == ["balance_metafield"]

    def test_refund(self, engine: Engine, shop: Shop) -> None:
        """Points are not taken back on hearsay: the order is read again, and then they are."""
        settle(engine, shop, customer(), order())
        settle(engine, shop, order(5, remaining=1, status="partially_refunded", refunded="54"))
        assert members(engine)[0].balance == 200
        assert outbox(engine, "shopify")[-1] == "reread_order"

        settle(
            engine,
            shop,
            order(5, remaining=1, status="partially_refunded", refunded="54", authoritative=True),
        )
        assert members(engine)[0].balance == 150
        settle(engine, shop, order(6, remaining=0, status="refunded", refunded="108", authoritative=True))
        assert points(engine) == [("earn", 100), ("earn", 100), ("reverse", -50), ("reverse", -50)]

    def test_late_webhook(self, engine: Engine, shop: Shop) -> None:
        """A webhook that was overtaken by a newer state changes nothing."""
        settle(engine, shop, customer(), order(6, remaining=0, status="refunded", refunded="108"))
        settle(engine, shop, order(1))

        assert points(engine) == [("earn", 100)]

    def test_refunded_history(self, engine: Engine, shop: Shop) -> None:
        """An imported order with a refund is read before it earns, and stays history: nobody is told as if it were news."""
        old = order(5, remaining=1, status="partially_refunded", refunded="54")
        settle(engine, shop, customer(), OrderSeen(old.order, old.identity, history=True))
        assert members(engine)[0].balance == 100
        with Session(engine) as session:
            reread = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "reread_order")).one()
            assert reread.payload == {"order_id": 9001, "history": True}

        settle(engine, shop, OrderSeen(old.order, old.identity, authoritative=True, history=True))
        assert members(engine)[0].balance == 150
        with Session(engine) as session:
            told = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "points_earned")).all()
            assert {message.backfill for message in told if message.payload["source"] == "order"} == {True}
            # Nobody waits for what Shopify is asked and told of it either, as somebody does for the points of the account.
            queued = select(OutboxMessage).where(OutboxMessage.channel == "shopify")
            found = session.exec(queued.order_by(col(OutboxMessage.id))).all()
            assert [(message.kind, message.backfill) for message in found] == [
                ("reread_order", True),
                ("balance_metafield", False),
                ("balance_metafield", True),
            ]

    def test_same_second(self, engine: Engine, shop: Shop) -> None:
        """Two webhooks of one second that differ settle nothing between them: the order is read, and that decides."""
        settle(engine, shop, customer(), order(status="pending"))
        settle(engine, shop, order(status="paid"), order(status="paid"))
        assert outbox(engine, "shopify").count("reread_order") == 1

        settle(engine, shop, order(status="paid", authoritative=True))
        assert members(engine)[0].balance == 200

    def test_stale_reading(self, engine: Engine, shop: Shop) -> None:
        """A reading that is older than a webhook takes nothing back and asks again."""
        settle(engine, shop, customer(), order(1), order(5, remaining=1, status="partially_refunded"))
        settle(engine, shop, order(1, authoritative=True))
        assert members(engine)[0].balance == 200
        assert outbox(engine, "shopify").count("reread_order") == 2

    def test_order_waits(self, engine: Engine, shop: Shop) -> None:
        """An order without a person is kept and settled when the person is known."""
        settle(engine, shop, order(identity=Identity(None, None)))
        assert members(engine) == []

        settle(engine, shop, order(2))
        assert members(engine)[0].balance == 100

    @pytest.mark.parametrize("guests", ["earn", "wait", "never"])
    def test_account_behind_order(self, engine: Engine, shop: Shop, guests: str) -> None:
        """An order that is told a moment before the account that it made earns like one that is told after it, in one batch or in two."""
        with transaction(engine) as session:
            programs.apply(
                session, shop.id or 0, DEFAULT_DOCUMENT | {"guests": guests}, author="staff:1", now=NOW
            )
        other = replace(order(identity=Identity(7002, "bo@fernandfig.shop")).order, order_id=9002)
        settle(engine, shop, order(), customer())
        settle(engine, shop, OrderSeen(other, Identity(7002, "bo@fernandfig.shop")))
        settle(engine, shop, customer(7002, "bo@fernandfig.shop"))

        assert [(member.state, member.balance) for member in members(engine)] == [("member", 200)] * 2

    def test_guest_becomes_member(self, engine: Engine, shop: Shop) -> None:
        """A guest's points stay with the person who opens an account under the same e-mail."""
        settle(engine, shop, order(identity=Identity(None, "ada@fernandfig.shop")))
        settle(engine, shop, customer())

        (member,) = members(engine)
        assert (member.shopify_customer_id, member.balance, member.state) == (7001, 200, "member")

    @pytest.mark.parametrize(("guests", "as_guest"), [("earn", 100), ("wait", 0), ("never", 0)])
    @pytest.mark.parametrize("by_visit", [False, True])
    def test_record_of_a_guest(
        self, engine: Engine, shop: Shop, guests: str, as_guest: int, by_visit: bool
    ) -> None:
        """A record that Shopify made for a guest's order is no account: the guest is rewarded as the program says, and joins with the
        account, or by being logged in."""
        with transaction(engine) as session:
            programs.apply(
                session, shop.id or 0, DEFAULT_DOCUMENT | {"guests": guests}, author="staff:1", now=NOW
            )
        record = replace(customer(), has_account=False)
        settle(engine, shop, record, order())
        (guest,) = members(engine)
        assert (guest.state, guest.joined_at, guest.balance) == ("guest", None, as_guest)

        days_later = replace(customer(), updated_at=at(9999))
        visit = CustomerVisited(Identity(7001, None), at(9999))
        settle(engine, shop, visit if by_visit else days_later)
        settle(engine, shop, record, visit, days_later)
        (member,) = members(engine)
        earned = 100 if guests == "never" else 200
        assert (member.state, member.joined_at, member.balance) == ("member", at(9999), earned)

    def test_record_is_account(self, engine: Engine, shop: Shop) -> None:
        """Where customers log in with a code, whoever has a record has an account, whatever the record says of it."""
        shop.classic_accounts = False
        settle(engine, shop, replace(customer(), has_account=False))
        assert [(member.state, member.balance) for member in members(engine)] == [("member", 100)]

    def test_consent_of_a_guest(self, engine: Engine, shop: Shop) -> None:
        """A guest who agreed to e-mail is rewarded for it with the account."""
        newsletter = {"title": "Letters", "points": 30}
        document = DEFAULT_DOCUMENT | {"earn": {**DEFAULT_DOCUMENT["earn"], "newsletter": newsletter}}
        with transaction(engine) as session:
            programs.apply(session, shop.id or 0, document, author="staff:1", now=NOW)
        settle(engine, shop, replace(customer(), has_account=False, subscribed_at=at(1)))
        assert [member.balance for member in members(engine)] == [0]
        settle(engine, shop, customer(minute=5))
        assert [member.balance for member in members(engine)] == [130]

    def test_unverified(self, engine: Engine, shop: Shop) -> None:
        """Nobody gets a guest's points by naming the guest's address: they wait until the customer has verified it."""
        settle(engine, shop, order(identity=Identity(None, "ada@fernandfig.shop")))
        stranger = Identity(7001, "ada@fernandfig.shop", verified=False)
        settle(engine, shop, replace(customer(minute=2), identity=stranger))
        guest, member = members(engine)
        assert (guest.state, guest.email, guest.balance) == ("guest", "ada@fernandfig.shop", 100)
        assert (member.email, member.balance) == (None, 100)

        settle(engine, shop, customer(minute=3))
        guest, member = members(engine)
        assert (guest.merged_into, member.email, member.balance) == (member.id, "ada@fernandfig.shop", 200)

    def test_guest_is_merged(self, engine: Engine, shop: Shop) -> None:
        """A customer who takes over a guest's e-mail takes over the guest's points, and refunds find them there."""
        settle(engine, shop, order(identity=Identity(None, "old@fernandfig.shop")))
        settle(engine, shop, customer(email="ada@fernandfig.shop"))
        settle(engine, shop, customer(email="old@fernandfig.shop", minute=9))
        settle(engine, shop, order(10, remaining=0, status="refunded", refunded="108", authoritative=True))

        guest, member = members(engine)
        assert (guest.state, guest.balance, guest.merged_into) == ("merged", 0, member.id)
        assert member.balance == 100

    @pytest.mark.parametrize("merge_first", [True, False])
    def test_customers_merged(self, engine: Engine, shop: Shop, merge_first: bool) -> None:
        """Two customers that become one end on the kept one, in either order of arrival, once, and with one award for an account."""
        merge = CustomersMerged(7001, 7002, NOW)
        other = customer(7002, "second@fernandfig.shop")
        facts: list[Fact] = [merge, customer(), other] if merge_first else [customer(), other, merge]
        settle(engine, shop, *facts)
        settle(engine, shop, merge, CustomerDeleted(7002), other)

        kept = next(member for member in members(engine) if member.shopify_customer_id == 7001)
        assert (kept.state, kept.balance, kept.email) == ("member", 100, "ada@fernandfig.shop")
        assert sum(member.balance for member in members(engine)) == 100

    def test_merged_before_known(self, engine: Engine, shop: Shop) -> None:
        """A customer who is first heard of after somebody was merged into them has had the points for an account."""
        settle(engine, shop, customer(7002, "second@fernandfig.shop"))
        settle(engine, shop, CustomersMerged(7001, 7002, NOW))
        settle(engine, shop, customer())

        assert sum(member.balance for member in members(engine)) == 100

    def test_email_moves(self, engine: Engine, shop: Shop) -> None:
        """An e-mail that another customer has now leaves the one who had it before."""
        settle(engine, shop, customer(7001), customer(7002, "second@fernandfig.shop"))
        settle(engine, shop, customer(7002, "ada@fernandfig.shop", minute=3))

        assert [member.email for member in members(engine)] == [None, "ada@fernandfig.shop"]

    def test_email_of_new_customer(self, engine: Engine, shop: Shop) -> None:
        """So it does when the one who has it now is heard of for the first time: Ada deleted her account and made another."""
        settle(engine, shop, customer(7001))
        settle(engine, shop, CustomerDeleted(7001))
        settle(engine, shop, customer(7002, minute=3), customer(7003, "second@fernandfig.shop", minute=3))

        found = [(member.state, member.email, member.balance) for member in members(engine)]
        assert found == [
            ("deleted", None, 100),
            ("member", "ada@fernandfig.shop", 100),
            ("member", "second@fernandfig.shop", 100),
        ]

    def test_email_of_long_ago(self, engine: Engine, shop: Shop) -> None:
        """What a message says that comes long after its time does not take an address from whoever has it since."""
        settle(engine, shop, customer(7002, minute=5))
        settle(engine, shop, customer(7001, minute=1))
        settle(engine, shop, customer(7001, "new@fernandfig.shop", minute=3))

        assert [member.email for member in members(engine)] == ["ada@fernandfig.shop", "new@fernandfig.shop"]

    @pytest.mark.parametrize("back", [False, True])
    def test_emails_go_round(self, engine: Engine, shop: Shop, back: bool) -> None:
        """Addresses that change hands in one batch, from one to the next and round, end with whoever had them last."""
        settle(engine, shop, *(customer(7001 + n, f"{n}@fernandfig.shop") for n in range(3)))
        moved = [customer(7001 + n, f"{(n + 1) % 3}@fernandfig.shop", minute=3) for n in range(3)]
        settle(engine, shop, *(reversed(moved) if back else moved), customer(7004, "new@fernandfig.shop"))

        found = [member.email for member in members(engine)]
        assert found == [f"{name}@fernandfig.shop" for name in (1, 2, 0, "new")]


class TestGoals:
    GOAL: ClassVar = {"way": "order_count_goal", "title": "First order", "goal": 1, "points": 300}

    def save(self, engine: Engine, shop: Shop, **earn: dict[str, Any]) -> None:
        """A version of the program with nothing but these ways to earn."""
        with transaction(engine) as session:
            programs.apply(
                session, shop.id or 0, DEFAULT_DOCUMENT | {"earn": earn}, author="staff:1", now=NOW
            )

    def test_hearsay(self, engine: Engine, shop: Shop) -> None:
        """A webhook undoes no goal, not even where the orders themselves earn nothing: the order is read first."""
        self.save(engine, shop, first=self.GOAL)
        settle(engine, shop, customer(), order())
        settle(engine, shop, order(5, remaining=0, status="refunded", refunded="216"))
        assert members(engine)[0].balance == 300
        assert outbox(engine, "shopify")[-1] == "reread_order"

        settle(engine, shop, order(5, remaining=0, status="refunded", refunded="216", authoritative=True))
        assert members(engine)[0].balance == 0

    def test_switched_off(self, engine: Engine, shop: Shop) -> None:
        """A goal that is no longer in the program keeps what it gave, until a refund shows that it was not reached."""
        self.save(engine, shop, first=self.GOAL)
        settle(engine, shop, customer(), order())
        self.save(engine, shop, first=self.GOAL | {"enabled": False})
        settle(engine, shop, order(4))
        assert members(engine)[0].balance == 300

        settle(engine, shop, order(5, remaining=0, status="refunded", refunded="216", authoritative=True))
        assert members(engine)[0].balance == 0


class TestReviews:
    def review(self, *, status: str = "published", minute: int = 0, verified: bool = True) -> ReviewSeen:
        return ReviewSeen(
            "rev-1", "ada@fernandfig.shop", "rating", 5, verified, False, status, at(0), at(minute)
        )

    def test_verified_review(self, engine: Engine, shop: Shop) -> None:
        """A verified rating without a text earns once."""
        settle(engine, shop, customer(), self.review(), self.review())
        settle(engine, shop, self.review())

        assert points(engine) == [("earn", 100), ("earn", 50)]

    def test_waits_for_person(self, engine: Engine, shop: Shop) -> None:
        """A review by somebody unknown waits, says so, and earns when the person joins."""
        settle(engine, shop, self.review())
        with Session(engine) as session:
            row = session.exec(select(Review)).one()
            assert (row.state, row.reason) == ("pending", "waiting_for_member")

        settle(engine, shop, customer())
        assert members(engine)[0].balance == 150

    def test_address_of_a_moment(self, engine: Engine, shop: Shop) -> None:
        """It earns for whoever had its author's address, also when they have another one before the batch ends."""
        settle(engine, shop, self.review())
        settle(engine, shop, customer(), customer(email="new@fernandfig.shop", minute=5))

        assert members(engine)[0].balance == 150

    def test_forgotten(self, engine: Engine, shop: Shop) -> None:
        """A review whose author was forgotten brings no address back when Klaviyo tells of it again."""
        settle(engine, shop, self.review())
        with transaction(engine) as session:
            row = session.exec(select(Review)).one()
            row.email, row.state, row.reason = None, "ineligible", REDACTED
        settle(engine, shop, self.review(status="published", minute=5), customer())
        with Session(engine) as session:
            row = session.exec(select(Review)).one()
            assert (row.email, row.state, row.member_id) == (None, "ineligible", None)

    def test_rejected_later(self, engine: Engine, shop: Shop) -> None:
        """A review that is rejected after its points were given gives them back, once."""
        settle(engine, shop, customer(), self.review())
        settle(engine, shop, self.review(status="rejected", minute=5), self.review())

        assert members(engine)[0].balance == 100
        with Session(engine) as session:
            assert session.exec(select(Review)).one().state == "reversed"

    def test_author_moved(self, engine: Engine, shop: Shop) -> None:
        """A review belongs to its author, also when it becomes one that earns after the author's address was changed."""
        settle(engine, shop, customer(), self.review(verified=False))
        settle(engine, shop, customer(email="new@fernandfig.shop", minute=5))
        settle(engine, shop, self.review(minute=9))

        assert points(engine) == [("earn", 100), ("earn", 50)]

    def test_author_merged(self, engine: Engine, shop: Shop) -> None:
        """A review earns for the account that its author's became a part of."""
        settle(
            engine, shop, customer(), customer(7002, "second@fernandfig.shop"), self.review(verified=False)
        )
        settle(engine, shop, CustomersMerged(7002, 7001, at(5)))
        settle(engine, shop, self.review(minute=9))

        kept = next(member for member in members(engine) if member.shopify_customer_id == 7002)
        assert kept.balance == 150


class TestRedemption:
    def redeem(self, engine: Engine, shop: Shop, key: str = "k1") -> RewardIssue:
        with transaction(engine) as session:
            member = session.exec(select(Member)).one()
            request = RewardRequested("five_off", key, f"issue-{key}", NOW, code=f"CODE{key.upper()}")
            return request_reward(session, shop, member, request, now=NOW)

    @pytest.fixture(autouse=True)
    def _rich_member(self, engine: Engine, shop: Shop) -> None:
        settle(engine, shop, customer())
        with transaction(engine) as session:
            member = session.exec(select(Member)).one()
            adjust(session, shop, member, PointsAdjusted(500, "gift", "Welcome", "staff-1", NOW), now=NOW)

    def test_same_key(self, engine: Engine, shop: Shop) -> None:
        """The same request twice takes the points once."""
        assert self.redeem(engine, shop).id == self.redeem(engine, shop).id
        assert members(engine)[0].balance == 100

    def test_issued(self, engine: Engine, shop: Shop) -> None:
        """When the code is there the redemption is told, once."""
        issue = self.redeem(engine, shop)
        for _ in range(2):
            settle(engine, shop, RewardIssued(issue.id, "gid://shopify/DiscountCodeNode/1", NOW))

        assert outbox(engine, "klaviyo").count("points_redeemed") == 1

    def test_failed(self, engine: Engine, shop: Shop) -> None:
        """A code that cannot be made gives the points back, once."""
        issue = self.redeem(engine, shop)
        for _ in range(2):
            settle(engine, shop, RewardFailed(issue.id, "refused", NOW))

        assert members(engine)[0].balance == 600
        assert members(engine)[0].lifetime_spent == 0

    def test_overdue(self, engine: Engine, shop: Shop) -> None:
        """A code that Shopify did not make for a day gives the points back, once, and is made unusable should it exist."""
        issue = self.redeem(engine, shop)
        tomorrow = NOW + LONGEST_ISSUING + timedelta(seconds=1)
        for _ in range(2):
            with transaction(engine) as session:
                assert shops_with_overdue(session, now=NOW) == []
                return_overdue(session, shop, now=tomorrow)
        assert members(engine)[0].balance == 600
        assert outbox(engine, "rewards").count("deactivate_code") == 1

        settle(engine, shop, RewardIssued(issue.id, "gid://shopify/DiscountCodeNode/1", tomorrow))
        assert members(engine)[0].balance == 600
        with Session(engine) as session:
            assert session.exec(select(RewardIssue.state)).one() == "failed"

    def test_used(self, engine: Engine, shop: Shop) -> None:
        """An order that carries the code uses the reward."""
        issue = self.redeem(engine, shop)
        settle(
            engine,
            shop,
            RewardIssued(issue.id, "gid://shopify/DiscountCodeNode/1", NOW),
            order(codes=("codek1",)),
        )

        with Session(engine) as session:
            assert session.exec(select(RewardIssue)).one().state == "used"
