"""Rewards for points: money first. The points go and the reward is recorded in one transaction, before Shopify hears of it.

From then on the reward is ``issuing``: it becomes ``issued`` when Shopify has the code, or ``failed``, and then the points come back.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from loyalty.book import Book
from loyalty.core import ledger
from loyalty.core.decide import (
    RewardRefused,
    decide_reward_request,
    decide_reward_return,
    redeemed_news,
)
from loyalty.core.facts import Fact, OrderSeen, RewardFailed, RewardIssued, RewardRequested
from loyalty.core.ledger import Entry
from loyalty.ledger.reading import as_entry
from loyalty.models import LedgerEntry, Member, RewardIssue, Shop

ISSUE_REWARD = "issue_reward"
NOT_IN_TIME = "not_made_in_time"
# A shopper waits for a code for seconds; whoever still waits after a day gets the points back instead.
LONGEST_ISSUING = timedelta(days=1)
_AT_ONCE = 500


def request_reward(
    session: Session, shop: Shop, member: Member, request: RewardRequested, *, now: datetime
) -> RewardIssue:
    """Take the points and begin the reward. The same request key gives the same reward again, whatever it asks for.

    Raises ``RewardRefused`` (unknown_reward, not_enough_points, not_available).
    """
    assert member.id is not None
    assert shop.id is not None
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
    reward, cost, entry = decide_reward_request(account, request, book.program)
    assert account.id is not None
    book.post(account, (entry,), ())
    issue = RewardIssue(
        id=request.issue_id,
        shop_id=shop.id,
        member_id=account.id,
        request_key=request.request_key,
        reward=reward.key,
        title=reward.title,
        points=cost.points,
        amount=cost.amount,
        kind=reward.kind,
        currency=shop.currency,
        minimum_subtotal=reward.minimum_subtotal,
        program_version=book.program.version,
        code=request.code,
        created_at=now,
        expires_at=now + timedelta(days=reward.expires_after_days) if reward.expires_after_days else None,
    )
    session.add(issue)
    session.flush()
    book.tell_shopify(ISSUE_REWARD, f"issue:{issue.id}", {"issue_id": issue.id}, account)
    book.write()
    return issue


def reward_issued(book: Book, fact: RewardIssued) -> None:
    """Shopify has the code: the member may use it, and now it is told."""
    issue = _locked(book, fact.issue_id)
    if issue is None or issue.state not in ("issuing", "failed"):
        return
    if issue.state == "failed":
        # The points went back and the code exists after all: it must not be usable.
        book.tell_shopify("deactivate_code", f"deactivate:{issue.id}", {"issue_id": issue.id})
        issue.discount_id = fact.discount_id
        return
    issue.state, issue.discount_id, issue.issued_at = "issued", fact.discount_id, fact.issued_at
    book.load_members([issue.member_id])
    account = book.account(issue.member_id)
    redeemed = _redeemed(book.session, issue)
    reward = _reward_properties(issue)
    book.post(
        account, (), (redeemed_news(redeemed, balance=account.balance, at=fact.issued_at, reward=reward),)
    )


def reward_failed(book: Book, fact: RewardFailed) -> None:
    """The code cannot be made: the points come back by a new entry, once."""
    issue = _locked(book, fact.issue_id)
    if issue is None or issue.state != "issuing":
        return
    issue.state, issue.failure = "failed", fact.reason
    book.load_members([issue.member_id])
    account = book.account(issue.member_id)
    redeemed = _redeemed(book.session, issue)
    reason = "Reward could not be made"
    decision = decide_reward_return(
        redeemed, because=fact.reason, reason=reason, at=fact.failed_at, balance=account.balance
    )
    book.apply(account, decision)
    if fact.reason == NOT_IN_TIME:
        # Nobody knows whether the last attempt reached Shopify: if it did, the code must not be usable.
        book.tell_shopify("deactivate_code", f"deactivate:{issue.id}", {"issue_id": issue.id})


def mark_used(book: Book, facts: Sequence[Fact]) -> None:
    """An order that carries a reward's code has used it."""
    used_by: dict[str, int] = {}
    for fact in facts:
        if isinstance(fact, OrderSeen) and not fact.order.cancelled:
            used_by |= {code.upper(): fact.order.order_id for code in fact.order.discount_codes}
    if not used_by:
        return
    issues = book.session.exec(
        select(RewardIssue).where(
            RewardIssue.shop_id == book.shop_id,
            col(RewardIssue.code).in_(used_by),
            col(RewardIssue.state).in_(("issuing", "issued", "expired")),
        )
    ).all()
    for issue in issues:
        issue.state, issue.used_at, issue.used_order_id = "used", book.now, used_by[issue.code or ""]


def shops_with_overdue(session: Session, *, now: datetime) -> list[int]:
    """The shops where a reward is being made for longer than anybody should wait."""
    overdue = select(RewardIssue.shop_id).distinct().where(*_overdue(now))
    return list(session.exec(overdue).all())


def return_overdue(session: Session, shop: Shop, *, now: datetime) -> frozenset[str]:
    """Give the points of overdue rewards back. Returns the outbox channels that have something to send."""
    late = select(RewardIssue.id).where(RewardIssue.shop_id == shop.id, *_overdue(now)).limit(_AT_ONCE)
    book = Book(session, shop, now=now)
    for issue_id in session.exec(late).all():
        reward_failed(book, RewardFailed(issue_id, NOT_IN_TIME, now))
    return book.write()


def _overdue(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return col(RewardIssue.state) == "issuing", col(RewardIssue.created_at) < now - LONGEST_ISSUING


def _locked(book: Book, issue_id: str) -> RewardIssue | None:
    return book.session.exec(
        select(RewardIssue)
        .where(RewardIssue.id == issue_id, RewardIssue.shop_id == book.shop_id)
        .with_for_update()
    ).first()


def _redeemed(session: Session, issue: RewardIssue) -> Entry:
    """The entry that took the points."""
    row = session.exec(
        select(LedgerEntry).where(
            LedgerEntry.shop_id == issue.shop_id,
            LedgerEntry.source_kind == "reward",
            LedgerEntry.source_ref == issue.id,
            LedgerEntry.kind == ledger.REDEEM,
        )
    ).one()
    return as_entry(row)


def _reward_properties(issue: RewardIssue) -> dict[str, Any]:
    return {
        "reward": issue.reward,
        "reward_title": issue.title,
        "reward_amount": str(issue.amount),
        "currency": issue.currency,
        "coupon_code": issue.code,
        **({"coupon_expires_at": issue.expires_at.isoformat()} if issue.expires_at else {}),
    }
