"""Rewards that cost nothing: for a birthday, for entering a tier, for a referral."""

import hashlib
import json
from datetime import datetime

from sqlmodel import select

from loyalty.book import Account, Book
from loyalty.core.decide import ends_at
from loyalty.core.program import Program, Reward
from loyalty.models import RewardIssue
from loyalty.redemption.records import tell_to_make
from loyalty.redemption.terms import frozen


def give(
    book: Book,
    account: Account,
    reward_key: str,
    *,
    given_for: str,
    slot: str,
    occurred_at: datetime,
    program: Program | None = None,
) -> RewardIssue | None:
    """Give a member a reward of the program (the one in force, unless another is named), once for each ``given_for`` and ``slot``.

    Returns it, also when it had been given before; None when the program has no such reward. Somebody who is no customer yet gets
    a code that anybody can use once.
    """
    reward = (program or book.program).reward(reward_key)
    book.ensure_ids()
    earlier = book.session.exec(
        select(RewardIssue).where(
            RewardIssue.member_id == account.id,
            RewardIssue.given_for == given_for,
            RewardIssue.slot == slot,
        )
    ).first()
    if earlier is not None or reward is None:
        return earlier
    issue = _gift(book, account, reward, given_for=given_for, slot=slot, occurred_at=occurred_at)
    issue.program_version = (program or book.program).version
    issue.expires_at = ends_at(reward, occurred_at, (program or book.program).timezone)
    book.session.add(issue)
    book.session.flush()
    tell_to_make(book, issue)
    return issue


def _gift(
    book: Book, account: Account, reward: Reward, *, given_for: str, slot: str, occurred_at: datetime
) -> RewardIssue:
    assert account.id is not None
    key = json.dumps([book.shop_id, given_for, slot, account.id])
    issue_id = hashlib.sha256(key.encode()).hexdigest()[:32]
    return RewardIssue(
        id=issue_id,
        shop_id=book.shop_id,
        member_id=account.id,
        request_key=f"gift:{issue_id}",  # unlike its slot, nobody else's when two people turn out to be one
        reward=reward.key,
        title=reward.title,
        points=0,
        kind=reward.kind,
        terms=frozen(reward),
        given_for=given_for,
        slot=slot,
        bound=account.shopify_customer_id is not None,
        amount=reward.amount,
        currency=book.shop.currency,
        minimum_subtotal=reward.minimum_subtotal,
        program_version=book.program.version,
        created_at=occurred_at,
    )
