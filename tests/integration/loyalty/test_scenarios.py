"""The scenarios, played through the database: the same numbers as in memory, and books that verify."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from loyalty import programs, redemption, staff
from loyalty.core.decide import AdjustmentRefused, RewardRefused
from loyalty.core.facts import PointsAdjusted, RewardRequested
from loyalty.database import transaction
from loyalty.ledger.verify import verify
from loyalty.models import Member, Shop
from loyalty.points import absorb
from tests.passing_time import pass_time
from tests.scenarios.scenario import WHO, Scenario, Teller, scenarios
from tests.unit.core.makers import later

BEGAN = later(days=-3650)
ALL = list(scenarios())
# What only the decisions in memory say: here a refused action and the kinds of news are somebody else's tests.
UNSEEN = {"told", "entries"}


class Player:
    """Plays scenarios in shops of one database, each in its own."""

    def __init__(self, engine: Engine, number: int, scenario: Scenario) -> None:
        self.engine = engine
        self.teller = Teller()
        self.refused: str | None = None
        with transaction(engine) as session:
            shop = Shop(
                domain=f"story-{number}.myshopify.com",
                first_installed_at=BEGAN,
                installed_at=BEGAN,
                currency="USD",
            )
            session.add(shop)
            session.flush()
            assert shop.id is not None
            programs.apply(session, shop.id, dict(scenario.document), author="story", now=BEGAN)
        self.shop = shop

    def play(self, step: Mapping[str, Any], number: int) -> None:
        """Let the calendar come up to the step, and then do it."""
        at: datetime = step["at"]
        self.refused = None
        pass_time(self.engine, self.shop, at)
        fact = self.teller.fact(step)
        with transaction(self.engine) as session:
            if fact is not None:
                absorb(session, self.shop, [fact], now=at)
            elif "redeem" in step or "adjust" in step:
                self._refusable(session, step, number)

    def _refusable(self, session: Session, step: Mapping[str, Any], number: int) -> None:
        member, at = self._member(session), step["at"]
        assert member is not None
        try:
            if "adjust" in step:
                fact = PointsAdjusted(step["adjust"], f"a{number}", "Note", "staff-9", at)
                staff.adjust(session, self.shop, member, fact, now=at)
            else:
                key = f"{self.shop.id}-{number}"
                request = RewardRequested(
                    step["redeem"], key, f"issue-{key}", at, step.get("points"), f"C-{key}"
                )
                redemption.request_reward(session, self.shop, member, request, now=at)
        except AdjustmentRefused:
            self.refused = "below_zero"
        except RewardRefused as refused:
            self.refused = refused.code

    def found(self) -> dict[str, Any]:
        """What a step may expect, as the rows say it."""
        with Session(self.engine) as session:
            member = self._member(session) or Member(shop_id=0, created_at=BEGAN, updated_at=BEGAN)
            return {
                "balance": member.balance,
                "pending": member.pending,
                "tier": member.tier or "",
                "earned": member.lifetime_earned,
                "expires": member.expires_at,
                "expiring": member.expiring_points,
                "refused": self.refused,
            }

    def problems(self) -> list[str]:
        """What is wrong with the books."""
        with Session(self.engine) as session:
            return [str(problem) for problem in verify(session, self.shop.id)]

    def _member(self, session: Session) -> Member | None:
        return session.exec(
            select(Member).where(
                Member.shop_id == self.shop.id, col(Member.shopify_customer_id) == WHO.customer_id
            )
        ).first()


def test_scenarios(engine: Engine) -> None:
    """Every story ends at the numbers that were worked out by hand, after every step, and leaves books that verify."""
    for place, scenario in enumerate(ALL):
        player = Player(engine, place, scenario)
        for number, step in enumerate(scenario.steps):
            player.play(step, number)
            found, expected = player.found(), step.get("expect", {})
            if "action" in step and "refused" in expected:
                expected = {name: value for name, value in expected.items() if name != "refused"}
            seen = {name: value for name, value in expected.items() if name not in UNSEEN}
            assert seen == {name: found[name] for name in seen}, f"{scenario.title}, step {number + 1}"
        assert [] == player.problems(), scenario.title


@pytest.mark.parametrize("hours", [3, 24 * 40])
def test_calendar_again(engine: Engine, hours: int) -> None:
    """Settling the calendar again, at once or after a while in which nothing is due, changes nothing."""
    scenario = next(one for one in ALL if one.title.startswith("time: Points on hold are"))
    player = Player(engine, 1, scenario)
    for number, step in enumerate(scenario.steps):
        player.play(step, number)
    before, at = player.found(), later(days=60)
    for moment in (at, at, at + timedelta(hours=hours)):
        player.play({"at": moment, "wait": {}}, 99)
    assert before == player.found()
