"""A reward is paid with the points that are there at this moment, whenever the calendar's own run comes by."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from loyalty import programs
from loyalty.core.decide import RewardRefused
from loyalty.core.facts import RewardRequested
from loyalty.database import transaction
from loyalty.models import LedgerEntry, Member, Shop
from loyalty.points import absorb, redeem
from tests.integration.loyalty.conftest import INSTALLED
from tests.integration.loyalty.story import ADA, NOW, bought, joined, member

DOCUMENT: dict[str, Any] = {
    "timezone": "Europe/Madrid",
    "points": {"one": "leaf", "many": "leaves"},
    "rewards": [{"key": "five", "title": "$5 off", "points": 50, "amount": "5.00"}],
}
ORDER = {"title": "Place an order", "rate": "1"}
# A midnight in Madrid.
RELEASED = datetime.fromisoformat("2026-11-16T00:00:00+01:00")
MINUTE = timedelta(minutes=1)


def _live(engine: Engine, shop: Shop, **said: Any) -> None:
    with transaction(engine) as session:
        programs.apply(session, shop.id or 0, DOCUMENT | said, author="test", now=INSTALLED)
    with transaction(engine) as session:
        absorb(session, shop, [joined(ADA), bought(ADA, 1, "80")], now=NOW)


def _ask(engine: Engine, shop: Shop, at: datetime, key: str = "k1") -> str:
    with transaction(engine) as session:
        row = session.get_one(Member, member(engine, ADA).id)
        return redeem(session, shop, row, RewardRequested("five", key, f"issue-{key}", at), now=at).id


def _entries(engine: Engine) -> list[tuple[str, int, datetime]]:
    with Session(engine) as session:
        rows = session.exec(select(LedgerEntry).order_by(col(LedgerEntry.position)))
        return [(row.kind, row.points, row.occurred_at) for row in rows]


class TestUpToDate:
    """What the quarter-hourly run has not come to yet."""

    def test_ended(self, engine: Engine, shop: Shop) -> None:
        """Points that ended a minute ago cannot be spent; a minute before they could be."""
        expiry = {"kind": "inactivity", "months": 7, "warning_days": 30, "last_chance_days": 3}
        _live(engine, shop, earn={"order": ORDER}, expiry=expiry)
        end = member(engine, ADA).expires_at
        assert end is not None
        with pytest.raises(RewardRefused) as refused:
            _ask(engine, shop, end + MINUTE)
        assert (refused.value.code, refused.value.missing) == ("not_enough_points", 50)
        # A refusal changes nothing: what has ended is written by whoever comes next.
        assert member(engine, ADA).balance == 80

        _ask(engine, shop, end - MINUTE)
        assert member(engine, ADA).balance == 30

    def test_released(self, engine: Engine, shop: Shop) -> None:
        """Points whose hold is over can be spent at once, and are released as of their own instant."""
        _live(engine, shop, earn={"order": ORDER | {"hold_days": 14}})
        with pytest.raises(RewardRefused):
            _ask(engine, shop, RELEASED - MINUTE)
        _ask(engine, shop, RELEASED + MINUTE)
        assert _entries(engine) == [("earn", 80, RELEASED), ("redeem", -50, RELEASED + MINUTE)]
        assert (member(engine, ADA).balance, member(engine, ADA).pending) == (30, 0)

    def test_again(self, engine: Engine, shop: Shop) -> None:
        """The same key is the same redemption, also when time has passed between the two."""
        _live(engine, shop, earn={"order": ORDER | {"hold_days": 14}})
        first = _ask(engine, shop, RELEASED + MINUTE)
        assert _ask(engine, shop, RELEASED + timedelta(days=40)) == first
        assert member(engine, ADA).balance == 30
