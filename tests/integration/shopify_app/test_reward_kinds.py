"""Rewards of every kind, from points to Shopify and back, over real HTTP and on both databases: each is made once, though replies are lost."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import select

from loyalty import points, programs, redemption
from loyalty.book import Book
from loyalty.core.facts import RewardRequested
from loyalty.models import LedgerEntry, Member, OutboxMessage, RewardIssue, Shop
from shopify_app.reward_codes import title_of

SCOPES = ["write_gift_cards", "read_store_credit_accounts", "write_store_credit_account_transactions"]
PRICE = 500
CREATED_BY = {
    "free_shipping": "discountCodeFreeShippingCreate",
    "gift_card": "giftCardCreate",
    "store_credit": "storeCreditAccountCredit",
}
CODES = ("amount", "percentage", "shipping", "product", "steps", "plants")


def document(variant_id: int, collection_id: int) -> dict[str, Any]:
    """A program with a reward of every kind."""
    listed = {"points": PRICE}
    plants = {"kind": "percentage_off", "percentage": "50", "collections": [collection_id]}
    rewards = [
        {"key": "amount", "title": "$5 off", "amount": "5.00", "code_prefix": "FERN"},
        {"key": "percentage", "title": "10% off", "kind": "percentage_off", "percentage": "10"},
        {"key": "shipping", "title": "Free shipping", "kind": "free_shipping"},
        {"key": "product", "title": "A fern", "kind": "free_product", "variant_id": variant_id},
        {"key": "steps", "title": "As you like", "kind": "incremental", "points": 100, "amount": "1.00"},
        {"key": "plants", "title": "Half a plant", **plants},
        {"key": "card", "title": "$10 card", "kind": "gift_card", "amount": "10.00"},
        {"key": "credit", "title": "$5 credit", "kind": "store_credit", "amount": "5.00"},
        {"key": "brief", "title": "$3 soon", "amount": "3.00", "expires_after_days": 5},
    ]
    return {
        "points": {"one": "leaf", "many": "leaves"},
        "timezone": "America/New_York",
        "rewards": [listed | reward for reward in rewards],
    }


class Counter:
    """Hands out issue ids and keys that are the test's own."""

    def __init__(self, store: Any, customer: int) -> None:
        self.store, self.customer, self.asked = store, customer, 0

    def ask(self, reward: str, points: int | None = None) -> str:
        """The member asks for a reward; its id."""
        self.asked += 1
        now = self.store.runtime.clock()
        wanted = RewardRequested(reward, f"key-{self.asked}", f"issue{self.asked:04}", now, points)
        with self.store.runtime.transaction() as session:
            shop = session.get_one(Shop, self.store.shop().id)
            member = session.get_one(Member, self.store.member(self.customer).id)
            return redemption.request_reward(session, shop, member, wanted, now=now).id

    @property
    def balance(self) -> int:
        """The member's points."""
        return int(self.store.member(self.customer).balance)


@pytest.fixture
def rich(store) -> Counter:
    """A customer with 10,000 points more than what the test looks at, in a shop that offers everything."""
    customer = store.sign_up()
    store.act("POST", "/scopes", add=SCOPES)
    fern = next(item for item in store.act("GET", "/products")["products"] if item["handle"] == "boston-fern")
    wanted = document(fern["variant_id"], fern["collections"][0]["id"])
    store.buy("10000.00", customer=customer)
    store.settle()
    with store.runtime.transaction() as session:
        programs.apply(session, store.shop().id, wanted, author="test", now=store.runtime.clock())
    return Counter(store, customer)


def get(store: Any, issue_id: str) -> RewardIssue:
    """A reward as it is now."""
    with store.runtime.reading() as session:
        return session.get_one(RewardIssue, issue_id)


def change(store: Any, issue_id: str, **values: Any) -> None:
    """Let a reward be as if something had happened earlier."""
    with store.runtime.transaction() as session:
        row = session.get_one(RewardIssue, issue_id)
        for name, value in values.items():
            setattr(row, name, value)


def hurry(store: Any) -> None:
    """Let every wait be over."""
    with store.runtime.transaction() as session:
        for row in session.exec(select(OutboxMessage).where(OutboxMessage.state == "due")).all():
            row.due_at = store.runtime.clock()


def lose(store: Any, mutation: str, *, before: bool = False) -> None:
    """The next answer to this mutation is lost, after it was carried out or before."""
    store.switch("/faults", place="graphql", kind="reset_before" if before else "reset_after", match=mutation)


def discount(store: Any, issue_id: str) -> dict[str, Any]:
    """The one discount of a reward."""
    wanted = title_of(get(store, issue_id))
    (found,) = [row for row in store.act("GET", "/discounts")["discounts"] if row["title"] == wanted]
    return dict(found)


def credits(store: Any, customer: int) -> list[str]:  # noqa: A001  # what they are
    """The amounts of store credit that a customer was given."""
    accounts = store.act("GET", f"/customers/{customer}/store_credit")["accounts"]
    return [move["amount"] for account in accounts for move in account["moves"]]


def refused(store: Any, **order: Any) -> str:
    """Why an order is not taken."""
    address = f"{store.sandbox.url}/_sandbox/shops/{store.domain}/orders"
    response = store.http.post(address, json=order, timeout=30)
    assert response.status_code == 422
    return str(response.json()["error"])


class TestCodes:
    """The kinds that are discount codes."""

    @pytest.mark.parametrize("reward", CODES)
    @pytest.mark.parametrize("lost", ["nothing", "answer", "asking"])
    def test_once(self, store, rich, reward, lost):
        """Whatever is lost on the way, there is one discount, told once, and the points went once."""
        before = rich.balance
        if lost != "nothing":
            made_by = CREATED_BY.get(reward_kind(reward), "discountCodeBasicCreate")
            lose(store, made_by, before=lost == "asking")
        issue_id = rich.ask(reward)
        store.settle()
        hurry(store)
        store.settle()
        row = get(store, issue_id)
        assert (row.state, row.failure) == ("issued", None)
        assert discount(store, issue_id)["code"] == row.code
        assert row.discount_id == discount(store, issue_id)["admin_graphql_api_id"]
        assert before - rich.balance == row.points

    @pytest.mark.parametrize(
        ("reward", "lines", "total"),
        [
            ("amount", [{"price": "40.00"}], "35.00"),
            ("percentage", [{"price": "40.00"}], "36.00"),
            ("shipping", [{"price": "40.00"}], "40.00"),
            ("product", [{"product": "boston-fern", "quantity": 2}], "28.00"),
            ("plants", [{"product": "boston-fern"}, {"price": "40.00"}], "54.00"),
        ],
    )
    def test_worth(self, store, rich, reward, lines, total):
        """At the checkout each code does what its reward says, for this customer alone and once."""
        issue_id = rich.ask(reward)
        store.settle()
        code = get(store, issue_id).code
        wanted = {"lines": lines, "code": code, "shipping": "7.00"}
        assert refused(store, email="bo@fernandfig.shop", **wanted) == "discount_not_yours"
        order = store.buy(customer=rich.customer, **wanted)
        expected = Decimal(total) + (0 if reward == "shipping" else 7)
        assert Decimal(order["total"]) == expected
        assert refused(store, customer=rich.customer, **wanted) == "discount_used"

    def test_steps(self, store, rich):
        """A member who spends more steps gets a code for more."""
        before = rich.balance
        issue_id = rich.ask("steps", points=700)
        store.settle()
        row = get(store, issue_id)
        assert (before - rich.balance, row.amount) == (700, Decimal("7.00"))
        order = store.buy("40.00", customer=rich.customer, code=row.code)
        assert Decimal(order["total"]) == Decimal("33.00")

    def test_prefix(self, store, rich):
        """A code begins as the program says, and is no other reward's."""
        one, two = rich.ask("amount"), rich.ask("amount")
        store.settle()
        codes = {get(store, issue_id).code for issue_id in (one, two)}
        assert len(codes) == 2
        assert all(code.startswith("FERN-") and len(code) == 17 for code in codes)

    def test_product_gone(self, store, rich):
        """A free product that the shop no longer has costs nothing."""
        before = rich.balance
        wanted = document(1, 1)
        with store.runtime.transaction() as session:
            programs.apply(session, store.shop().id, wanted, author="test", now=store.runtime.clock())
        issue_id = rich.ask("product")
        store.settle()
        assert (get(store, issue_id).state, get(store, issue_id).failure) == ("failed", "product_is_gone")
        assert rich.balance == before

    def test_terms_not_understood(self, store, rich):
        """A reward whose terms nobody understands any more is not guessed at: its points come back."""
        before = rich.balance
        issue_id = rich.ask("percentage")
        change(store, issue_id, terms={"kind": "percentage_off", "per_cent": "10"})
        store.settle()
        assert (get(store, issue_id).state, get(store, issue_id).failure) == (
            "failed",
            "terms_not_understood",
        )
        assert rich.balance == before

    def test_used_though_cancelled(self, store, rich):
        """An order that used the code and was cancelled has used it: Shopify takes it no second time."""
        issue_id = rich.ask("amount")
        store.settle()
        order = store.buy("40.00", customer=rich.customer, code=get(store, issue_id).code)
        store.act("POST", f"/orders/{order['id']}/cancel")
        store.settle()
        row = get(store, issue_id)
        assert (row.state, row.used_order_id) == ("used", order["id"])


class TestGiftCard:
    """Rewards that are gift cards."""

    @pytest.mark.parametrize("lost", ["nothing", "answer", "asking"])
    def test_once(self, store, rich, lost):
        """There is one card with the reward's code, for this customer, and it is worth what was paid for."""
        if lost != "nothing":
            lose(store, "giftCardCreate", before=lost == "asking")
        issue_id = rich.ask("card")
        for _ in range(3):
            store.settle()
            hurry(store)
        row = get(store, issue_id)
        (card,) = store.act("GET", "/gift_cards")["gift_cards"]
        assert row.state == "issued"
        assert (row.code.lower(), row.discount_id) == (card["code"], card["admin_graphql_api_id"])
        assert (card["initial"], card["customer_id"], card["note"]) == ("10.00", rich.customer, title_of(row))
        assert row.code.isalnum()
        assert 8 <= len(row.code) <= 20

    def test_no_right(self, store, rich):
        """Without the right to make cards the points come back."""
        before = rich.balance
        store.act("POST", "/scopes", remove=["write_gift_cards"])
        issue_id = rich.ask("card")
        store.settle()
        assert (get(store, issue_id).state, get(store, issue_id).failure) == ("failed", "access_denied")
        assert rich.balance == before


class TestStoreCredit:
    """Rewards that are store credit, which knows no key."""

    def test_paid(self, store, rich):
        """The customer is paid once, and the reward knows by what."""
        issue_id = rich.ask("credit")
        store.settle()
        row = get(store, issue_id)
        assert (row.state, row.code, credits(store, rich.customer)) == ("issued", None, ["5.00"])
        assert row.discount_id.startswith("gid://shopify/StoreCreditAccountCreditTransaction/")

    def test_answer_lost(self, store, rich):
        """A payment whose answer was lost is found, and not made again."""
        lose(store, "storeCreditAccountCredit")
        issue_id = rich.ask("credit")
        store.settle()
        assert get(store, issue_id).state == "issuing"
        hurry(store)
        store.settle()
        assert (get(store, issue_id).state, credits(store, rich.customer)) == ("issued", ["5.00"])

    def test_asking_lost(self, store, rich):
        """What was never paid is paid, but only when the lost asking can no longer be carried out."""
        lose(store, "storeCreditAccountCredit", before=True)
        issue_id = rich.ask("credit")
        store.settle()
        hurry(store)
        store.settle()
        (message,) = store.outbox("issue_reward")
        assert (get(store, issue_id).state, message.error) == ("issuing", "not_settled_yet")
        change(store, issue_id, asked_at=store.runtime.clock() - timedelta(minutes=2))
        hurry(store)
        store.settle()
        assert (get(store, issue_id).state, credits(store, rich.customer)) == ("issued", ["5.00"])

    def test_worker_killed(self, store, rich):
        """A process that died after asking leaves what the next one needs to find the payment."""
        issue_id = rich.ask("credit")
        store.settle()
        (message,) = store.outbox("issue_reward")
        change(store, issue_id, state="issuing", discount_id=None, issued_at=None)
        with store.runtime.transaction() as session:
            session.get_one(OutboxMessage, message.id).state = "due"
        hurry(store)
        store.settle()
        assert (get(store, issue_id).state, credits(store, rich.customer)) == ("issued", ["5.00"])

    def test_earlier_credit(self, store, rich):
        """A credit of the same amount from before the asking is not taken for the reward's."""
        store.act("POST", f"/customers/{rich.customer}/store_credit", amount="5.00")
        lose(store, "storeCreditAccountCredit", before=True)
        issue_id = rich.ask("credit")
        store.settle()
        change(store, issue_id, asked_at=store.runtime.clock() - timedelta(minutes=2))
        hurry(store)
        store.settle()
        assert (get(store, issue_id).state, credits(store, rich.customer)) == ("issued", ["5.00", "5.00"])

    def test_one_at_a_time(self, store, rich):
        """While one credit is not settled no other is asked for: they could not be told apart."""
        lose(store, "storeCreditAccountCredit")
        first = rich.ask("credit")
        store.settle()
        second = rich.ask("credit")
        store.settle()
        assert (get(store, first).asked_at is None, get(store, second).asked_at is None) == (False, True)
        for _ in range(3):
            hurry(store)
            store.settle()
        assert {get(store, issue_id).state for issue_id in (first, second)} == {"issued"}
        assert credits(store, rich.customer) == ["5.00", "5.00"]
        assert get(store, first).discount_id != get(store, second).discount_id

    def test_not_overdue(self, store, rich):
        """Points for credit that may have been paid do not come back by themselves, until it is known that it was not."""
        before = rich.balance
        lose(store, "storeCreditAccountCredit", before=True)
        issue_id = rich.ask("credit")
        store.settle()
        yesterday = store.runtime.clock() - timedelta(days=2)
        change(store, issue_id, created_at=yesterday, asked_at=yesterday)
        with store.runtime.transaction() as session:
            shop = session.get_one(Shop, store.shop().id)
            redemption.return_overdue(session, shop, now=store.runtime.clock())
        assert (get(store, issue_id).state, rich.balance) == ("issuing", before - PRICE)
        hurry(store)
        store.settle()
        assert (get(store, issue_id).state, rich.balance) == ("failed", before)
        assert credits(store, rich.customer) == []

    @pytest.mark.parametrize("scope", SCOPES[1:])
    def test_no_right(self, store, rich, scope):
        """Without the right to pay, or to look whether something was paid, nothing is paid and the points come back."""
        before = rich.balance
        store.act("POST", "/scopes", remove=[scope])
        issue_id = rich.ask("credit")
        store.settle()
        assert (get(store, issue_id).failure, rich.balance) == ("access_denied", before)
        assert credits(store, rich.customer) == []


class TestUnclear:
    """Store credit that only a person can tell apart."""

    @pytest.fixture
    def unclear(self, store, rich) -> tuple[str, int]:
        """The answer was lost, and the merchant gave the same amount by hand at that moment."""
        before = rich.balance
        lose(store, "storeCreditAccountCredit")
        issue_id = rich.ask("credit")
        store.settle()
        store.act("POST", f"/customers/{rich.customer}/store_credit", amount="5.00")
        hurry(store)
        store.settle()
        return issue_id, before

    def decide(self, store, issue_id: str, decision: Any) -> None:
        """A person decides, and what follows happens."""
        with store.runtime.transaction() as session:
            shop = session.get_one(Shop, store.shop().id)
            decision(session, shop, session.get_one(RewardIssue, issue_id), now=store.runtime.clock())
        store.settle()

    def test_left_alone(self, store, rich, unclear):
        """Nothing is paid and nothing given back, however often the message is sent again."""
        issue_id, before = unclear
        (message,) = store.outbox("issue_reward")
        with store.runtime.transaction() as session:
            session.get_one(OutboxMessage, message.id).state = "due"
        hurry(store)
        store.settle()
        assert points.waits_for_a_person(get(store, issue_id))
        assert get(store, issue_id).failure == "several_credits_alike"
        assert (rich.balance, credits(store, rich.customer)) == (before - PRICE, ["5.00", "5.00"])

    def test_paid(self, store, rich, unclear):
        """A person who sees the credit says so."""
        issue_id, before = unclear
        self.decide(store, issue_id, points.say_paid)
        assert (get(store, issue_id).state, get(store, issue_id).failure) == ("issued", None)
        assert rich.balance == before - PRICE

    def test_given_back(self, store, rich, unclear):
        """A person gives the points back, once."""
        issue_id, before = unclear
        self.decide(store, issue_id, points.give_back)
        assert (get(store, issue_id).state, rich.balance) == ("failed", before)
        with pytest.raises(points.NotWaiting):
            self.decide(store, issue_id, points.give_back)

    def test_paid_again(self, store, rich, unclear):
        """A person has it paid again."""
        issue_id, _ = unclear
        self.decide(store, issue_id, points.make_again)
        assert get(store, issue_id).state == "issued"
        assert credits(store, rich.customer) == ["5.00"] * 3


class TestCancel:
    """Taking an unused reward back."""

    def cancel(self, store, issue_id: str) -> None:
        """Staff takes a reward back."""
        with store.runtime.transaction() as session:
            shop = session.get_one(Shop, store.shop().id)
            issue = session.get_one(RewardIssue, issue_id)
            redemption.cancel(session, shop, issue, by="Staff member 7", now=store.runtime.clock())

    @pytest.mark.parametrize("reward", [*CODES, "card"])
    def test_unused(self, store, rich, reward):
        """The code dies, the points return by an entry of their own, and a second time changes nothing."""
        before = rich.balance
        issue_id = rich.ask(reward)
        store.settle()
        self.cancel(store, issue_id)
        self.cancel(store, issue_id)
        assert get(store, issue_id).state == "cancelling"
        store.settle()
        assert (get(store, issue_id).state, rich.balance) == ("cancelled", before)
        entries = store.rows(LedgerEntry, source_kind="reward")
        assert [row.kind for row in entries] == ["redeem", "return"]
        assert entries[1].why == {"because": "cancelled by Staff member 7"}
        if reward == "card":
            (card,) = store.act("GET", "/gift_cards")["gift_cards"]
            assert card["disabled_at"] is not None
        else:
            assert discount(store, issue_id)["status"] == "EXPIRED"

    def test_answer_lost(self, store, rich):
        """A deactivation whose answer was lost is asked for again, and the points return once."""
        before = rich.balance
        issue_id = rich.ask("amount")
        store.settle()
        store.switch("/faults", place="graphql", kind="reset_after", match="discountCodeDeactivate", times=4)
        self.cancel(store, issue_id)
        store.settle()
        assert get(store, issue_id).state == "cancelling"
        hurry(store)
        store.settle()
        hurry(store)
        store.settle()
        assert (get(store, issue_id).state, rich.balance) == ("cancelled", before)

    def test_used_meanwhile(self, store, rich):
        """Whoever used the code while it was being cancelled has spent the points."""
        before = rich.balance
        issue_id = rich.ask("amount")
        store.settle()
        self.cancel(store, issue_id)
        order = store.buy("40.00", customer=rich.customer, code=get(store, issue_id).code, silent=True)
        store.settle()
        assert (get(store, issue_id).state, rich.balance) == ("used", before - PRICE)
        store.act("POST", f"/orders/{order['id']}/fulfill")
        store.settle()
        assert get(store, issue_id).used_order_id == order["id"]

    def test_use_counted_late(self, store, rich):
        """A use that Shopify had not counted yet shows when the order comes: the points that came back go again."""
        before = rich.balance
        issue_id = rich.ask("amount")
        store.settle()
        store.switch("/limits", usage_count_lag_seconds=3600)
        order = store.buy("40.00", customer=rich.customer, code=get(store, issue_id).code, silent=True)
        self.cancel(store, issue_id)
        store.settle()
        assert (get(store, issue_id).state, rich.balance) == ("cancelled", before)
        store.act("POST", f"/orders/{order['id']}/fulfill")
        store.settle()
        assert get(store, issue_id).state == "used"
        earned_less_price = [row.points for row in store.rows(LedgerEntry, source_kind="reward")]
        assert earned_less_price == [-PRICE, PRICE, -PRICE]

    def test_spent_card(self, store, rich):
        """A gift card of which something is spent stays, and its points too."""
        before = rich.balance
        issue_id = rich.ask("card")
        store.settle()
        store.act("POST", f"/gift_cards/{get(store, issue_id).code}/spend", amount="1.00")
        self.cancel(store, issue_id)
        store.settle()
        (card,) = store.act("GET", "/gift_cards")["gift_cards"]
        assert (get(store, issue_id).state, card["disabled_at"], rich.balance) == (
            "used",
            None,
            before - PRICE,
        )

    def test_refused(self, store, rich):
        """Store credit is money in the customer's hands, and what is used is used."""
        credit, code = rich.ask("credit"), rich.ask("amount")
        store.settle()
        store.buy("40.00", customer=rich.customer, code=get(store, code).code)
        store.settle()
        for issue_id, why in ((credit, "store_credit"), (code, "used")):
            with pytest.raises(redemption.CancelRefused, match=why):
                self.cancel(store, issue_id)


class TestGifts:
    """Rewards that cost nothing."""

    def give(self, store, member_id: int, reward: str = "amount", slot: str = "birthday:2026") -> RewardIssue:
        """Somebody gets a reward."""
        now = store.runtime.clock()
        with store.runtime.transaction() as session:
            book = Book(session, session.get_one(Shop, store.shop().id), now=now)
            book.load_members([member_id])
            account = book.account(member_id)
            issue = redemption.give(book, account, reward, given_for="birthday", slot=slot, occurred_at=now)
            book.write()
        return issue

    def test_once(self, store, rich):
        """A gift is given once for its occasion, with a code and without an entry in the ledger."""
        before, member_id = rich.balance, store.member(rich.customer).id
        one, two = self.give(store, member_id), self.give(store, member_id)
        store.settle()
        row = get(store, one.id)
        assert (one.id, row.state, row.points, rich.balance) == (two.id, "issued", 0, before)
        assert discount(store, one.id)["customers"] == [rich.customer]
        assert store.rows(LedgerEntry, source_kind="reward") == []
        assert self.give(store, member_id, slot="birthday:2027").id != one.id

    def test_for_a_stranger(self, store, rich):
        """Somebody without an account gets a code that anybody can use once."""
        with store.runtime.transaction() as session:
            now = store.runtime.clock()
            guest = Member(
                shop_id=store.shop().id, email="bo@fernandfig.shop", created_at=now, updated_at=now
            )
            session.add(guest)
            session.flush()
        issue = self.give(store, guest.id)
        store.settle()
        row = get(store, issue.id)
        assert (row.state, row.bound, discount(store, issue.id)["customers"]) == ("issued", False, None)
        store.buy("40.00", email="cy@fernandfig.shop", code=row.code)
        store.settle()
        assert get(store, issue.id).state == "used"

    def test_unknown(self, store, rich):
        """A reward that the program does not have is not given."""
        assert self.give(store, store.member(rich.customer).id, reward="nothing") is None

    def test_cancelled(self, store, rich):
        """A gift that is cancelled gives no points."""
        before = rich.balance
        issue = self.give(store, store.member(rich.customer).id)
        store.settle()
        TestCancel().cancel(store, issue.id)
        store.settle()
        assert (get(store, issue.id).state, rich.balance) == ("cancelled", before)


def reward_kind(reward: str) -> str:
    """The kind of a reward of the program above."""
    return next(row.get("kind", "amount_off") for row in document(1, 1)["rewards"] if row["key"] == reward)
