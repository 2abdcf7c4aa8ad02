"""A reward that a member has, as its owner may see it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from loyalty.models import Member, RewardIssue
from loyalty.redemption import shown_state

MOST_ISSUES = 20
_SHOWN_CODES = frozenset({"issued", "given", "used", "expired"})
# Nobody types a code for these: store credit is in the account.
_WITHOUT_CODE = frozenset({"store_credit"})


def issues_of(session: Session, person: Member) -> Sequence[RewardIssue]:
    """The newest rewards of a member."""
    return session.exec(
        select(RewardIssue)
        .where(RewardIssue.member_id == person.id)
        .order_by(col(RewardIssue.created_at).desc(), col(RewardIssue.id).desc())
        .limit(MOST_ISSUES)
    ).all()


def issue_answer(issue: RewardIssue, *, now: datetime) -> dict[str, Any]:
    """The reward in JSON."""
    # A code that is being taken back is gone for its owner.
    state = "cancelled" if issue.state == "cancelling" else shown_state(issue, now=now)
    # Until Shopify has the discount the code would only disappoint.
    shown = state in _SHOWN_CODES and issue.kind not in _WITHOUT_CODE
    return {
        "id": issue.id,
        "title": issue.title,
        "points": issue.points,
        "kind": issue.kind,
        "given_for": issue.given_for,
        "state": state,
        "code": issue.code if shown else None,
        "expires_at": issue.expires_at.isoformat() if issue.expires_at else None,
    }
