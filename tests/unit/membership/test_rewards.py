"""Prices, ends and reminders of rewards: pure, table by table."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from loyalty.core import ledger
from loyalty.core.decide import (
    Price,
    RewardRefused,
    decide_reward_request,
    decide_reward_retake,
    ends_at,
    price,
    reminds_at,
)
from loyalty.core.facts import RewardRequested
from loyalty.core.program import Limit, PointsName, Program, Reward
from loyalty.core.standing import Standing

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
STEPS = Reward(
    key="steps",
    kind="incremental",
    title="As you like",
    points=100,
    amount=Decimal("1.50"),
    minimum_points=200,
    maximum_points=500,
)


def program(*rewards: Reward, reminder: int = 3) -> Program:
    """A program with these rewards, on Berlin's calendar."""
    name = PointsName("point", "points")
    return Program(
        version=4, points_name=name, timezone=BERLIN, rewards=rewards, reward_reminder_days=reminder
    )


def asked(reward: str, points: int | None = None) -> RewardRequested:
    """Somebody asks."""
    return RewardRequested(reward, "key-1", "issue-1", NOON, points)


class TestPrice:
    @pytest.mark.parametrize(
        ("points", "expected"),
        [
            (None, Price(200, Decimal("3.00"))),
            (300, Price(300, Decimal("4.50"))),
            (500, Price(500, Decimal("7.50"))),
        ],
    )
    def test_steps(self, points, expected):
        """Whoever says nothing takes the fewest; every step is worth the same."""
        assert price(STEPS, points) == expected

    @pytest.mark.parametrize("points", [100, 250, 600, 0, -100])
    def test_not_between(self, points):
        """Fewer, more or half a step is no price."""
        with pytest.raises(RewardRefused, match="wrong_amount"):
            price(STEPS, points)

    def test_fixed(self):
        """A fixed price may be named, but not another one."""
        fixed = Reward(key="five", kind="amount_off", title="$5", points=500, amount=Decimal(5))
        assert price(fixed, None) == price(fixed, 500) == Price(500, Decimal(5))
        with pytest.raises(RewardRefused, match="wrong_amount"):
            price(fixed, 400)


class TestRequest:
    def test_amount_explained(self):
        """The entry says for how much money its points went."""
        _, cost, entry = decide_reward_request(Standing(balance=300), asked("steps", 300), program(STEPS))
        assert (entry.points, entry.why) == (-300, {"reward": "steps", "price": 300, "amount": "4.50"})
        assert cost.amount == Decimal("4.50")

    def test_tier(self):
        """What is for some tiers is not for others."""
        gold = Reward(key="gold", kind="free_shipping", title="Shipping", points=1, tiers=frozenset({"gold"}))
        with pytest.raises(RewardRefused, match="wrong_tier"):
            decide_reward_request(Standing(balance=9, tier="silver"), asked("gold"), program(gold))
        assert (
            decide_reward_request(Standing(balance=9, tier="gold"), asked("gold"), program(gold))[0] == gold
        )

    def test_limit(self):
        """A limit looks at when the reward was had, in days of the shop."""
        daily = Reward(key="daily", kind="free_shipping", title="Shipping", points=1, limit=Limit(1, "day"))
        yesterday = datetime(2026, 3, 26, 22, 59, tzinfo=UTC)
        today = datetime(2026, 3, 26, 23, 1, tzinfo=UTC)
        member = Standing(balance=9)
        assert decide_reward_request(member, asked("daily"), program(daily), taken=[yesterday])
        with pytest.raises(RewardRefused, match="limit_reached"):
            decide_reward_request(member, asked("daily"), program(daily), taken=[today])


class TestEnds:
    @pytest.mark.parametrize(
        ("days", "expected"),
        [
            (1, datetime(2026, 3, 28, 23, tzinfo=UTC)),
            (2, datetime(2026, 3, 29, 22, tzinfo=UTC)),  # the clocks go forward on the 29th
            (None, None),
        ],
    )
    def test_midnight(self, days, expected):
        """A reward ends with the shop's midnight after its days, whatever the clocks do."""
        reward = Reward(key="r", kind="free_shipping", title="Shipping", expires_after_days=days)
        assert ends_at(reward, NOON, BERLIN) == expected

    def test_reminder(self):
        """A reminder comes with the beginning of a day of the shop, or never."""
        end = datetime(2026, 3, 30, 22, tzinfo=UTC)
        assert reminds_at(end, program()) == datetime(2026, 3, 27, 23, tzinfo=UTC)
        assert reminds_at(end, program(reminder=0)) is None


class TestRetake:
    def test_third_posting(self):
        """Points that came back are taken once more under the same source, as the third posting for it."""
        _, _, redeemed = decide_reward_request(Standing(balance=300), asked("steps"), program(STEPS))
        entry = decide_reward_retake(redeemed, at=NOON)
        assert (entry.kind, entry.points, entry.source, entry.sequence, entry.program_version) == (
            ledger.REDEEM,
            -200,
            redeemed.source,
            2,
            4,
        )
