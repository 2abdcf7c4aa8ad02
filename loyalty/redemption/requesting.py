"""A member asks for a reward for points."""

from datetime import datetime

from sqlmodel import Session, col, select

from loyalty.book import Account, Book
from loyalty.core.decide import Price, RewardRefused, decide_reward_request, ends_at
from loyalty.core.facts import RewardRequested
from loyalty.core.program import Reward
from loyalty.models import Member, RewardIssue, Shop
from loyalty.redemption.records import tell_to_make
from loyalty.redemption.terms import frozen

_DID_NOT_HAPPEN = ("failed", "cancelled")


def request_reward(
    session: Session, shop: Shop, member: Member, request: RewardRequested, *, now: datetime
) -> RewardIssue:
    """Take the points and begin the reward. The same request key gives the same reward again, whatever it asks for. What time has done to the
    points by now is the caller's to settle (``loyalty.points.redeem``).

    Raises ``RewardRefused`` (see there for its codes).
    """
    assert member.id is not None
    book = Book(session, shop, now=now)
    book.load_members([member.id])
    account = book.account(member.id)
    earlier = session.exec(
        select(RewardIssue).where(
            RewardIssue.member_id == account.id, RewardIssue.request_key == request.request_key
        )
    ).first()
    if earlier is not None:
        return earlier
    if account.state != "member" or account.shopify_customer_id is None:
        raise RewardRefused("not_available")
    taken = _had_before(session, account, request.reward)
    reward, cost, entry = decide_reward_request(account, request, book.program, taken=taken)
    book.post(account, (entry,), ())
    issue = _new_issue(book, account, request, reward, cost)
    session.add(issue)
    session.flush()
    tell_to_make(book, issue)
    book.write()
    return issue


def _had_before(session: Session, account: Account, reward: str) -> list[datetime]:
    """When the member had this reward for points. What was never made or was taken back does not count, and gifts do not."""
    return list(
        session.exec(
            select(RewardIssue.created_at).where(
                RewardIssue.member_id == account.id,
                RewardIssue.reward == reward,
                col(RewardIssue.given_for).is_(None),
                col(RewardIssue.state).not_in(_DID_NOT_HAPPEN),
            )
        ).all()
    )


def _new_issue(
    book: Book, account: Account, request: RewardRequested, reward: Reward, cost: Price
) -> RewardIssue:
    assert account.id is not None
    return RewardIssue(
        id=request.issue_id,
        shop_id=book.shop_id,
        member_id=account.id,
        request_key=request.request_key,
        reward=reward.key,
        title=reward.title,
        points=cost.points,
        kind=reward.kind,
        terms=frozen(reward),
        amount=cost.amount,
        currency=book.shop.currency,
        minimum_subtotal=reward.minimum_subtotal,
        program_version=book.program.version,
        code=request.code,
        created_at=request.requested_at,
        expires_at=ends_at(reward, request.requested_at, book.program.timezone),
    )
