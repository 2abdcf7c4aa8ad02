"""The terms of a reward, kept with it as they were when it was had: later versions of the program change nothing about it."""

from decimal import Decimal
from typing import Any

from loyalty.core.document import read_reward, render_reward
from loyalty.core.program import Reward
from loyalty.models import RewardIssue


def frozen(reward: Reward) -> dict[str, Any]:
    """A reward's terms for its row."""
    return render_reward(reward)


def percentage_of(issue: RewardIssue) -> Decimal:
    """The per cent that a reward takes off, or nothing. What is told of a reward needs no more of its terms than this."""
    return Decimal(str(issue.terms.get("percentage", 0)))


def terms_of(issue: RewardIssue) -> Reward:
    """The reward as the program had it then. Rows from before terms were kept are amounts off the whole order. Raises
    ``ProgramInvalid`` where terms are no longer understood: then nothing must be made of them."""
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
