"""Everything that is held about one person, as plain data for the store owner to hand over."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, SQLModel, col, select

from loyalty.models import (
    AwardRow,
    LedgerEntry,
    Member,
    MemberDevice,
    OrderStanding,
    OutboxMessage,
    PrivacyRequest,
    Referral,
    Review,
    RewardIssue,
)

_MEMBER = [
    "id",
    "shopify_customer_id",
    "email",
    "first_name",
    "last_name",
    "locale",
    "state",
    "joined_at",
    "balance",
    "lifetime_earned",
    "lifetime_spent",
    "customer_updated_at",
    "created_at",
    "updated_at",
    "pending",
    "tier",
    "tier_since",
    "tier_until",
    "hand_tier",
    "birthday_month",
    "birthday_day",
    "birthday_told_at",
    "subscribed_at",
    "referral_code",
    "last_activity_at",
    "last_order_at",
    "expires_at",
    "expiring_points",
]
_AWARD = [
    "occurred_at",
    "source_kind",
    "source_ref",
    "rule",
    "title",
    "worth",
    "posted",
    "release_at",
    "program_version",
    "why",
]
_REFERRAL = [
    "key",
    "state",
    "reason",
    "checks",
    "shared_at",
    "claimed_at",
    "ordered_at",
    "order_id",
    "due_at",
    "completed_at",
    "ruling",
    "ruled_at",
    "device",
    "network",
]
_DEVICE = ["device", "seen_at"]
_ENTRY = [
    "occurred_at",
    "recorded_at",
    "kind",
    "points",
    "source_kind",
    "source_ref",
    "rule",
    "program_version",
    "reason",
    "why",
]
_ORDER = ["order_id", "name", "placed_at", "snapshot", "counted", "program_version", "tier"]
_REWARD = [
    "id",
    "reward",
    "kind",
    "given_for",
    "title",
    "points",
    "amount",
    "currency",
    "minimum_subtotal",
    "state",
    "code",
    "discount_id",
    "created_at",
    "issued_at",
    "expires_at",
    "used_at",
    "used_order_id",
]
_REVIEW = [
    "review_id",
    "kind",
    "rating",
    "verified",
    "has_media",
    "has_video",
    "status",
    "state",
    "reason",
    "submitted_at",
]
_MESSAGE = ["channel", "kind", "occurred_at", "payload", "state", "finished_at"]
_REQUEST = ["kind", "request_ref", "received_at", "completed_at"]


def member_export(session: Session, member: Member) -> dict[str, Any]:
    """The person, and everything that points at them, accounts that were merged into theirs included."""
    ids = _with_merged(session, member)
    return {
        "person": _plain(member, _MEMBER),
        "merged_accounts": [
            _plain(row, _MEMBER)
            for row in session.exec(select(Member).where(col(Member.id).in_(ids), Member.id != member.id))
        ],
        "points": _rows(session, LedgerEntry, ids, _ENTRY, "recorded_at"),
        "awards": _rows(session, AwardRow, ids, _AWARD, "id"),
        "orders": _rows(session, OrderStanding, ids, _ORDER, "id"),
        "rewards": _rows(session, RewardIssue, ids, _REWARD, "created_at"),
        "reviews": _rows(session, Review, ids, _REVIEW, "id"),
        "friends_brought": _referrals(session, col(Referral.advocate_id).in_(ids)),
        "brought_by": _referrals(session, col(Referral.friend_id).in_(ids)),
        "devices": _rows(session, MemberDevice, ids, _DEVICE, "id"),
        "messages": _rows(session, OutboxMessage, ids, _MESSAGE, "id"),
        "requests": _rows(session, PrivacyRequest, ids, _REQUEST, "id"),
    }


def answer_request(
    session: Session, shop_id: int, request_id: int, *, now: datetime
) -> dict[str, Any] | None:
    """The export that a data request asks for; it counts as answered from now on. None when there is no such request."""
    request = session.exec(
        select(PrivacyRequest).where(
            PrivacyRequest.id == request_id,
            PrivacyRequest.shop_id == shop_id,
            PrivacyRequest.kind == "data_request",
        )
    ).first()
    member = session.get(Member, request.member_id) if request and request.member_id is not None else None
    if request is None or member is None:
        return None
    request.completed_at = request.completed_at or now
    session.add(request)
    return member_export(session, member)


def _with_merged(session: Session, member: Member) -> set[int]:
    assert member.id is not None
    ids = layer = {member.id}
    while layer:
        found = session.exec(
            select(Member.id).where(Member.shop_id == member.shop_id, col(Member.merged_into).in_(layer))
        ).all()
        layer = {row for row in found if row is not None} - ids
        ids = ids | layer
    return ids


def _rows(session: Session, table: Any, ids: set[int], names: list[str], order: str) -> list[dict[str, Any]]:
    rows = session.exec(select(table).where(table.member_id.in_(ids)).order_by(getattr(table, order))).all()
    return [_plain(row, names) for row in rows]


def _referrals(session: Session, whose: ColumnElement[bool]) -> list[dict[str, Any]]:
    """Referrals of a person; who the other one is belongs to the other one."""
    rows = session.exec(select(Referral).where(whose).order_by(col(Referral.id))).all()
    return [_plain(row, _REFERRAL) for row in rows]


def _plain(row: SQLModel, names: list[str]) -> dict[str, Any]:
    return {name: _value(getattr(row, name)) for name in names}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
