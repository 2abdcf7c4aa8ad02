"""What a reward's state means to people: who waits for what, and what nobody will ever tell us."""

from datetime import datetime

from loyalty.core.program import DISCOUNTS
from loyalty.models import RewardIssue

WAITING = "waiting"
GIVEN = "given"


def shown_state(issue: RewardIssue, *, now: datetime) -> str:
    """The state in which a reward is shown: that of its row (see ``RewardIssue``), but for three.

    ``waiting``: it is not being made, a person decides. ``given``: money (a gift card, store credit) is there; no order tells when it is
    spent, so this is how it stays until its end. And a reward whose end has come is ``expired``, whether the calendar has been there or not.
    """
    if issue.state == "issuing" and issue.failure is not None:
        return WAITING
    if issue.state != "issued":
        return issue.state
    if issue.expires_at is not None and issue.expires_at <= now:
        return "expired"
    return "issued" if issue.kind in DISCOUNTS else GIVEN
