"""The terms of a reward, kept with it as they were when it was had: later versions of the program change nothing about it."""

from typing import Any

from loyalty.core.document import read_reward, render_reward
from loyalty.core.program import Reward
from loyalty.models import RewardIssue


def frozen(reward: Reward) -> dict[str, Any]:
    """A reward's terms for its row."""
    return render_reward(reward)


def terms_of(issue: RewardIssue) -> Reward:
    """The reward as the program had it then. Rows from before terms were kept are amounts off the whole order."""
    if issue.terms:
        return read_reward(issue.terms)
    return Reward(
        key=issue.reward,
        kind=issue.kind,
        title=issue.title,
        points=issue.points,
        amount=issue.amount,
        minimum_subtotal=issue.minimum_subtotal,
    )
