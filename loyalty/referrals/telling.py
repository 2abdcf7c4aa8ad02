"""The news of referrals. Names and addresses are never in it: ``about_member`` says whom it is about, and they are read when it is sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from loyalty.book import Account, Book
from loyalty.core.news import (
    REFERRAL_ACCEPTED,
    REFERRAL_COMPLETED,
    REFERRAL_RECEIVED,
    REFERRAL_SHARED,
    News,
)
from loyalty.core.program import Program, Referrals
from loyalty.models import Referral, RewardIssue
from loyalty.redemption.saying import said_of
from loyalty.referrals.codes import own_or_given


def link_of(domain: str, code: str) -> str:
    """The address that a member shares: the shop's own, with the code behind it."""
    return f"https://{domain}/?ref={quote(code, safe='')}"


def tell_shared(book: Book, row: Referral, program: Program, terms: Referrals, *, at: datetime) -> None:
    """The advocate has invited the friend: both hear of it."""
    advocate, friend = book.account(row.advocate_id), book.account(row.friend_id)
    said = _said(book, row, terms, advocate) | _offer(program, terms)
    _tell(book, advocate, REFERRAL_SHARED, row, said | {"about_member": friend.id}, at)
    _tell(book, friend, REFERRAL_RECEIVED, row, said | {"about_member": advocate.id}, at)


def tell_accepted(book: Book, row: Referral, terms: Referrals, issue: RewardIssue, *, at: datetime) -> None:
    """The friend's code is there."""
    advocate, friend = book.account(row.advocate_id), book.account(row.friend_id)
    said = _said(book, row, terms, advocate) | said_of(issue) | {"reward_for": "friend"}
    _tell(book, friend, REFERRAL_ACCEPTED, row, said | {"about_member": advocate.id}, at)


def tell_completed(
    book: Book, row: Referral, terms: Referrals, *, at: datetime, issue: RewardIssue | None = None
) -> None:
    """The advocate is rewarded: points, a reward, or both."""
    advocate, friend = book.account(row.advocate_id), book.account(row.friend_id)
    said = _said(book, row, terms, advocate) | (said_of(issue) if issue is not None else {})
    gift = book.session.get(RewardIssue, row.friend_issue_id) if row.friend_issue_id else None
    said |= {
        "reward_for": "customer",
        "points": terms.advocate.points,
        "points_balance": advocate.balance,
        "about_member": friend.id,
    }
    if gift is not None and gift.code is not None:
        said["friend_coupon_code"] = gift.code
    _tell(book, advocate, REFERRAL_COMPLETED, row, said, at)


def _tell(
    book: Book, account: Account, kind: str, row: Referral, said: Mapping[str, Any], at: datetime
) -> None:
    properties = {name: value for name, value in said.items() if value is not None}
    book.post(account, (), (News(kind, properties, at, subject=row.key),))


def _said(book: Book, row: Referral, terms: Referrals, advocate: Account) -> dict[str, Any]:
    assert advocate.id is not None
    code = own_or_given(advocate.id, advocate.referral_code)
    return {
        "referral": row.key,
        "referral_title": terms.title,
        "referral_code": code,
        "referral_link": link_of(book.shop.domain, code),
    }


def _offer(program: Program, terms: Referrals) -> dict[str, Any]:
    """What the friend will get: there is no code yet."""
    reward = program.reward(terms.friend)
    if reward is None:
        return {}
    value = reward.percentage if reward.kind == "percentage_off" else reward.amount
    return {
        "reward": reward.key,
        "reward_title": reward.title,
        "reward_kind": reward.kind,
        "reward_value": (int(value) if value == value.to_integral_value() else float(value))
        if value
        else None,
        "reward_for": "friend",
    }
