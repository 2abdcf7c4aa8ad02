"""Facts and programs for the tests of the core: each maker gives a plain, valid value, and a test says only what it is about."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from loyalty.core.facts import CustomerSeen, Identity, OrderLine, OrderSeen, OrderSnapshot, ReviewSeen
from loyalty.core.program import ActionRule, OrderRule, PointsName, Program, Reward, Rule

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOMEBODY = Identity(7001, "rosa@fernandfig.shop")


def later(**spans: float) -> datetime:
    """An instant after ``NOON``."""
    return NOON + timedelta(**spans)


def line(
    amount: str,
    *,
    quantity: int = 1,
    remaining: int | None = None,
    tax: str = "0",
    gift_card: bool = False,
    line_id: int = 1,
) -> OrderLine:
    """A line of an order; all of its pieces remain unless it is said."""
    left = quantity if remaining is None else remaining
    return OrderLine(line_id, 55, quantity, left, Decimal(amount), Decimal(tax), gift_card)


def order(*lines: OrderLine, **said: Any) -> OrderSnapshot:
    """A paid order of the demo shop. Amounts may be said as text."""
    for name in ("outstanding", "refunded", "refunded_shipping", "received"):
        if isinstance(said.get(name), str):
            said[name] = Decimal(said[name])
    values: dict[str, Any] = {
        "order_id": 9001,
        "name": "#1001",
        "created_at": NOON,
        "updated_at": NOON,
        "currency": "USD",
        "financial_status": "paid",
        "cancelled": False,
        "test": False,
        "source": "web",
        "lines": lines,
        "outstanding": Decimal(0),
        "refunded": Decimal(0),
        "refunded_shipping": Decimal(0),
    }
    return OrderSnapshot(**(values | said))


def seen(snapshot: OrderSnapshot, *, authoritative: bool = False, history: bool = False) -> OrderSeen:
    """The fact that an order looks like this."""
    return OrderSeen(snapshot, SOMEBODY, authoritative=authoritative, history=history)


def customer(*, created_at: datetime = NOON, history: bool = False) -> CustomerSeen:
    """The fact that a customer record exists."""
    return CustomerSeen(SOMEBODY, "Rosa", "Marín", "es", created_at, created_at, history=history)


def review(**said: Any) -> ReviewSeen:
    """The fact that a verified five-star review exists."""
    values: dict[str, Any] = {
        "review_id": "r-1",
        "email": SOMEBODY.email,
        "kind": "review",
        "rating": 5,
        "verified": True,
        "has_media": False,
        "status": "published",
        "submitted_at": NOON,
        "seen_at": later(minutes=1),
    }
    return ReviewSeen(**(values | said))


def order_rule(rate: str = "1", rounding: str = "down", **said: Any) -> OrderRule:
    """Points for orders."""
    values: dict[str, Any] = {"key": "order", "way": "order", "title": "Place an order"}
    return OrderRule(**(values | {"rate": Decimal(rate), "rounding": rounding} | said))


def action_rule(way: str, points: int = 50, **said: Any) -> ActionRule:
    """Points for something that a member does."""
    values: dict[str, Any] = {"key": way, "way": way, "title": way.replace("_", " ").capitalize()}
    return ActionRule(**(values | {"points": points} | said))


SIGNUP = action_rule("signup", 100, title="Create an account")
REVIEW = action_rule("review", 50, title="Leave a review")
FIVE_OFF = Reward(
    key="five_off",
    kind="amount_off",
    title="$5 off",
    points=500,
    amount=Decimal("5.00"),
    expires_after_days=90,
)


def program(
    *more: Rule,
    order: OrderRule | None = order_rule(),  # noqa: B008  # a frozen value
    signup: ActionRule | None = SIGNUP,
    review: ActionRule | None = REVIEW,
    **said: Any,
) -> Program:
    """A program with the usual three rules (unless they are None) and ``more``."""
    values: dict[str, Any] = {
        "version": 3,
        "points_name": PointsName("leaf", "leaves"),
        "earning": tuple(rule for rule in (order, signup, review, *more) if rule is not None),
        "rewards": (FIVE_OFF,),
    }
    return Program(**(values | said))
