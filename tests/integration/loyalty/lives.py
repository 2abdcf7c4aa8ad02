"""Random shops: programs as documents, and what happened to some people over most of a year. For tests that let the same things happen
twice, in two shops."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from loyalty.core.facts import (
    ActionDone,
    BirthdayTold,
    CustomerSeen,
    Fact,
    Identity,
    OrderSeen,
    OrderSnapshot,
    PointsAdjusted,
    ReviewSeen,
    RewardRequested,
)
from tests.unit.core.strategies import histories, review_histories

BEGAN = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
DAYS = 320
ENDED = BEGAN + timedelta(days=DAYS + 70)  # when the last of it has happened
Happening = tuple[datetime, Fact | PointsAdjusted | RewardRequested]


def moment(day: int, number: int) -> datetime:
    """An instant of a day that only the thing of this number has."""
    return BEGAN + timedelta(days=day, minutes=number * 7, seconds=number)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A program of the parts that decide differently for different pasts."""
    order: dict[str, Any] = {"title": "Order", "rate": draw(st.sampled_from(["1", "2", "1.5"]))}
    order["rounding"] = draw(st.sampled_from(["down", "half_up"]))
    order["hold_days"] = draw(st.sampled_from([0, 0, 14]))
    order["guests"] = draw(st.sampled_from([True, True, False]))
    if draw(st.integers(0, 3)) == 0:
        order["limit"] = {"times": 1, "per": draw(st.sampled_from(["month", "week", "lifetime"]))}
    earn: dict[str, Any] = {"order": order, "signup": {"title": "Join", "points": 100}}
    extra = {
        "newsletter": {"title": "News", "points": 30},
        "review": {"title": "Review", "points": 50, "limit": {"times": 1, "per": "month"}},
        "blog": {"way": "custom", "title": "Blog", "points": 25, "limit": {"times": 2, "per": "year"}},
        "birthday": {"title": "Birthday", "points": 40},
        "anniversary": {"title": "A year", "points": 60},
        "third": {"way": "order_count_goal", "title": "Three", "goal": 3, "points": 200},
        "big": {"way": "order_value_goal", "title": "Big", "minimum": 100, "points": 15},
    }
    earn |= {key: rule for key, rule in extra.items() if draw(st.booleans())}
    document: dict[str, Any] = {
        "points": {"one": "point", "many": "points"},
        "point_value": "0.01",
        "guests": draw(st.sampled_from(["earn", "wait", "never"])),
        "debts": draw(st.sampled_from(["keep", "forgive"])),
        "timezone": draw(st.sampled_from(["UTC", "Europe/Madrid", "Asia/Kolkata"])),
        "earn": earn,
        "rewards": [{"key": "five_off", "title": "$5 off", "points": 100, "amount": "5.00"}],
    }
    if draw(st.booleans()):
        schedule = {"begins": "2026-04-01", "ends": "2026-07-15"}
        document["campaigns"] = [{"key": "spring", "title": "Spring", "multiplier": 2, "schedule": schedule}]
    if draw(st.booleans()):
        document["tiers"] = draw(_tiers())
    kind = draw(st.sampled_from(["", "inactivity", "age"]))
    if kind:
        document["expiry"] = {"kind": kind, "months": draw(st.sampled_from([2, 4]))}
    return document


@st.composite
def _tiers(draw: st.DrawFn) -> dict[str, Any]:
    metric = draw(st.sampled_from(["points", "spent", "orders"]))
    window = draw(st.sampled_from(["lifetime", "calendar_year", "rolling"]))
    first, second = (1, 3) if metric == "orders" else (80, 300)
    ladder = [
        {"key": "silver", "title": "Silver", "threshold": first, "multiplier": "1.5"},
        {"key": "gold", "title": "Gold", "threshold": second, "multiplier": 2, "entry": {"points": 70}},
    ]
    tiers = {
        "metric": metric,
        "window": window,
        "grace_days": draw(st.sampled_from([0, 10])),
        "ladder": ladder,
    }
    return tiers | ({"months": draw(st.sampled_from([1, 3]))} if window == "rolling" else {})


@dataclass
class Person:
    """Somebody, and everything that they did; orders and reviews in all their states."""

    who: Identity
    joined: CustomerSeen | None
    subscribed: CustomerSeen | None
    others: list[Happening]
    orders: list[list[OrderSnapshot]]
    reviews: list[list[ReviewSeen]]

    def as_it_came(self) -> Iterator[Happening]:
        """Every message, at the moment of its own."""
        for customer in (self.joined, self.subscribed):
            if customer is not None:
                yield customer.updated_at, customer
        yield from self.others
        for states in self.orders:
            for order in states:
                yield order.updated_at, OrderSeen(order, self.who, authoritative=True)
        for reviews in self.reviews:
            for review in reviews:
                yield review.seen_at, review

    def as_it_was(self) -> Iterator[Happening]:
        """What became of it all, but for the rewards: each order as it was in the end, when it was placed; reviews once their author is a member."""
        for customer in (self.joined, self.subscribed):
            if customer is not None:
                yield customer.updated_at, replace(customer, history=True)
        yield from (one for one in self.others if not isinstance(one[1], RewardRequested))
        for *_, order in self.orders:
            yield order.created_at, OrderSeen(order, self.who, authoritative=True, history=True)
        if self.joined is not None:
            for *_, review in self.reviews:
                yield max(review.submitted_at, self.joined.created_at), review


@st.composite
def people(draw: st.DrawFn, number: int) -> Person:
    """A member or a guest with some orders, reviews, actions and adjustments. Everything has an instant of its own."""
    is_guest = draw(st.integers(0, 3)) == 0
    who = Identity(None if is_guest else number, f"p{number}@fernandfig.shop")
    # What one does has numbers of its own, so that no two things of a shop fall on one instant.
    numbers = iter(range(number * 40, number * 40 + 40))

    def when() -> datetime:
        return moment(draw(st.integers(0, DAYS)), next(numbers))

    joined = subscribed = None
    others: list[Happening] = []
    if not is_guest:
        at = when()
        joined = CustomerSeen(who, f"N{number}", None, "en", at, at)
        if draw(st.booleans()):
            later = at + timedelta(days=draw(st.integers(0, 60)), seconds=1)
            subscribed = replace(joined, updated_at=later, subscribed_at=later)
        others += _doings(draw, who, at, number)
    orders = []
    for _ in range(draw(st.integers(0, 4))):
        placed, order_id = when(), next(numbers)
        states = draw(histories(order_id))
        orders.append(
            [
                replace(
                    one,
                    created_at=placed,
                    updated_at=placed + (one.updated_at - one.created_at),
                    currency="USD",
                )
                for one in states
            ]
        )
    reviews = []
    for n in range(draw(st.integers(0, 2))):
        at = when()
        found = draw(review_histories(f"r-{number}-{n}"))
        reviews.append(
            [
                replace(one, email=who.email, submitted_at=at, seen_at=at + (one.seen_at - one.submitted_at))
                for one in found
            ]
        )
    return Person(who, joined, subscribed, others, orders, reviews)


def _doings(draw: st.DrawFn, who: Identity, joined_at: datetime, number: int) -> list[Happening]:
    """Things that only members do, after they have become one."""

    def later(place: int) -> datetime:
        return joined_at + timedelta(days=draw(st.integers(1, 200)), seconds=2 + place)

    found: list[Happening] = []
    for n in range(draw(st.integers(0, 3))):
        at = later(n)
        found.append((at, ActionDone("blog", f"{number}-{n}", who, at)))
    for n in range(draw(st.integers(0, 2))):
        at = later(10 + n)
        points = draw(st.sampled_from([-500, -40, 90]))
        found.append(
            (at, PointsAdjusted(points, f"{number}-{n}", "A gift", "staff", at, may_go_negative=True))
        )
    for n in range(draw(st.integers(0, 2))):
        at = later(30 + n)
        found.append((at, RewardRequested("five_off", f"{number}-{n}", "", at)))
    if draw(st.booleans()):
        at = later(20)
        found.append((at, BirthdayTold(who, draw(st.integers(1, 12)), draw(st.integers(1, 28)), at)))
    return [one for one in found if one[0] < ENDED]
