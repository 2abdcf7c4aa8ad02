"""Orders, customers and reviews of every kind, for the properties.

How many examples they take is the profile's (``tests/conftest.py``): few while one works, many in ``make test``. A strategy that
depends on nothing that was drawn is made once: making one takes longer than drawing from it.
"""

from datetime import timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st

from loyalty.core.facts import OrderLine, OrderSnapshot, ReviewSeen
from tests.unit.core.makers import NOON, SOMEBODY

SETTINGS = settings()

STATUSES = [
    "paid",
    "paid",
    "partially_paid",
    "partially_refunded",
    "pending",
    "authorized",
    "refunded",
    "voided",
]


def money(most: int = 30_000) -> st.SearchStrategy[Decimal]:
    """An amount in whole cents."""
    return st.integers(0, most).map(lambda cents: Decimal(cents) / 100)


CENTS = money()
TAXES = money(3_000)
FLAGS = st.booleans()
ONE_IN_TEN = st.integers(0, 9).map(lambda number: number == 0)
LINE_IDS = st.integers(1, 2**63 - 1)
QUANTITIES = st.integers(0, 5)
REMAINING = [st.integers(0, quantity) for quantity in range(6)]
VARIANTS = st.none() | st.just(55)
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD"])
PAYMENTS = st.sampled_from(STATUSES)
SOURCES = st.sampled_from(["web", "pos", "3890849"])
OUTSTANDING = st.just(Decimal(0)) | CENTS | CENTS.map(lambda amount: -amount)
REFUNDED = st.just(Decimal(0)) | CENTS
SHIPPING = st.just(Decimal(0)) | money(1_000)
CODES = st.sampled_from([(), ("SUMMER",), ("laurel-ü", "B")])
RECEIVED = st.none() | money(60_000)
MINUTES = st.lists(st.integers(0, 10_000), min_size=1, max_size=5, unique=True).map(sorted)
KINDS = st.sampled_from(["review", "review", "rating", "question", "store"])
RATINGS = st.none() | st.integers(1, 5)
SHOWN = st.sampled_from(["published", "pending", "featured", "rejected"])


@st.composite
def order_lines(draw: st.DrawFn) -> OrderLine:
    """A line with some of its pieces gone."""
    quantity = draw(QUANTITIES)
    return OrderLine(
        draw(LINE_IDS),
        draw(VARIANTS),
        quantity,
        draw(REMAINING[quantity]),
        draw(CENTS),
        draw(TAXES),
        draw(FLAGS),
    )


LINES = st.lists(order_lines(), max_size=3).map(tuple)


def snapshot(draw: st.DrawFn, order_id: int, minute: int) -> OrderSnapshot:
    """Any state of an order, likely or not."""
    return OrderSnapshot(
        order_id=order_id,
        name="#1001",
        created_at=NOON,
        updated_at=NOON + timedelta(minutes=minute),
        currency=draw(CURRENCIES),
        financial_status=draw(PAYMENTS),
        cancelled=draw(ONE_IN_TEN),
        test=draw(ONE_IN_TEN),
        source=draw(SOURCES),
        lines=draw(LINES),
        outstanding=draw(OUTSTANDING),
        refunded=draw(REFUNDED),
        refunded_shipping=draw(SHIPPING),
        discount_codes=draw(CODES),
        received=draw(RECEIVED),
    )


@st.composite
def snapshots(draw: st.DrawFn, order_id: int = 9001) -> OrderSnapshot:
    """Any state of an order by itself."""
    return snapshot(draw, order_id, 0)


@st.composite
def histories(draw: st.DrawFn, order_id: int) -> list[OrderSnapshot]:
    """The states that one order went through, oldest first, each at its own minute; the last one is the truth."""
    return [snapshot(draw, order_id, minute) for minute in draw(MINUTES)]


@st.composite
def review_histories(draw: st.DrawFn, review_id: str) -> list[ReviewSeen]:
    """The states that one review went through, oldest first, each at its own minute."""
    return [
        ReviewSeen(
            review_id=review_id,
            email=SOMEBODY.email,
            kind=draw(KINDS),
            rating=draw(RATINGS),
            verified=draw(FLAGS),
            has_media=draw(FLAGS),
            status=draw(SHOWN),
            submitted_at=NOON,
            seen_at=NOON + timedelta(minutes=minute),
        )
        for minute in draw(MINUTES)
    ]
