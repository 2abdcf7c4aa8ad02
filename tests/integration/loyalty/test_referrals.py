"""Referrals through the database: claims, orders, refunds, merges, staff, and the end of a hold."""

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from loyalty import calendar, merges, outbox, programs, referrals
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.facts import (
    CustomerSeen,
    CustomersMerged,
    Fact,
    Identity,
    OrderSeen,
    RewardFailed,
    RewardIssued,
)
from loyalty.core.referrals import own_code
from loyalty.database import reading, transaction
from loyalty.delivery import Message
from loyalty.ledger.verify import verify
from loyalty.models import (
    AwardRow,
    ImportBatch,
    ImportRow,
    LedgerEntry,
    Member,
    MemberDevice,
    MemberMerge,
    OrderStanding,
    OutboxMessage,
    Referral,
    RewardIssue,
    Shop,
)
from loyalty.points import absorb, give_back, settle_accounts
from loyalty.redemption import GIVEN_UP, name_code
from loyalty.runtime import Runtime
from tests.passing_time import end_holds, pass_time
from tests.unit.core.makers import line, order

NOW = datetime.fromisoformat("2026-11-01T12:00:00+00:00")
INSTALLED = NOW - timedelta(days=10)
ADA = Identity(7001, "ada@fernandfig.shop")
BO = Identity(7002, "bo@fernandfig.shop")
FRIEND = "cy@fernandfig.shop"
DOCUMENT: dict[str, Any] = DEFAULT_DOCUMENT | {
    "earn": {},
    "rewards": [
        *DEFAULT_DOCUMENT["rewards"],
        {"key": "ten_off", "kind": "amount_off", "title": "$10 off", "listed": False, "amount": "10.00"},
    ],
    "referrals": {"friend": "ten_off", "advocate": {"points": 500}, "minimum": "30", "hold_days": 14},
}


@dataclass
class World:
    """A shop whose members bring friends, and what happens in it."""

    engine: Engine
    shop: Shop
    now: datetime = NOW
    keys: Callable[[], str] = field(
        default_factory=lambda: (f"ref-{n:08}" for n in itertools.count(1)).__next__
    )

    def hear(self, *facts: Fact) -> None:
        """Settle facts in one batch."""
        with transaction(self.engine) as session:
            absorb(session, self.shop, facts, now=self.now)

    def claim(self, email: str = FRIEND, *, of: Identity = ADA, code: str = "", **said: Any) -> Referral:
        """A friend takes up somebody's offer."""
        fact = referrals.ReferralClaimed(
            self.keys(), code or own_code(self.member(of).id or 0), email, self.now, **said
        )
        with transaction(self.engine) as session:
            row, _ = referrals.claim(session, self.shop, fact, now=self.now)
        return row

    def pass_time(self, days: float) -> None:
        """Let days go by, and complete what is due."""
        self.now += timedelta(days=days)
        end_holds(self.engine, self.shop, self.now)

    def rule(self, row: Referral, ruling: str) -> None:
        """Staff say something about a referral."""
        with transaction(self.engine) as session:
            who = row.id or 0
            referrals.rule(session, self.shop, settle_accounts, who, ruling, staff="staff:1", now=self.now)

    def issue(self, issue_id: str | None, *, code: str = "LAUREL-1") -> None:
        """Shopify makes the code of a reward."""
        assert issue_id is not None
        with transaction(self.engine) as session:
            name_code(session, self.shop.id or 0, issue_id, code)
        self.hear(RewardIssued(issue_id, "gid://shopify/DiscountCodeNode/1", self.now))

    def member(self, who: Identity | str) -> Member:
        """Somebody's row."""
        with self.read() as session:
            where = (
                Member.email == who if isinstance(who, str) else Member.shopify_customer_id == who.customer_id
            )
            return session.exec(select(Member).where(where)).one()

    def referral(self, row: Referral) -> Referral:
        """A referral as it is now."""
        with self.read() as session:
            return session.get_one(Referral, row.id)

    def news(self, kind: str) -> list[OutboxMessage]:
        """What was told."""
        with self.read() as session:
            return list(session.exec(select(OutboxMessage).where(OutboxMessage.kind == kind)).all())

    def referral_of(self, session: Session) -> Referral:
        """The only referral that there is."""
        return session.exec(select(Referral)).one()

    def read(self) -> AbstractContextManager[Session]:
        """A session for looking."""
        return reading(self.engine)

    def share(self, who: Identity | str, *emails: str) -> None:
        """Somebody sends invitations."""
        member_id = self.member(who).id
        with transaction(self.engine) as session:
            member = session.get_one(Member, member_id)
            referrals.share(session, self.shop, member, emails, new_key=self.keys, now=self.now)

    def reward_advocates(self, **terms: Any) -> None:
        """From now on advocates have 50 points and a code, at once."""
        terms = (
            DOCUMENT["referrals"] | {"advocate": {"points": 50, "reward": "ten_off"}, "hold_days": 0} | terms
        )
        with transaction(self.engine) as session:
            document = DOCUMENT | {"referrals": terms}
            programs.apply(session, self.shop.id or 0, document, author="t", now=NOW)

    def bring(self, email: str) -> None:
        """A file that was imported told of somebody."""
        who = self.member(email).id
        with transaction(self.engine) as session:
            told = {"file_name": "f", "digest": "d", "size": 1, "author": "x", "created_at": NOW}
            session.add(ImportBatch(id="b1", shop_id=self.shop.id or 0, mode="add", **told))
            session.flush()
            line = {"number": 1, "line": 2, "state": "done", "member_id": who}
            session.add(ImportRow(shop_id=self.shop.id or 0, batch_id="b1", **line))

    def reward(self, issue_id: str | None) -> RewardIssue:
        """A reward as it is now."""
        with self.read() as session:
            return session.get_one(RewardIssue, issue_id)

    def state(self, row: Referral) -> tuple[str, str, int]:
        """State and reason of a referral, and what the advocate has."""
        now = self.referral(row)
        with self.read() as session:
            return now.state, now.reason, session.get_one(Member, now.advocate_id).balance


def joined(who: Identity, at: datetime = INSTALLED) -> CustomerSeen:
    """Somebody made an account."""
    return CustomerSeen(who, "Ada", "Byron", "en", at, at)


def bought(
    who: Identity,
    order_id: int = 1,
    *,
    at: datetime,
    amount: str = "50",
    told: datetime | None = None,
    **said: Any,
) -> OrderSeen:
    """Somebody bought something, as it was read at Shopify."""
    read = said.pop("read", True)
    snapshot = order(
        line(amount, line_id=order_id),
        order_id=order_id,
        name=f"#{order_id}",
        created_at=at,
        updated_at=told or at,
        **said,
    )
    return OrderSeen(snapshot, who, authoritative=read)


@pytest.fixture(name="world")
def _world(engine: Engine, shop: Shop) -> World:
    with transaction(engine) as session:
        programs.apply(session, shop.id or 0, DOCUMENT, author="test", now=INSTALLED)
    world = World(engine, shop)
    world.hear(joined(ADA), joined(BO))
    return world


def friend_buys(world: World, order_id: int = 1, **said: Any) -> OrderSeen:
    """The friend's order by e-mail, a day after the claim."""
    return bought(Identity(None, FRIEND), order_id, at=NOW + timedelta(days=1), **said)


class TestClaim:
    """A friend takes up an offer."""

    @pytest.mark.acceptance("S1-34")
    def test_story(self, world: World) -> None:
        """The friend becomes a guest and gets a code that anybody may use once; the advocate has nothing yet."""
        row = world.claim()
        friend = world.member(FRIEND)
        assert (friend.state, friend.balance) == ("guest", 0)
        assert world.state(row) == ("claimed", "", 0)
        with world.read() as session:
            issue = session.get_one(RewardIssue, world.referral(row).friend_issue_id)
        assert (issue.member_id, issue.state, issue.bound, issue.given_for) == (
            friend.id,
            "issuing",
            False,
            "referral",
        )

    def test_again(self, world: World) -> None:
        """The same friend's claim of the same offer is the same referral, with the same code."""
        first, second = world.claim(), world.claim()
        assert first.id == second.id
        with world.read() as session:
            assert len(session.exec(select(RewardIssue)).all()) == 1

    @pytest.mark.parametrize("email", ["ada@fernandfig.shop", "ada+friend@fernandfig.shop"])
    def test_oneself(self, world: World, email: str) -> None:
        """Nobody refers themselves, by their own address or by a spelling of it."""
        row = world.claim(email)
        assert world.state(row) == ("blocked", "self", 0)
        assert row.friend_issue_id is None

    def test_existing_customer(self, world: World) -> None:
        """Whoever ordered before is no new friend, also when it was as a guest and became known later."""
        world.hear(bought(Identity(None, "di@fernandfig.shop"), 9, at=NOW - timedelta(days=3)))
        assert world.state(world.claim("di@fernandfig.shop"))[:2] == ("blocked", "existing_customer")
        assert world.state(world.claim(BO.email or ""))[:2] == ("blocked", "existing_customer")
        row = world.claim()
        world.hear(friend_buys(world), bought(Identity(None, FRIEND), 8, at=NOW - timedelta(days=3)))
        assert world.state(row) == ("blocked", "existing_customer", 0)

    def test_new_account(self, world: World) -> None:
        """Whoever made an account a moment before is still new."""
        world.hear(joined(Identity(7003, FRIEND), NOW - timedelta(minutes=5)))
        assert world.state(world.claim())[0] == "claimed"

    def test_taken(self, world: World) -> None:
        """A friend whom somebody else brought is brought once; a claim that was blocked takes nobody's place."""
        first, second = world.claim(), world.claim(of=BO)
        assert (world.state(first)[0], world.state(second)[:2]) == ("claimed", ("blocked", "duplicate"))
        world.claim("ada+1@fernandfig.shop")
        assert world.state(world.claim("ada+1@fernandfig.shop", of=BO))[0] == "claimed"

    def test_clocks(self, world: World) -> None:
        """A claim that was recorded later is the later one, though the clock of whoever took it goes behind."""
        first = world.claim()
        world.now -= timedelta(seconds=2)
        assert world.state(world.claim(of=BO))[:2] == ("blocked", "duplicate")
        assert world.state(first)[0] == "claimed"

    def test_device(self, world: World) -> None:
        """The advocate's own device, and one that brought another friend, are recognised; a stranger's is not."""
        ada = world.member(ADA).id or 0
        for _ in range(2):
            with transaction(world.engine) as session:
                referrals.note_device(session, world.shop.id or 0, ada, "own", now=NOW)
        assert world.state(world.claim(device="own"))[:2] == ("blocked", "device")
        assert world.state(world.claim("di@fernandfig.shop", device="hers"))[0] == "claimed"
        stranger = world.claim("gus@fernandfig.shop", device="his", of=BO)
        unseen = world.claim("hal@fernandfig.shop", of=BO)
        told = [
            next(each for each in world.referral(row).checks if each["check"] == "device")
            for row in (stranger, unseen)
        ]
        assert [(each["result"], each["missing"]) for each in told] == [
            ("unknown", "advocate"), ("unknown", "friend"),
        ]  # fmt: skip
        assert world.state(world.claim("ed@fernandfig.shop", device="hers"))[:2] == ("blocked", "device")
        assert world.state(world.claim("flo@fernandfig.shop", of=BO, device="own"))[0] == "claimed"

    def test_refused(self, world: World) -> None:
        """A code that is nobody's, and a flood from one network, lead nowhere."""
        with pytest.raises(referrals.ReferralRefused) as unknown:
            world.claim(code="NOBODYS1")
        assert unknown.value.code == "unknown_code"
        for number in range(20):
            world.claim(f"friend{number}@fernandfig.shop", network="n")
        with pytest.raises(referrals.ReferralRefused) as flood:
            world.claim("friend99@fernandfig.shop", network="n")
        assert flood.value.code == "too_many"
        assert world.state(world.claim("friend99@fernandfig.shop", network="other"))[0] == "claimed"

    def test_switched_off(self, world: World) -> None:
        """A program without referrals takes no claim, and finishes those that it has."""
        row = world.claim()
        with transaction(world.engine) as session:
            programs.apply(
                session,
                world.shop.id or 0,
                DOCUMENT | {"referrals": DOCUMENT["referrals"] | {"enabled": False}},
                author="t",
                now=NOW,
            )
        with pytest.raises(referrals.ReferralRefused):
            world.claim("di@fernandfig.shop")
        world.hear(friend_buys(world))
        assert world.state(row)[0] == "ordered"

    @pytest.mark.parametrize(
        ("bounds", "why"),
        [
            ({"schedule": {"ends": (NOW - timedelta(days=2)).date().isoformat()}}, "out_of_schedule"),
            ({"tiers": ["gold"]}, "wrong_tier"),
        ],
    )
    def test_bounds(self, world: World, bounds: dict[str, Any], why: str) -> None:
        """On other days, and by members of other tiers, nobody is brought; who was brought before orders as ever."""
        row = world.claim()
        ladder = [{"key": "gold", "title": "Gold", "threshold": "1000.00"}]
        document = DOCUMENT | {"referrals": DOCUMENT["referrals"] | bounds, "tiers": {"ladder": ladder}}
        with transaction(world.engine) as session:
            programs.apply(session, world.shop.id or 0, document, author="t", now=NOW)
        assert world.claim().id == row.id
        with pytest.raises(referrals.ReferralRefused) as refused:
            world.claim("di@fernandfig.shop")
        assert refused.value.code == "no_referrals"
        with transaction(world.engine) as session:
            ada, emails = session.get_one(Member, world.member(ADA).id), ["di@fernandfig.shop"]
            with pytest.raises(referrals.ReferralRefused) as refused:
                referrals.share(session, world.shop, ada, emails, new_key=world.keys, now=world.now)
        assert refused.value.code == why
        world.hear(friend_buys(world))
        assert world.state(row)[0] == "ordered"


class TestCodes:
    """Whose a code is."""

    def test_given(self, world: World) -> None:
        """A code that was given counts as it is written; the one from the start is nobody's then."""
        ada = world.member(ADA)
        with transaction(world.engine) as session:
            session.get_one(Member, ada.id).referral_code = "Ada-20"
        with world.read() as session:
            found = referrals.advocate_of(session, world.shop.id or 0, " Ada-20 ")
            assert found is not None
            assert found.id == ada.id
            assert referrals.advocate_of(session, world.shop.id or 0, own_code(ada.id or 0)) is None

    def test_clash(self, world: World) -> None:
        """When somebody was given what would be another member's code, that member takes another one."""
        ada, bo = world.member(ADA), world.member(BO)
        with transaction(world.engine) as session:
            session.get_one(Member, bo.id).referral_code = own_code(ada.id or 0)
        with transaction(world.engine) as session:
            row = session.get_one(Member, ada.id)
            assert referrals.code_in_use(session, row) is None
            code = referrals.take_other_code(session, row)
        with world.read() as session:
            found = referrals.advocate_of(session, world.shop.id or 0, code)
            assert found is not None
            assert found.id == ada.id
            assert referrals.code_in_use(session, session.get_one(Member, ada.id)) == code

    def test_merged(self, world: World) -> None:
        """The code of an account that was merged goes on bringing friends to the account that is left."""
        code = own_code(world.member(BO).id or 0)
        world.hear(CustomersMerged(7001, 7002, NOW))
        row = world.claim(code=code)
        assert row.advocate_id == world.member(ADA).id

    def test_other_shop(self, world: World) -> None:
        """A code leads nowhere in another shop."""
        code = own_code(world.member(ADA).id or 0)
        with transaction(world.engine) as session:
            other = Shop(domain="other.myshopify.com", first_installed_at=NOW, installed_at=NOW)
            session.add(other)
            session.flush()
            assert referrals.advocate_of(session, other.id or 0, code) is None


class TestOrders:
    """The friend buys."""

    @pytest.mark.acceptance("S1-35", "S4-28")
    def test_hold(self, world: World) -> None:
        """The advocate's points are pending until the hold is over, and are dated at its end."""
        row = world.claim()
        world.hear(friend_buys(world))
        assert world.state(row) == ("ordered", "", 0)
        assert world.member(ADA).pending == 500
        world.pass_time(14)
        assert world.state(row) == ("ordered", "", 0)
        world.pass_time(30)
        assert world.state(row) == ("completed", "", 500)
        due = datetime.fromisoformat("2026-11-17T00:00:00+00:00")
        assert (world.referral(row).completed_at, world.member(ADA).pending) == (due, 0)
        assert [message.occurred_at for message in world.news("referral_completed")] == [due]
        self._sound(world)

    def test_by_code(self, world: World) -> None:
        """An order with the friend's code counts, whoever's e-mail it has; the code is not asked for where the e-mail is the friend's."""
        row = world.claim()
        world.issue(row.friend_issue_id, code="LAUREL-CY")
        world.hear(
            bought(
                Identity(None, "else@fernandfig.shop"),
                at=NOW + timedelta(days=1),
                discount_codes=("laurel-cy",),
            )
        )
        assert (world.state(row)[0], world.referral(row).order_id) == ("ordered", 1)

    def test_own_code_used(self, world: World) -> None:
        """An advocate who uses the friend's code is found out, and so is a customer of old."""
        row = world.claim()
        world.issue(row.friend_issue_id, code="LAUREL-CY")
        world.hear(bought(ADA, at=NOW + timedelta(days=1), discount_codes=("LAUREL-CY",)))
        assert world.state(row) == ("blocked", "self", 0)
        other = world.claim("di@fernandfig.shop")
        world.issue(other.friend_issue_id, code="LAUREL-DI")
        world.hear(bought(BO, 2, at=NOW + timedelta(days=1), discount_codes=("LAUREL-DI",)))
        assert world.state(other)[:2] == ("blocked", "existing_customer")

    def test_same_address(self, world: World) -> None:
        """A parcel to the advocate's own door blocks, also when a reading comes between that does not tell where it went."""
        row = world.claim()
        world.hear(bought(ADA, 5, at=NOW - timedelta(days=2), address_mark="abc123"))
        first = friend_buys(world, read=False, address_mark="abc123")
        world.hear(first, friend_buys(world, told=NOW + timedelta(days=2)))
        assert world.state(row) == ("blocked", "address", 0)
        second = world.claim("di@fernandfig.shop")
        di = Identity(None, "di@fernandfig.shop")
        world.hear(bought(di, 6, at=NOW + timedelta(days=1), address_mark="fff000"))
        assert world.state(second)[0] == "ordered"

    def test_unknown_address(self, world: World) -> None:
        """While no address is known of one of the two, the check says of whom; the first that becomes known is looked at at once."""
        row = world.claim()
        assert self._address(world, row) == ("unknown", "order")
        world.hear(friend_buys(world, read=False))
        assert self._address(world, row) == ("unknown", "friend")
        world.hear(friend_buys(world, read=False, told=NOW + timedelta(days=2), address_mark="abc123"))
        assert self._address(world, row) == ("unknown", "advocate")
        world.hear(bought(BO, 4, at=NOW - timedelta(days=2), address_mark="abc123"))
        world.hear(bought(ADA, 5, at=NOW - timedelta(days=2)))
        assert self._address(world, row) == ("unknown", "advocate")
        world.hear(bought(ADA, 5, at=NOW - timedelta(days=2), address_mark="abc123"))
        assert self._address(world, row) == ("failed", None)
        assert world.state(row) == ("blocked", "address", 0)

    def test_rewarded_before(self, world: World) -> None:
        """An address that becomes known after the member was rewarded takes nothing back."""
        row = world.claim()
        world.hear(friend_buys(world, address_mark="abc123"))
        world.pass_time(60)
        world.hear(bought(ADA, 5, at=NOW - timedelta(days=2), address_mark="abc123"))
        world.hear(friend_buys(world, told=NOW + timedelta(days=61), address_mark="abc123"))
        assert world.state(row) == ("completed", "", 500)
        assert self._address(world, row) == ("unknown", "advocate")

    def _address(self, world: World, row: Referral) -> tuple[str, str | None]:
        told = next(each for each in world.referral(row).checks if each["check"] == "address")
        return told["result"], told.get("missing")

    def test_refund_within(self, world: World) -> None:
        """Money back within the hold: nothing was posted, nothing is taken, and nothing comes later."""
        row = world.claim()
        world.hear(friend_buys(world))
        world.hear(friend_buys(world, refunded="50", told=NOW + timedelta(days=3)))
        assert world.state(row) == ("cancelled", "refunded", 0)
        world.pass_time(60)
        assert world.state(row) == ("cancelled", "refunded", 0)
        self._sound(world)

    def test_refund_after(self, world: World) -> None:
        """Money back after the hold: the points are taken back, once."""
        row = world.claim()
        world.hear(friend_buys(world))
        world.pass_time(60)
        gone = friend_buys(world, refunded="50", told=NOW + timedelta(days=70))
        world.hear(gone)
        world.hear(gone)
        assert world.state(row) == ("reversed", "refunded", 0)
        self._sound(world)

    def test_hearsay(self, world: World) -> None:
        """A webhook alone takes nothing back: the order is read first."""
        row = world.claim()
        world.hear(friend_buys(world))
        world.hear(friend_buys(world, cancelled=True, read=False, told=NOW + timedelta(days=3)))
        assert world.state(row)[0] == "ordered"
        assert [message.payload["order_id"] for message in world.news("reread_order")] == [1]
        world.pass_time(1)
        assert world.state(row) == ("ordered", "", 0)
        world.hear(friend_buys(world, cancelled=True, told=NOW + timedelta(days=4)))
        assert world.state(row) == ("cancelled", "refunded", 0)

    @pytest.mark.parametrize("turn", range(6))
    def test_any_order(self, world: World, turn: int) -> None:
        """Orders and refunds that become known in any order end at the same points."""
        row = world.claim()
        facts = [
            friend_buys(world),
            friend_buys(world, refunded="50", told=NOW + timedelta(days=3)),
            friend_buys(world, 2, amount="31", told=NOW + timedelta(days=4)),
        ]
        for fact in list(itertools.permutations(facts))[turn]:
            world.hear(fact)
        assert (world.state(row)[0], world.referral(row).order_id) == ("ordered", 2)
        world.pass_time(60)
        assert world.state(row) == ("completed", "", 500)
        self._sound(world)

    def test_limit(self, world: World) -> None:
        """More friends than the limit lets are blocked, and staff may let one through."""
        terms = DOCUMENT["referrals"] | {"limit": {"times": 1, "per": "month"}}
        with transaction(world.engine) as session:
            programs.apply(session, world.shop.id or 0, DOCUMENT | {"referrals": terms}, author="t", now=NOW)
        rows = [world.claim(f"friend{number}@fernandfig.shop") for number in range(2)]
        for number in range(2):
            who = Identity(None, f"friend{number}@fernandfig.shop")
            world.hear(bought(who, number + 1, at=NOW + timedelta(days=1)))
        assert [world.state(row)[:2] for row in rows] == [("ordered", ""), ("blocked", "limit")]
        world.rule(rows[1], "approved")
        world.pass_time(60)
        assert world.state(rows[1]) == ("completed", "", 1000)

    @pytest.mark.parametrize("lost_first", [True, False])
    def test_limit_set_free(self, world: World, lost_first: bool) -> None:
        """A friend whose order is returned takes up no place within the limit, whichever of the two is told first."""
        terms = DOCUMENT["referrals"] | {"limit": {"times": 1, "per": "month"}}
        with transaction(world.engine) as session:
            programs.apply(session, world.shop.id or 0, DOCUMENT | {"referrals": terms}, author="t", now=NOW)
        rows = [world.claim(f"friend{number}@fernandfig.shop") for number in range(2)]
        first, second = (Identity(None, f"friend{number}@fernandfig.shop") for number in range(2))
        day = NOW + timedelta(days=1)
        world.hear(bought(first, 1, at=day))
        facts = [
            bought(first, 1, at=day, refunded="50", told=day + timedelta(hours=2)),
            bought(second, 2, at=day),
        ]
        for fact in facts if lost_first else reversed(facts):
            world.hear(fact)
        assert [world.state(row)[:2] for row in rows] == [("cancelled", "refunded"), ("ordered", "")]
        world.pass_time(60)
        assert world.state(rows[1]) == ("completed", "", 500)
        self._sound(world)

    def _sound(self, world: World) -> None:
        with world.read() as session:
            assert list(verify(session, world.shop.id or 0)) == []
            for award in session.exec(select(AwardRow)).all():
                assert award.posted in (0, award.worth)


class TestStaff:
    """The word of staff."""

    def test_approve(self, world: World) -> None:
        """A blocked claim that is approved gives the friend the code; who said so, and when, is written down."""
        row = world.claim("ada+cy@fernandfig.shop")
        world.rule(row, "approved")
        now = world.referral(row)
        assert (now.state, now.ruled_by, now.ruled_at) == ("claimed", "staff:1", NOW)
        assert now.friend_issue_id is not None
        assert {check["check"]: check["result"] for check in now.checks}["self"] == "failed"

    def test_block(self, world: World) -> None:
        """A block takes the points back and ends the friend's code; approving later gives another code."""
        row = world.claim()
        world.issue(row.friend_issue_id)
        world.hear(friend_buys(world))
        world.pass_time(60)
        world.rule(row, "blocked")
        assert world.state(row) == ("reversed", "staff", 0)
        assert len(world.news("deactivate_code")) == 1
        world.rule(row, "approved")
        assert world.state(row) == ("completed", "", 500)
        assert world.referral(row).friend_issue_id != row.friend_issue_id

    def test_block_reward(self, world: World) -> None:
        """A block ends the advocate's code too, and approving later gives another one, once."""
        world.reward_advocates()
        row = world.claim()
        world.hear(friend_buys(world))
        first = world.referral(row).advocate_issue_id
        world.issue(first, code="LAUREL-ADA")
        world.rule(row, "blocked")
        assert (world.reward(first).state, world.state(row)) == ("cancelling", ("reversed", "staff", 0))
        world.rule(row, "approved")
        second = world.referral(row).advocate_issue_id
        assert (world.reward(second).state, world.state(row)) == ("issuing", ("completed", "", 50))
        world.hear(friend_buys(world, told=NOW + timedelta(days=2)))
        assert world.referral(row).advocate_issue_id == second != first

    def test_block_in_time(self, world: World) -> None:
        """A code that is only being made when its referral ends is dead as soon as it is there, and nobody hears of it as a success."""
        world.reward_advocates()
        row = world.claim()
        world.hear(friend_buys(world))
        world.rule(row, "blocked")
        issue_id = world.referral(row).advocate_issue_id
        world.issue(issue_id, code="LAUREL-ADA")
        assert world.reward(issue_id).state == "cancelling"
        assert (world.news("referral_completed"), len(world.news("deactivate_code"))) == ([], 1)

    def test_unknown(self, world: World) -> None:
        """What is not there cannot be ruled on."""
        with pytest.raises(referrals.ReferralRefused):
            world.rule(Referral(id=999), "approved")  # type: ignore[call-arg]  # its id is all that is asked


class TestMerges:
    """Two people turn out to be one."""

    def test_friend_was_customer(self, world: World) -> None:
        """A friend who turns out to be a customer of old takes the advocate's points back."""
        row = world.claim()
        world.hear(joined(Identity(7003, FRIEND), NOW + timedelta(hours=1)), friend_buys(world))
        world.pass_time(60)
        world.hear(bought(BO, 3, at=NOW - timedelta(days=5)), CustomersMerged(7002, 7003, world.now))
        assert world.state(row) == ("reversed", "existing_customer", 0)

    def test_friend_is_advocate(self, world: World) -> None:
        """A friend who turns out to be the advocate was nobody's friend."""
        row = world.claim()
        world.hear(joined(Identity(7003, FRIEND), NOW + timedelta(hours=1)), friend_buys(world))
        world.pass_time(60)
        world.hear(CustomersMerged(7001, 7003, world.now))
        assert world.state(row)[:2] == ("reversed", "self")
        assert world.member(ADA).balance == 0

    @pytest.mark.parametrize("kept", [7001, 7003])
    def test_buyer_is_advocate(self, world: World, kept: int) -> None:
        """Whoever used the friend's code and turns out to be the advocate has brought nobody."""
        row = world.claim()
        world.issue(row.friend_issue_id, code="LAUREL-CY")
        buyer = Identity(7003, "second@fernandfig.shop")
        first = bought(buyer, at=NOW + timedelta(days=1), discount_codes=("LAUREL-CY",))
        world.hear(joined(buyer, NOW + timedelta(hours=1)), first)
        world.pass_time(60)
        assert world.state(row) == ("completed", "", 500)
        world.hear(CustomersMerged(kept, 14004 - kept, world.now))
        assert world.state(row) == ("reversed", "self", 0)

    def test_undone(self, world: World) -> None:
        """A merge that was a mistake and is undone leaves the friend a friend, and the advocate with the points."""
        row = world.claim()
        world.hear(joined(Identity(7003, FRIEND), NOW + timedelta(hours=1)), friend_buys(world))
        world.pass_time(60)
        world.hear(CustomersMerged(7001, 7003, world.now))
        assert world.state(row)[:2] == ("reversed", "self")
        with transaction(world.engine) as session:
            merge_id = session.exec(select(MemberMerge.id)).one()
            merges.unmerge(session, world.shop, merge_id or 0, staff="staff:1", now=world.now)
        assert world.state(row) == ("completed", "", 500)

    @pytest.mark.parametrize("kept", [7003, 7004])
    def test_two_friends(self, world: World, kept: int) -> None:
        """Two friends who turn out to be one were brought once: by whoever was first."""
        rows = [world.claim("cy@fernandfig.shop")]
        world.now += timedelta(hours=1)
        rows.append(world.claim("di@fernandfig.shop", of=BO))
        for number, email in ((7003, "cy@fernandfig.shop"), (7004, "di@fernandfig.shop")):
            who = Identity(number, email)
            world.hear(joined(who, world.now), bought(who, number, at=NOW + timedelta(days=1)))
        world.pass_time(60)
        assert (world.member(ADA).balance, world.member(BO).balance) == (500, 500)
        world.hear(CustomersMerged(kept, 7007 - kept + 7000, world.now))
        assert [world.state(row)[:2] for row in rows] == [("completed", ""), ("reversed", "duplicate")]
        assert (world.member(ADA).balance, world.member(BO).balance) == (500, 0)

    def test_two_advocates(self, world: World) -> None:
        """Two advocates who turn out to be one keep the friends of both, and one reward for a friend whom both brought."""
        first = world.claim()
        world.hear(friend_buys(world))
        second = world.claim("di@fernandfig.shop", of=BO)
        di = Identity(None, "di@fernandfig.shop")
        world.hear(bought(di, 2, at=NOW + timedelta(days=1)))
        world.claim(of=BO)
        world.hear(CustomersMerged(7001, 7002, NOW))
        world.pass_time(60)
        assert [world.state(row)[0] for row in (first, second)] == ["completed", "completed"]
        assert world.member(ADA).balance == 1000


class TestNews:
    """What Klaviyo is told."""

    @pytest.mark.acceptance("S3-42", "S3-43", "S3-57", "S0-14")
    def test_shared(self, world: World) -> None:
        """An invitation is told to the member and to the friend, once, and names neither by address."""
        world.share(ADA, FRIEND, "ada+x@fernandfig.shop", BO.email or "")
        world.share(ADA, FRIEND)
        (shared,), (received,) = world.news("referral_shared"), world.news("referral_received")
        ada, friend = world.member(ADA), world.member(FRIEND)
        assert (shared.member_id, shared.payload["about_member"]) == (ada.id, friend.id)
        assert (received.member_id, received.payload["about_member"]) == (friend.id, ada.id)
        code = own_code(ada.id or 0)
        assert received.payload["referral_link"] == f"https://{world.shop.domain}/?ref={code}"
        assert received.payload["reward_title"] == "$10 off"
        assert "coupon_code" not in received.payload
        assert "@" not in str(received.payload) + str(shared.payload)

    @pytest.mark.acceptance("S3-44", "S0-15", "S1-28", "S1-29", "S1-32", "S1-33", "S4-27")
    def test_accepted(self, world: World) -> None:
        """The friend hears of the code when it is there, and not before; a repeat tells nothing."""
        world.share(ADA, FRIEND)
        row = world.claim()
        assert world.referral(row).shared_at == NOW
        assert world.news("referral_accepted") == []
        world.issue(row.friend_issue_id, code="LAUREL-CY")
        world.issue(row.friend_issue_id, code="LAUREL-CY")
        (told,) = world.news("referral_accepted")
        assert told.member_id == world.member(FRIEND).id
        said = ("coupon_code", "reward_title", "reward_for", "about_member")
        assert [told.payload[name] for name in said] == [
            "LAUREL-CY",
            "$10 off",
            "friend",
            world.member(ADA).id,
        ]

    @pytest.mark.acceptance("S3-45", "S1-36", "S1-39", "S1-40")
    @pytest.mark.parametrize("fails", ["", "refused", "by a person"])
    def test_completed_with_reward(self, world: World, *, fails: str) -> None:
        """An advocate who gets a code hears of it when it is there; when it is not made, be it by the word of staff, of the completion alone."""
        world.reward_advocates()
        row = world.claim()
        world.hear(friend_buys(world))
        assert world.state(row) == ("completed", "", 50)
        assert world.news("referral_completed") == []
        issue_id = world.referral(row).advocate_issue_id
        if fails == "by a person":
            with transaction(world.engine) as session:
                issue = session.get_one(RewardIssue, issue_id)
                issue.failure = GIVEN_UP
                give_back(session, world.shop, issue, now=world.now)
        elif fails:
            world.hear(RewardFailed(issue_id or "", "refused", world.now))
        else:
            world.issue(issue_id, code="LAUREL-ADA")
        (told,) = world.news("referral_completed")
        assert told.member_id == world.member(ADA).id
        assert told.payload.get("coupon_code") == (None if fails else "LAUREL-ADA")
        assert (told.payload["points"], told.payload["reward_for"]) == (50, "customer")
        assert told.payload["about_member"] == world.member(FRIEND).id


class TestLimits:
    """Nobody mails the world."""

    @pytest.mark.parametrize("number", [11, 51])
    def test_too_many(self, world: World, number: int) -> None:
        """Ten at once and fifty a day are enough."""
        emails = [f"friend{n}@fernandfig.shop" for n in range(number)]
        for start in range(0, number - 10, 10):
            world.share(ADA, *emails[start : start + 10])
        with pytest.raises(referrals.ReferralRefused) as refused:
            world.share(ADA, *(emails[50:] or emails))
        assert refused.value.code == "too_many"

    def test_guests(self, world: World) -> None:
        """Who has no account invites nobody."""
        world.hear(bought(Identity(None, "guest@fernandfig.shop"), at=NOW))
        with pytest.raises(referrals.ReferralRefused) as refused:
            world.share("guest@fernandfig.shop", FRIEND)
        assert refused.value.code == "not_available"


class TestForgetting:
    """A person is erased."""

    def test_forget(self, world: World) -> None:
        """Devices, networks and marks of addresses go and do not come back, the referral and its points stay."""
        row = world.claim(device="d", network="n")
        world.hear(friend_buys(world, address_mark="abc123"))
        with transaction(world.engine) as session:
            referrals.forget(session, [row.friend_id])
            session.get_one(Member, row.friend_id).state = "redacted"
        world.hear(friend_buys(world, read=False, told=NOW + timedelta(days=2), address_mark="abc123"))
        with world.read() as session:
            assert "address_mark" not in session.exec(select(OrderStanding)).one().snapshot
            assert session.exec(select(MemberDevice)).all() == []
        now = world.referral(row)
        assert (now.device, now.network, now.state) == (None, None, "ordered")

    def test_invitations(self, world: World) -> None:
        """An address that somebody typed is not kept for ever; whoever became anything more than invited stays known."""
        world.share(ADA, FRIEND, "di@fernandfig.shop", "ed@fernandfig.shop", "flo@fernandfig.shop")
        world.share(BO, "flo@fernandfig.shop")
        world.claim()
        world.hear(bought(Identity(None, "di@fernandfig.shop"), at=NOW))
        world.bring("ed@fernandfig.shop")
        for days, left in ((89, 5), (91, 1)):
            with transaction(world.engine) as session:
                referrals.forget_invitations(session, now=NOW + timedelta(days=days))
            with world.read() as session:
                assert len(session.exec(select(Referral)).all()) == left
        with world.read() as session:
            known = {member.email for member in session.exec(select(Member)).all()}
        assert known == {ADA.email, BO.email, FRIEND, "di@fernandfig.shop", "ed@fernandfig.shop", None}

    def test_advocate_erased(self, world: World) -> None:
        """Nobody is rewarded in an erased person's name, and the calendar does not come back to it for ever."""
        row = world.claim()
        world.hear(friend_buys(world))
        with transaction(world.engine) as session:
            session.get_one(Member, row.advocate_id).state = "redacted"
        world.pass_time(60)
        assert world.state(row) == ("cancelled", "advocate_gone", 0)
        with world.read() as session:
            assert referrals.shops_with_due(session, at=world.now) == []


class TestSending:
    """Names are read when a message is sent."""

    def test_about(self, world: World) -> None:
        """A message carries the other person as they are now, and nobody once they are erased."""
        world.share(ADA, FRIEND)
        with transaction(world.engine) as session:
            session.get_one(Member, world.referral_of(session).advocate_id).first_name = "Adalind"
        sent = {message.kind: message for message in self._claimed(world)}
        received, shared = sent["referral_received"], sent["referral_shared"]
        assert received.about is not None
        assert (received.about.first_name, received.about.email) == ("Adalind", ADA.email)
        assert shared.about is not None
        assert shared.about.email == FRIEND
        with transaction(world.engine) as session:
            friend = session.get_one(Member, world.referral_of(session).friend_id)
            friend.state, friend.email = "redacted", None
        world.now += timedelta(hours=1)
        assert {m.kind: m.about for m in self._claimed(world)}["referral_shared"] is None

    def _claimed(self, world: World) -> list[Message]:
        with transaction(world.engine) as session:
            return outbox.claim(
                session, world.shop.id or 0, "klaviyo", limit=50, lease=timedelta(minutes=1), now=world.now
            )


class TestCalendar:
    """Time completes referrals."""

    @pytest.mark.parametrize("days", [1, 45, 90])
    def test_any_step(self, world: World, days: int) -> None:
        """However often the calendar is run, a referral completes as of the end of its hold, and a blocked one never does."""
        expiry = {"expiry": {"kind": "inactivity", "months": 1, "warning_days": 7}}
        with transaction(world.engine) as session:
            programs.apply(session, world.shop.id or 0, DOCUMENT | expiry, author="t", now=INSTALLED)
        row = world.claim()
        world.hear(friend_buys(world))
        other = world.claim("di@fernandfig.shop", of=BO)
        di = Identity(None, "di@fernandfig.shop")
        world.hear(bought(di, 2, at=NOW + timedelta(days=1), address_mark="abc123"))
        world.hear(bought(BO, 3, at=NOW + timedelta(days=2), address_mark="abc123"))
        with world.read() as session:
            assert calendar.shops_with_due(session, now=NOW + timedelta(days=20)) == [world.shop.id]
        for day in range(days, 91, days):
            world.now = NOW + timedelta(days=day)
            pass_time(world.engine, world.shop, world.now)
        due = datetime.fromisoformat("2026-11-17T00:00:00+00:00")
        assert world.referral(row).completed_at == due
        # A month after the points came they end again: the month begins with the end of the hold.
        assert self._movements(world, ADA) == [
            (500, due),
            (-500, datetime.fromisoformat("2026-12-17T00:00:00+00:00")),
        ]
        assert world.state(other)[:2] == ("blocked", "address")
        assert self._movements(world, BO) == []

    def test_troubled(self, world: World, runtime: Runtime) -> None:
        """A referral with which something is wrong holds up neither the others nor the calendar."""
        bad = world.claim()
        good = world.claim("di@fernandfig.shop", of=BO)
        di = Identity(None, "di@fernandfig.shop")
        world.hear(friend_buys(world), bought(di, 2, at=NOW + timedelta(days=1)))
        with transaction(world.engine) as session:
            session.get_one(Referral, bad.id).program_version = 1  # whose program knows no referrals
        world.now += timedelta(days=30)
        runtime = Runtime(world.engine, runtime.cipher, runtime.nudge, lambda: world.now)
        calendar.run(runtime, world.shop.id or 0, at=world.now)
        assert world.state(good) == ("completed", "", 500)
        assert world.state(bad)[0] == "ordered"

    def _movements(self, world: World, who: Identity) -> list[tuple[int, datetime]]:
        member_id = world.member(who).id
        with world.read() as session:
            mine = select(LedgerEntry).where(LedgerEntry.member_id == member_id)
            rows = session.exec(mine.order_by(col(LedgerEntry.position))).all()
            return [(entry.points, entry.occurred_at) for entry in rows]
