"""Through the real database: whatever way facts arrive, and in whatever batches, the ledger ends the same."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import col, select

from loyalty import programs
from loyalty.core.decide import review_problem
from loyalty.core.document import DEFAULT_DOCUMENT, parse_program
from loyalty.core.facts import (
    CustomerSeen,
    CustomersMerged,
    Fact,
    Identity,
    OrderSeen,
    OrderSnapshot,
    ReviewSeen,
)
from loyalty.core.orders import order_worth
from loyalty.core.program import OrderRule
from loyalty.database import reading, transaction
from loyalty.ledger.verify import verify
from loyalty.models import AwardRow, LedgerEntry, Member, OutboxMessage, Shop
from loyalty.points import absorb
from tests.integration.loyalty.story import NOW
from tests.unit.core.makers import later, line, order
from tests.unit.core.strategies import histories, review_histories

# The engine is shared by the examples; each of them has a shop of its own in it.
FEW = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=12,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
PROGRAM = parse_program(DEFAULT_DOCUMENT, version=1)
_numbers = itertools.count(1)


class Life:
    """What is true at Shopify and Klaviyo in the end, and every message that was ever sent about it."""

    def __init__(self, data: st.DataObject, people: int) -> None:
        self.people = [Identity(n, f"p{n}@fernandfig.shop") for n in range(1, people + 1)]
        self.customers = [
            CustomerSeen(who, f"N{n}", None, "en", later(minutes=n), later(minutes=n))
            for n, who in enumerate(self.people)
        ]
        self.orders: dict[int, OrderSnapshot] = {}
        self.reviews: dict[str, ReviewSeen] = {}
        self.messages: list[Fact] = list(self.customers)
        for order_id in range(1, data.draw(st.integers(1, 3)) + 1):
            who = data.draw(st.sampled_from(self.people))
            states = data.draw(histories(order_id))
            self.orders[order_id] = states[-1]
            self.messages += [OrderSeen(state, data.draw(_known_as(who))) for state in states]
        for number in range(data.draw(st.integers(0, 2))):
            who = data.draw(st.sampled_from(self.people))
            review_states = [replace(s, email=who.email) for s in data.draw(review_histories(f"r-{number}"))]
            self.reviews[review_states[-1].review_id] = review_states[-1]
            self.messages += review_states

    def worth(self, *, accounts: int | None = None) -> int:
        """All points that there should be, reckoned from the last states alone, if the customers are so many people."""
        rule, (review,), (signup,) = (
            PROGRAM.rule("order"),
            PROGRAM.actions("review"),
            PROGRAM.actions("signup"),
        )
        assert isinstance(rule, OrderRule)
        orders = sum(order_worth(snapshot, rule).points for snapshot in self.orders.values())
        reviews = sum(review.points for fact in self.reviews.values() if review_problem(fact) is None)
        return orders + reviews + signup.points * (len(self.customers) if accounts is None else accounts)


def _known_as(who: Identity) -> st.SearchStrategy[Identity]:
    """A buyer is named by id, by address (a guest), or by both."""
    return st.sampled_from([who, Identity(who.customer_id, None), Identity(None, who.email)])


def new_shop(engine: Engine) -> Shop:
    """A shop whose program began before everything."""
    began = later(days=-1)
    with transaction(engine) as session:
        domain = f"shop-{next(_numbers)}.myshopify.com"
        shop = Shop(domain=domain, first_installed_at=began, installed_at=began)
        session.add(shop)
        session.flush()
        assert shop.id is not None
        programs.apply(session, shop.id, DEFAULT_DOCUMENT, author="install", now=began)
    return shop


def settle(engine: Engine, shop: Shop, facts: Sequence[Fact]) -> None:
    with transaction(engine) as session:
        absorb(session, shop, facts, now=NOW)


def deliver(engine: Engine, shop: Shop, facts: Sequence[Fact], data: st.DataObject) -> None:
    """The facts with repeats, in any order, in batches of any size."""
    again = data.draw(st.lists(st.sampled_from(list(facts)), max_size=8))
    waiting = data.draw(st.permutations([*facts, *again]))
    while waiting:
        size = data.draw(st.integers(1, len(waiting)))
        settle(engine, shop, waiting[:size])
        waiting = waiting[size:]


def answer_rereads(engine: Engine, shop: Shop, orders: dict[int, OrderSnapshot]) -> None:
    """Read every order that the shop asked for, as the sender of Shopify's channel does."""
    with reading(engine) as session:
        asked = session.exec(
            select(OutboxMessage).where(
                OutboxMessage.shop_id == shop.id, OutboxMessage.kind == "reread_order"
            )
        ).all()
    order_ids = sorted({message.payload["order_id"] for message in asked})
    nobody = Identity(None, None)
    settle(engine, shop, [OrderSeen(orders[order_id], nobody, authoritative=True) for order_id in order_ids])


def balances(engine: Engine, shop: Shop) -> dict[int, int]:
    """What each customer stands at, guests left out."""
    with reading(engine) as session:
        rows = session.exec(
            select(Member.shopify_customer_id, Member.balance).where(
                Member.shop_id == shop.id, col(Member.shopify_customer_id).is_not(None)
            )
        )
        return {customer_id: balance for customer_id, balance in rows if customer_id is not None}


def total(engine: Engine, shop: Shop) -> int:
    with reading(engine) as session:
        return sum(session.exec(select(Member.balance).where(Member.shop_id == shop.id)).all())


def problems(engine: Engine, shop: Shop) -> list[str]:
    with reading(engine) as session:
        return [str(problem) for problem in verify(session, shop.id)]


class TestConvergence:
    @FEW
    @given(data=st.data())
    def test_any_arrival(self, engine, data):
        """Two arrivals of the same life end at the same balance for each person, which is what the last states are worth."""
        life = Life(data, people=2)
        ends = []
        for _ in range(2):
            shop = new_shop(engine)
            deliver(engine, shop, life.messages, data)
            answer_rereads(engine, shop, life.orders)
            assert [] == problems(engine, shop)
            assert life.worth() == total(engine, shop)
            ends.append(balances(engine, shop))
        assert ends[0] == ends[1]
        assert life.worth() == sum(ends[0].values())

    @FEW
    @given(data=st.data())
    def test_settled(self, engine, data):
        """Once settled, telling everything again in other batches records nothing more."""
        life, shop = Life(data, people=1), new_shop(engine)
        deliver(engine, shop, life.messages, data)
        answer_rereads(engine, shop, life.orders)
        with reading(engine) as session:
            before = session.exec(select(LedgerEntry.hash).where(LedgerEntry.shop_id == shop.id)).all()
        deliver(engine, shop, life.messages, data)
        answer_rereads(engine, shop, life.orders)
        with reading(engine) as session:
            after = session.exec(select(LedgerEntry.hash).where(LedgerEntry.shop_id == shop.id)).all()
        assert sorted(before) == sorted(after)

    @FEW
    @given(data=st.data())
    def test_merge(self, engine, data):
        """Two customers who become one, at any moment and told any number of times, keep every point between them."""
        life, shop = Life(data, people=2), new_shop(engine)
        kept, gone = life.people
        # After a merge the gone customer is known by id only: the address is nobody's.
        messages = [
            replace(fact, identity=Identity(fact.identity.customer_id or kept.customer_id, None))
            if isinstance(fact, OrderSeen)
            else fact
            for fact in life.messages
            if not isinstance(fact, ReviewSeen)
        ]
        life.reviews = {}
        assert kept.customer_id is not None
        assert gone.customer_id is not None
        messages.append(CustomersMerged(kept.customer_id, gone.customer_id, later(days=1)))
        deliver(engine, shop, messages, data)
        answer_rereads(engine, shop, life.orders)
        assert [] == problems(engine, shop)
        assert {kept.customer_id: life.worth(accounts=1), gone.customer_id: 0} == balances(engine, shop)

    @FEW
    @given(data=st.data())
    def test_full_refund(self, engine, data):
        """Whatever came before, an order that was refunded in full leaves nothing, and takes nothing else along."""
        life, shop = Life(data, people=1), new_shop(engine)
        for order_id, last in life.orders.items():
            at = last.updated_at + timedelta(minutes=1)
            life.orders[order_id] = replace(last, financial_status="refunded", updated_at=at)
            life.messages.append(OrderSeen(life.orders[order_id], life.people[0]))
        deliver(engine, shop, life.messages, data)
        answer_rereads(engine, shop, life.orders)
        with reading(engine) as session:
            awards = session.exec(
                select(AwardRow.posted).where(AwardRow.shop_id == shop.id, AwardRow.source_kind == "order")
            ).all()
        assert {0} >= set(awards)
        assert life.worth() == total(engine, shop)
        assert [] == problems(engine, shop)


@pytest.mark.parametrize("size", [1, 2, 50])
def test_five_times_each(engine, size):
    """Every message five times, newest first, in batches of one size: one award, taken back once."""
    shop, who = new_shop(engine), Identity(1, "p1@fernandfig.shop")
    paid = order(line("30", quantity=3))
    back = replace(paid, lines=(line("30", quantity=3, remaining=1),), updated_at=later(minutes=9))
    facts = [OrderSeen(back, who), OrderSeen(paid, who)] * 5 + [OrderSeen(back, who, authoritative=True)] * 5
    for start in range(0, len(facts), size):
        settle(engine, shop, facts[start : start + size])
    assert {1: 10} == balances(engine, shop)
    assert [] == problems(engine, shop)
