"""What the books say of rewards, on both databases: limits, gifts, ends, uses in any order, and news of them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from loyalty import points, programs, redemption
from loyalty.book import Book
from loyalty.core.decide import RewardRefused
from loyalty.core.facts import (
    CustomersMerged,
    OrderSeen,
    PointsAdjusted,
    RewardDeactivated,
    RewardFailed,
    RewardIssued,
    RewardRequested,
)
from loyalty.database import transaction
from loyalty.ledger import verify
from loyalty.models import LedgerEntry, Member, OutboxMessage, RewardIssue, Shop
from loyalty.points import absorb
from loyalty.staff import adjust
from tests.integration.loyalty.story import ADA, BO, NOW, joined
from tests.unit.core.makers import line, order

DOCUMENT: dict[str, Any] = {
    "points": {"one": "leaf", "many": "leaves"},
    "timezone": "Europe/Berlin",
    "rewards": [
        {"key": "five", "title": "$5 off", "points": 100, "amount": "5.00", "expires_after_days": 10},
        {
            "key": "once",
            "title": "$9 off",
            "points": 10,
            "amount": "9.00",
            "limit": {"times": 1, "per": "lifetime"},
        },
        {"key": "tenth", "title": "10% off", "points": 10, "kind": "percentage_off", "percentage": "12.5"},
        {"key": "gift", "title": "A gift", "amount": "3.00", "listed": False, "expires_after_days": 10},
        {
            "key": "money",
            "title": "$4",
            "points": 10,
            "kind": "store_credit",
            "amount": "4.00",
            "expires_after_days": 10,
        },
    ],
}
# Ten days are over with the eleventh of November in Berlin.
END = datetime(2026, 11, 11, 23, tzinfo=UTC)


@dataclass
class Till:
    """A member with 1,000 points, and what happens to their rewards."""

    engine: Engine
    shop: Shop

    def ask(self, reward: str = "five", key: str = "k1", at: datetime = NOW) -> str:
        """Ask for a reward, under a code that a test can write down."""
        with transaction(self.engine) as session:
            wanted = RewardRequested(reward, key, f"issue-{key}", at, code=f"CODE{key.upper()}")
            return redemption.request_reward(session, self.shop, self.member(session), wanted, now=at).id

    def member(self, session: Session) -> Member:
        """The member's row."""
        return session.exec(select(Member).where(Member.shopify_customer_id == ADA.customer_id)).one()

    def settle(self, *facts: Any, at: datetime = NOW) -> None:
        """Settle facts."""
        with transaction(self.engine) as session:
            absorb(session, self.shop, facts, now=at)

    def issued(self, reward: str = "five", key: str = "k1") -> str:
        """A reward that is there."""
        issue_id = self.ask(reward, key)
        self.settle(RewardIssued(issue_id, f"gid://shopify/DiscountCodeNode/{len(key)}", NOW))
        return issue_id

    def do(self, action: Any, issue_id: str, at: datetime) -> None:
        """The calendar reminds or expires."""
        with transaction(self.engine) as session:
            book = Book(session, self.shop, now=at)
            action(book, session.get_one(RewardIssue, issue_id), at)
            book.write()

    def give(self, slot: str = "birthday:2026", who: Any = ADA, reward: str = "gift") -> str | None:
        """Give a gift."""
        with transaction(self.engine) as session:
            book = Book(session, self.shop, now=NOW)
            book.load_people([who.customer_id], [])
            account = book.by_customer(who.customer_id)
            issue = redemption.give(book, account, reward, given_for="birthday", slot=slot, occurred_at=NOW)
            book.write()
            return issue.id if issue else None

    def give_up(self, issue_id: str) -> None:
        """What was queued for it has been tried too often."""
        with transaction(self.engine) as session:
            told = session.exec(
                select(OutboxMessage).where(OutboxMessage.unique_id == f"issue:{issue_id}")
            ).one()
            told.state = "parked"

    def overdue(self, late: datetime = NOW + timedelta(minutes=1)) -> list[int]:
        """Look after what takes too long, a minute later; the shops that had some."""
        with transaction(self.engine) as session:
            found = redemption.shops_with_overdue(session, now=late)
            redemption.return_overdue(session, self.shop, now=late)
            return found

    def decide(self, decision: Any, issue_id: str, at: datetime = NOW) -> None:
        """A person decides."""
        with transaction(self.engine) as session:
            decision(session, self.shop, session.get_one(RewardIssue, issue_id), now=at)

    def ask_shopify(self, issue_id: str, at: datetime = NOW) -> bool:
        """Store credit is about to be asked for."""
        with transaction(self.engine) as session:
            return redemption.credit_may_be_paid(session, self.shop.id or 0, issue_id, after="", now=at)

    def cancel(self, issue_id: str, at: datetime = NOW) -> None:
        """Staff take a reward back."""
        with transaction(self.engine) as session:
            redemption.cancel(session, self.shop, session.get_one(RewardIssue, issue_id), by="staff", now=at)

    def end_messages(self, kind: str, state: str) -> None:
        """What waited to be sent of a kind has come to nothing."""
        with transaction(self.engine) as session:
            for told in session.exec(select(OutboxMessage).where(OutboxMessage.kind == kind)).all():
                told.state = state

    def asked_shopify(self, kind: str, *states: str) -> int:
        """How many messages of a kind Shopify is sent."""
        with Session(self.engine) as session:
            asked = session.exec(select(OutboxMessage).where(OutboxMessage.kind == kind)).all()
            return sum(not states or message.state in states for message in asked)

    def get(self, issue_id: str) -> RewardIssue:
        """A reward as it is."""
        with Session(self.engine) as session:
            return session.get_one(RewardIssue, issue_id)

    @property
    def balance(self) -> int:
        """The points there are."""
        with Session(self.engine) as session:
            return self.member(session).balance

    def told(self, kind: str, channel: str = "klaviyo") -> list[OutboxMessage]:
        """What was said of a kind."""
        with Session(self.engine) as session:
            rows = select(OutboxMessage).where(OutboxMessage.channel == channel, OutboxMessage.kind == kind)
            return list(session.exec(rows.order_by(col(OutboxMessage.id))).all())

    def entries(self) -> list[int]:
        """The movements for rewards."""
        with Session(self.engine) as session:
            rows = select(LedgerEntry.points).where(LedgerEntry.source_kind == "reward")
            return list(session.exec(rows.order_by(col(LedgerEntry.position))).all())


def bought(code: str, *, at: datetime = NOW, order_id: int = 900, cancelled: bool = False) -> OrderSeen:
    """An order with a code, as read at Shopify."""
    snapshot = order(
        line("40"),
        order_id=order_id,
        name=f"#{order_id}",
        created_at=at,
        discount_codes=(code,),
        cancelled=cancelled,
    )
    return OrderSeen(snapshot, ADA, authoritative=True)


@pytest.fixture(name="till")
def _till(engine: Engine, shop: Shop) -> Till:
    with transaction(engine) as session:
        programs.apply(session, shop.id or 0, DOCUMENT, author="test", now=NOW)
        absorb(session, shop, [joined(ADA), joined(BO)], now=NOW)
    till = Till(engine, shop)
    with transaction(engine) as session:
        adjust(session, shop, till.member(session), PointsAdjusted(1000, "k", "Hello", "staff", NOW), now=NOW)
    return till


class TestRequest:
    def test_kept(self, till):
        """A reward is kept with its terms, and ends with the shop's midnight after its days."""
        row = till.get(till.ask())
        assert (row.kind, row.state, row.expires_at, row.points) == ("amount_off", "issuing", END, 100)
        assert redemption.terms_of(row).title == "$5 off"
        assert till.balance == 900

    def test_terms_stay(self, till):
        """A later version of the program changes nothing about it."""
        issue_id = till.ask("tenth")
        with transaction(till.engine) as session:
            changed = DOCUMENT | {"rewards": [DOCUMENT["rewards"][0]]}
            programs.apply(session, till.shop.id or 0, changed, author="test", now=NOW)
        assert str(redemption.terms_of(till.get(issue_id)).percentage) == "12.5"

    def test_limit(self, till):
        """What one may have once is refused the second time, unless the first never came to be."""
        first = till.ask("once", "k1")
        with pytest.raises(RewardRefused, match="limit_reached"):
            till.ask("once", "k2")
        till.settle(RewardFailed(first, "refused", NOW))
        assert till.get(till.ask("once", "k3")).state == "issuing"

    def test_not_listed(self, till):
        """What is only given cannot be bought."""
        with pytest.raises(RewardRefused, match="unknown_reward"):
            till.ask("gift")


class TestNews:
    def test_typed(self, till):
        """Numbers are told as numbers, and what is not known is left out."""
        till.issued("tenth")
        (told,) = till.told("points_redeemed")
        said = told.payload
        assert (said["reward_kind"], said["reward_value"], said["points"]) == ("percentage_off", 12.5, 10)
        assert (said["coupon_code"], said["points_balance"]) == ("CODEK1", 990)
        assert {"coupon_expires_at", "given_for", "reward_amount", "minimum_subtotal"}.isdisjoint(said)

    def test_calendar(self, till):
        """A reward that ends puts the member on the calendar: first for the reminder."""
        till.issued()
        with Session(till.engine) as session:
            assert till.member(session).calendar_due == END - timedelta(days=3)


class TestUsed:
    def test_told(self, till):
        """The first order with the code uses it and is named, once, however often it comes."""
        issue_id = till.issued()
        for _ in range(2):
            till.settle(bought("codek1"))
        (told,) = till.told("reward_used")
        assert (told.payload["order_name"], told.payload["coupon_code"]) == ("#900", "CODEK1")
        assert (till.get(issue_id).state, till.get(issue_id).used_at) == ("used", NOW)
        assert till.entries() == [-100]

    def test_cancelled_order(self, till):
        """It makes no difference whether the order was seen before it was cancelled or only afterwards."""
        issue_id = till.issued()
        till.settle(bought("CODEK1", cancelled=True))
        assert till.get(issue_id).state == "used"

    def test_two_orders(self, till):
        """Of two orders in one batch the earlier one has used it, in whatever order they come."""
        issue_id = till.issued()
        late, early = (
            bought("CODEK1", order_id=902, at=NOW + timedelta(hours=1)),
            bought("CODEK1", order_id=901),
        )
        till.settle(late, early)
        assert till.get(issue_id).used_order_id == 901

    def test_after_its_end(self, till):
        """An order from before the end that comes after it has used the reward."""
        issue_id = till.issued()
        till.do(redemption.expire, issue_id, END)
        till.settle(bought("CODEK1"), at=END + timedelta(hours=1))
        assert till.get(issue_id).state == "used"

    def test_after_return(self, till):
        """Points that came back for a code that was used after all go again, once, and the books add up."""
        issue_id = till.issued()
        till.cancel(issue_id)
        till.settle(RewardDeactivated(issue_id, used=False, deactivated_at=NOW))
        assert (till.get(issue_id).state, till.balance) == ("cancelled", 1000)
        for _ in range(2):
            till.settle(bought("CODEK1"))
        assert (till.get(issue_id).state, till.entries()) == ("used", [-100, 100, -100])
        with Session(till.engine) as session:
            assert list(verify.verify(session, till.shop.id or 0)) == []

    def test_used_before_it_died(self, till):
        """When Shopify says that somebody was quicker, the points stay spent and the order is named when it comes."""
        issue_id = till.issued()
        till.cancel(issue_id)
        till.settle(RewardDeactivated(issue_id, used=True, deactivated_at=NOW))
        assert (till.get(issue_id).state, till.entries(), till.told("reward_used")) == ("used", [-100], [])
        till.settle(bought("CODEK1"))
        assert (till.get(issue_id).used_order_id, len(till.told("reward_used"))) == (900, 1)


class TestCancelled:
    def test_told(self, till):
        """A reward that was taken back is told, with the points that came back, once."""
        issue_id = till.issued()
        for _ in range(2):
            till.cancel(issue_id)
        for _ in range(2):
            till.settle(RewardDeactivated(issue_id, used=False, deactivated_at=NOW))
        assert (till.entries(), till.balance) == ([-100, 100], 1000)
        assert [told.payload["points_balance"] for told in till.told("reward_cancelled")] == [1000]
        assert [told.payload["points"] for told in till.told("points_adjusted")] == [1000, 100]

    @pytest.mark.parametrize("state", ["parked", "refused"])
    def test_shopify_would_not(self, till, state):
        """Shopify is asked again every day, without anybody's click, until the code is dead; then the points return."""
        issue_id = till.issued()
        till.cancel(issue_id)
        till.end_messages("deactivate_code", state)
        hour, day = timedelta(hours=1), timedelta(days=1)
        told = []
        for late in (hour, day - hour, day + hour, day + 2 * hour, 3 * day):
            till.overdue(NOW + late)
            told.append(till.asked_shopify("deactivate_code"))
        assert told == [1, 1, 2, 2, 2]  # the second still waits to be sent
        till.end_messages("deactivate_code", state)
        assert till.overdue(NOW + 3 * day) == [till.shop.id]
        assert (till.get(issue_id).state, till.balance) == ("cancelling", 900)
        till.settle(RewardDeactivated(issue_id, used=False, deactivated_at=NOW))
        assert (till.overdue(NOW + 9 * day), till.balance) == ([], 1000)

    def test_after_its_end(self, till):
        """What has ended is not taken back, also when the calendar has not been there yet."""
        issue_id = till.issued()
        with pytest.raises(redemption.CancelRefused, match="expired"):
            till.cancel(issue_id, at=END)
        assert till.get(issue_id).state == "issued"


class TestEnd:
    def test_expired(self, till):
        """A reward ends once, at its end and not before."""
        issue_id = till.issued()
        till.do(redemption.expire, issue_id, END - timedelta(seconds=1))
        assert till.get(issue_id).state == "issued"
        for _ in range(2):
            till.do(redemption.expire, issue_id, END)
        (told,) = till.told("reward_expired")
        assert (till.get(issue_id).state, told.occurred_at) == ("expired", END)
        assert told.payload["coupon_expires_at"] == END.isoformat()
        assert till.balance == 900

    def test_reminded(self, till):
        """A reminder is told once, and not of what is used."""
        issue_id = till.issued()
        for _ in range(2):
            till.do(redemption.remind, issue_id, END - timedelta(days=3))
        assert len(till.told("reward_expiring")) == 1
        other = till.issued(key="k22")
        till.settle(bought("CODEK22"))
        till.do(redemption.remind, other, END - timedelta(days=3))
        assert len(till.told("reward_expiring")) == 1

    def test_money(self, till):
        """Of money nobody knows whether it was spent: it ends in silence."""
        issue_id = till.issued("money")
        till.do(redemption.remind, issue_id, END - timedelta(days=3))
        till.do(redemption.expire, issue_id, END)
        assert till.get(issue_id).state == "expired"
        assert till.told("reward_expiring") + till.told("reward_expired") == []


class TestUnknown:
    def test_asks_a_person(self, till):
        """Credit of which nothing was found out for days is left to a person, and its points stay where they are."""
        issue_id = till.ask("money")
        assert till.ask_shopify(issue_id)
        for days, waits in ((2, False), (4, True)):
            with transaction(till.engine) as session:
                late = NOW + timedelta(days=days)
                assert redemption.shops_with_overdue(session, now=late) == ([till.shop.id] if waits else [])
                redemption.return_overdue(session, till.shop, now=late)
            assert points.waits_for_a_person(till.get(issue_id)) is waits
        assert till.balance == 990

    def test_paid_after_all(self, till):
        """What a person has paid from the beginning is not late because it was asked for long ago; a day later it is."""
        issue_id, day = till.ask("money"), timedelta(days=1)
        till.ask_shopify(issue_id)
        till.end_messages("issue_reward", "delivered")
        till.overdue(NOW + 4 * day)
        till.decide(points.make_again, issue_id, NOW + 5 * day)
        assert till.overdue(NOW + 6 * day) == []
        assert (till.get(issue_id).state, till.get(issue_id).failure) == ("issuing", None)
        assert till.overdue(NOW + 6 * day + timedelta(hours=1)) == [till.shop.id]
        assert (till.get(issue_id).state, till.balance) == ("failed", 1000)

    @pytest.mark.postgres
    @pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
    def test_asked_just_now(self, till, monkeypatch):
        """Credit that is asked for while somebody looks for what is late may be paid, so its points do not come back. (Whoever writes to
        SQLite is alone with it.)"""
        issue_id = till.ask("money")
        late, load = NOW + timedelta(days=2), Book.load_members

        def meanwhile(book: Book, ids: Any) -> None:
            load(book, ids)
            monkeypatch.undo()
            assert till.ask_shopify(issue_id, late)

        monkeypatch.setattr(Book, "load_members", meanwhile)
        till.overdue(late)
        assert (till.get(issue_id).state, till.get(issue_id).failure, till.balance) == ("issuing", None, 990)


class TestGivenUp:
    """A reward that nobody is making any more."""

    def test_paid(self, till):
        """Whoever paid gets the points back at once, and a code that exists after all is switched off."""
        issue_id = till.ask()
        assert till.overdue() == []
        till.give_up(issue_id)
        assert till.overdue() == [till.shop.id]
        assert till.overdue() == []
        assert (till.get(issue_id).state, till.get(issue_id).failure) == ("failed", redemption.GIVEN_UP)
        assert (till.balance, till.asked_shopify("deactivate_code")) == (1000, 1)

    def test_unasked_credit(self, till):
        """Store credit that Shopify was never asked for is no different."""
        issue_id = till.ask("money")
        till.give_up(issue_id)
        till.overdue()
        assert (till.get(issue_id).state, till.balance) == ("failed", 1000)
        assert till.asked_shopify("deactivate_code") == 0

    def test_asked_credit(self, till):
        """Store credit that may have been paid waits for a person, whose points stay where they are."""
        issue_id = till.ask("money")
        assert till.ask_shopify(issue_id)
        till.give_up(issue_id)
        till.overdue()
        assert points.waits_for_a_person(till.get(issue_id))
        assert till.balance == 990

    def test_gift(self, till):
        """A gift waits for a person, who has it made after all: it is asked for from the beginning."""
        issue_id = till.give()
        till.give_up(issue_id)
        till.overdue()
        assert points.waits_for_a_person(till.get(issue_id))
        till.decide(points.make_again, issue_id)
        assert (till.get(issue_id).failure, till.asked_shopify("issue_reward", "due")) == (None, 1)
        assert till.overdue() == []
        till.settle(RewardIssued(issue_id, "gid://shopify/DiscountCodeNode/1", NOW))
        assert till.get(issue_id).state == "issued"

    def test_gift_not_wanted(self, till):
        """Or lets it be: nothing was paid for it, and its code is dead should it exist."""
        issue_id = till.give()
        till.give_up(issue_id)
        till.overdue()
        with pytest.raises(points.NotWaiting):
            till.decide(points.say_paid, issue_id)
        till.decide(points.give_back, issue_id)
        assert (till.get(issue_id).state, till.balance) == ("failed", 1000)
        assert till.asked_shopify("deactivate_code") == 1


class TestGift:
    def test_told(self, till):
        """A gift is told when it is there, costs nothing and is worth what it says."""
        issue_id = till.give()
        assert till.told("reward_given") == []
        till.settle(RewardIssued(issue_id, "gid://shopify/DiscountCodeNode/1", NOW))
        (told,) = till.told("reward_given")
        assert (told.payload["given_for"], told.payload["reward_value"]) == ("birthday", 3)
        assert (till.balance, till.entries(), till.get(issue_id).expires_at) == (1000, [], END)

    def test_once(self, till):
        """The same occasion gives it once, also when two people turn out to be one who both had it."""
        one, other = till.give(), till.give(who=BO)
        assert till.give() == one != other
        till.settle(CustomersMerged(ADA.customer_id, BO.customer_id, NOW))
        assert till.give() in (one, other)
        with Session(till.engine) as session:
            assert len(session.exec(select(RewardIssue.id)).all()) == 2

    def test_waits(self, till):
        """Nobody waits for a gift, so it is not given up after a day."""
        issue_id = till.give()
        late = NOW + redemption.LONGEST_ISSUING + timedelta(days=1)
        with transaction(till.engine) as session:
            assert redemption.shops_with_overdue(session, now=late) == []
        assert till.get(issue_id).state == "issuing"

    def test_late(self, till):
        """One that is made after its end is over before it begins, and nobody is told."""
        issue_id = till.give()
        till.settle(RewardIssued(issue_id, "gid://shopify/DiscountCodeNode/1", END), at=END)
        assert (till.get(issue_id).state, till.told("reward_given")) == ("expired", [])

    def test_failed(self, till):
        """One that cannot be made returns no points, for it cost none."""
        issue_id = till.give()
        till.settle(RewardFailed(issue_id, "refused", NOW))
        assert (till.get(issue_id).state, till.balance) == ("failed", 1000)
