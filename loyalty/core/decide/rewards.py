"""Rewards: what one costs, whether a member may have it, and how its points go and come back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.core import ledger
from loyalty.core.decide.decision import Decision, RewardRefused
from loyalty.core.facts import RewardRequested
from loyalty.core.ledger import Entry, Source
from loyalty.core.limits import allows
from loyalty.core.moments import day_of, next_midnight, start_of
from loyalty.core.news import REDEEMED, REWARD_GIVEN, News, entry_news
from loyalty.core.program import Program, Reward
from loyalty.core.standing import Standing


@dataclass(frozen=True, slots=True)
class Price:
    """What a member pays and gets: points, and the amount of money (nothing for rewards that are not about an amount)."""

    points: int
    amount: Decimal


def reward_source(issue_id: str) -> Source:
    """What the points of a reward went to."""
    return Source("reward", issue_id)


def price(reward: Reward, points: int | None) -> Price:
    """The price of a reward, for as many points as were asked where one can choose. Raises ``RewardRefused`` (wrong_amount)."""
    if reward.kind != "incremental":
        if points not in (None, reward.points):
            raise RewardRefused("wrong_amount")
        return Price(reward.points, reward.amount)
    least = reward.minimum_points or reward.points
    most = reward.maximum_points
    chosen = least if points is None else points
    if chosen < least or chosen % reward.points or (most is not None and chosen > most):
        raise RewardRefused("wrong_amount")
    return Price(chosen, reward.amount * (chosen // reward.points))


def decide_reward_request(
    standing: Standing, fact: RewardRequested, program: Program, *, taken: Sequence[datetime] = ()
) -> tuple[Reward, Price, Entry]:
    """Take the points for a reward. ``taken`` is when the member had this reward before. Raises ``RewardRefused``.

    Nothing is told yet: the news follows when the reward is there.
    """
    reward = program.reward(fact.reward)
    if reward is None or not reward.listed:
        raise RewardRefused("unknown_reward")
    if reward.tiers and standing.tier not in reward.tiers:
        raise RewardRefused("wrong_tier")
    if not allows(reward.limit, taken, fact.requested_at, program.timezone):
        raise RewardRefused("limit_reached")
    cost = price(reward, fact.points)
    if standing.balance < cost.points:
        raise RewardRefused("not_enough_points", missing=cost.points - standing.balance)
    why = {"reward": reward.key, "price": cost.points}
    if cost.amount:
        why["amount"] = str(cost.amount)
    entry = Entry(
        kind=ledger.REDEEM,
        points=-cost.points,
        source=reward_source(fact.issue_id),
        rule=reward.key,
        sequence=0,
        program_version=program.version,
        reason=reward.title,
        why=why,
        occurred_at=fact.requested_at,
    )
    return reward, cost, entry


def decide_reward_return(
    redeemed: Entry, *, because: str, reason: str, at: datetime, balance: int
) -> Decision:
    """Give the points of a reward back. ``redeemed`` is the entry that took them, ``because`` is for staff, ``reason`` for the customer."""
    entry = Entry(
        kind=ledger.RETURN,
        points=-redeemed.points,
        source=redeemed.source,
        rule=redeemed.rule,
        sequence=1,
        program_version=redeemed.program_version,
        reason=reason,
        why={"because": because},
        occurred_at=at,
    )
    return Decision(entries=(entry,), news=(entry_news(entry, balance=balance + entry.points),))


def decide_reward_retake(redeemed: Entry, *, at: datetime) -> Entry:
    """Take the points of a reward once more: they had been given back, and then it came out that its code was used before it died."""
    return Entry(
        kind=ledger.REDEEM,
        points=redeemed.points,
        source=redeemed.source,
        rule=redeemed.rule,
        sequence=2,
        program_version=redeemed.program_version,
        reason=f"{redeemed.reason}: used after all",
        why={"because": "the code was used before it was switched off"},
        occurred_at=at,
    )


def ends_at(reward: Reward, at: datetime, zone: ZoneInfo) -> datetime | None:
    """When a reward that is had at ``at`` ends: at the shop's midnight after its days are over. None: never."""
    if not reward.expires_after_days:
        return None
    return next_midnight(at + timedelta(days=reward.expires_after_days), zone)


def reminds_at(expires_at: datetime, program: Program) -> datetime | None:
    """When a member is reminded of a reward that ends at ``expires_at``, or None when nobody is."""
    if not program.reward_reminder_days:
        return None
    last_day = day_of(expires_at, program.timezone)
    return start_of(last_day - timedelta(days=program.reward_reminder_days), program.timezone)


def redeemed_news(redeemed: Entry, *, balance: int, at: datetime, reward: Mapping[str, Any]) -> News:
    """What is told when a reward's code is there: points spent, what for, and the code (in ``reward``)."""
    properties = {"points": -redeemed.points, "points_balance": balance, "source": "reward", **reward}
    return News(REDEEMED, properties, at, entry=redeemed)


def given_news(issue_id: str, *, balance: int, at: datetime, reward: Mapping[str, Any]) -> News:
    """What is told when a reward that cost nothing is there."""
    return reward_news(REWARD_GIVEN, issue_id, balance=balance, at=at, reward=reward)


def reward_news(
    kind: str,
    issue_id: str,
    *,
    balance: int,
    at: datetime,
    reward: Mapping[str, Any],
    history: bool = False,
) -> News:
    """What is told of a reward that somebody has: once per kind of news and reward."""
    return News(kind, {"points_balance": balance, **reward}, at, history=history, subject=issue_id)
