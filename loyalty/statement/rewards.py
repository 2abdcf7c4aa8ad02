"""Rewards that need somebody of the merchant's staff."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session, col

from loyalty.models import RewardIssue

_MOST = 20


@dataclass(frozen=True, slots=True)
class WaitingReward:
    """A reward of which only a person can say what shall become of it."""

    issue_id: str
    member_id: int
    title: str


def waiting(session: Session, shop_id: int) -> tuple[WaitingReward, ...]:
    """The rewards that wait for a person, the oldest first."""
    found = session.execute(
        select(col(RewardIssue.id), col(RewardIssue.member_id), col(RewardIssue.title))
        .where(
            col(RewardIssue.shop_id) == shop_id,
            col(RewardIssue.state) == "issuing",
            col(RewardIssue.failure).is_not(None),
        )
        .order_by(col(RewardIssue.created_at))
        .limit(_MOST)
    )
    return tuple(WaitingReward(*row) for row in found)
