"""A storm over a busy shop: everything comes five times and in disorder, processes are killed, and Klaviyo is unwell.

What must hold at the end is worked out from the orders as the shop shows them, by sums that share nothing with the app's.
"""

import random
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest
from sqlmodel import col, select

from demo.stage import SHOP
from loyalty.database import reading
from loyalty.models import LedgerEntry, Member, OutboxMessage

PEOPLE = 30
ORDERS = 120
SIGN_UP = 100
PRICES = ("12.50", "64.00", "7.99", "118.40", "33.33")


def worth(order: dict[str, Any]) -> int:
    """The points of an order without tax, shipping and gift cards: whole units of what was kept and paid for."""
    if order["cancelled_at"]:
        return 0
    kept = sum(Decimal(line["net"]) * line["current_quantity"] / line["quantity"] for line in order["lines"])
    paid = Decimal(order["net_payment"])
    return int(min(kept, paid).quantize(Decimal(1), ROUND_DOWN))


class TestStorm:
    @pytest.mark.timeout(600)
    @pytest.mark.acceptance("S0-08", "S4-19")
    def test_everything_at_once(self, busy_house):
        """After repeats, disorder, kills, a flushed queue and an unwell Klaviyo, every total is what the orders are worth,
        and every event reached Klaviyo exactly once."""
        house = busy_house.install().connect()
        house.shopify.post("/webhooks/modes", copies=5, shuffle=True, hold=True, seed=11)
        people = {
            house.sign_up(f"shopper-{n}@fernandfig.shop"): f"shopper-{n}@fernandfig.shop"
            for n in range(PEOPLE)
        }
        stormy = random.Random(11)
        half = [_order(house, stormy, stormy.choice(list(people))) for _ in range(ORDERS // 2)]
        for order in half:
            _something_happens(house, stormy, order)

        _klaviyo_is_unwell(house)
        house.shopify.post("/webhooks/modes", hold=False)  # the first half of the storm breaks loose
        house.kill_worker()
        house.restart_web()
        house.redis.flushall()
        house.add_worker()
        rest = [_order(house, stormy, stormy.choice(list(people))) for _ in range(ORDERS // 2)]
        house.kill_worker()
        house.redis.flushall()
        for order in rest:
            _something_happens(house, stormy, order)
        house.add_worker()
        house.klaviyo.delete("/faults")
        _calm(house)

        shown = house.shopify.get(f"/shops/{SHOP}/orders", limit=250)["orders"]
        assert len(shown) == ORDERS
        expected = dict.fromkeys(people, SIGN_UP)
        for order in shown:
            expected[order["customer_id"]] += worth(order)
        assert _balances(house) == expected, house.doings()
        assert house.problems_of_the_ledger() == []
        _told_exactly_once(house)
        assert {people[who]: points for who, points in expected.items()} == {
            email: house.profile_balance(email) for email in people.values()
        }


def _order(house, stormy: random.Random, customer: int) -> dict[str, Any]:
    lines = [
        {"price": stormy.choice(PRICES), "quantity": stormy.randint(1, 4)}
        for _ in range(stormy.randint(1, 3))
    ]
    return house.in_shop("/orders", customer=customer, lines=lines, paid=stormy.random() < 0.85)


def _something_happens(house, stormy: random.Random, order: dict[str, Any]) -> None:
    """Refunds by piece and by amount, payments, cancellations and edits; and to some orders several of them."""
    at = f"/orders/{order['id']}"
    paid = order["financial_status"] == "paid"
    chance = stormy.random()
    if chance < 0.3 and paid:
        house.in_shop(f"{at}/refund", lines=[{"index": 0, "quantity": 1}])
        pieces = sum(line["quantity"] for line in order["lines"])
        if pieces > 1 and stormy.random() < 0.4:
            house.in_shop(f"{at}/refund", full=True)
    elif chance < 0.5 and paid:
        house.in_shop(f"{at}/refund", amount=str((Decimal(order["total"]) / 3).quantize(Decimal("0.01"))))
    elif chance < 0.65:
        house.in_shop(f"{at}/cancel", refund=True)
    elif chance < 0.8:
        house.in_shop(f"{at}/edit", add=[{"price": "20.00"}])
    elif chance < 0.9:
        house.in_shop(f"{at}/edit", remove=[{"index": 0, "quantity": 1}])
    elif not paid:
        house.in_shop(f"{at}/pay")


def _klaviyo_is_unwell(house) -> None:
    for kind, times in (("500", 3), ("lost_reply", 2), ("429", 2), ("503", 1), ("reset", 2)):
        for place in ("POST /api/events", "POST /api/event-bulk-create-jobs"):
            house.klaviyo.post("/faults", place=place, kind=kind, times=times)


def _calm(house) -> None:
    """Everything is delivered, taken in and sent. Minutes pass meanwhile, as far as the sweep can tell."""
    assert house.shopify.post("/webhooks/wait", timeout=60)["idle"]
    for _ in range(30):
        house.a_minute_passes()
        if _is_quiet(house):
            return
    house.settle(seconds=5)


def _is_quiet(house) -> bool:
    try:
        house.settle(seconds=3)
    except AssertionError:
        return False
    return True


def _balances(house) -> dict[int | None, int]:
    with reading(house.engine) as session:
        rows = session.exec(select(Member).where(col(Member.shopify_customer_id).is_not(None))).all()
        return {row.shopify_customer_id: row.balance for row in rows}


def _told_exactly_once(house) -> None:
    """One event at Klaviyo for every movement of points and for everybody who joined, each with an id of its own."""
    arrived = [event["unique_id"] for event in house.events()]
    queued = [row.unique_id for row in house.rows(OutboxMessage, channel="klaviyo")]
    shop = queued[0].split(":")[1]
    moved = {f"laurel:{shop}:{row.id}" for row in house.rows(LedgerEntry)}
    joined = {f"laurel:{shop}:joined_program:{row.id}" for row in house.rows(Member)}
    assert len(arrived) == len(set(arrived))
    assert set(arrived) == set(queued)
    assert set(arrived) == moved | joined
