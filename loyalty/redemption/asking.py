"""What is written down about a reward before Shopify is asked for it, so that whoever asks next knows what may have happened."""

from datetime import datetime

from sqlmodel import Session, col, select

from loyalty.models import RewardIssue


def name_code(session: Session, shop_id: int, issue_id: str, code: str) -> None:
    """Give a reward its code. It follows from the reward's id, so nothing is lost when two do this."""
    issue = _locked(session, shop_id, issue_id)
    if issue is not None and issue.code is None:
        issue.code = code


def credit_may_be_paid(session: Session, shop_id: int, issue_id: str, *, after: str, now: datetime) -> bool:
    """Write down that store credit is asked for now. False when it must not be: it is settled, waits for a person, or another credit
    of the same member is under way, from which it could not be told apart.

    ``after`` is the newest credit that the customer had before: whatever this reward pays comes after it.
    """
    issue = _locked(session, shop_id, issue_id)
    if issue is None or issue.state != "issuing" or issue.failure is not None:
        return False
    another = session.exec(
        select(RewardIssue.id).where(
            RewardIssue.member_id == issue.member_id,
            RewardIssue.id != issue.id,
            RewardIssue.kind == "store_credit",
            RewardIssue.state == "issuing",
            col(RewardIssue.asked_at).is_not(None),
            col(RewardIssue.failure).is_(None),
        )
    ).first()
    if another is not None:
        return False
    issue.asked_at, issue.asked_after = now, after
    return True


def leave_to_a_person(session: Session, shop_id: int, issue_id: str, reason: str) -> None:
    """Nobody can tell whether store credit was paid: from now on only a person decides."""
    issue = _locked(session, shop_id, issue_id)
    if issue is not None and issue.state == "issuing":
        issue.failure = reason


def _locked(session: Session, shop_id: int, issue_id: str) -> RewardIssue | None:
    mine = (RewardIssue.id == issue_id, RewardIssue.shop_id == shop_id)
    return session.exec(
        select(RewardIssue).where(*mine).with_for_update().execution_options(populate_existing=True)
    ).first()
