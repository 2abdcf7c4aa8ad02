"""What became of the actions that a shop's own programs told of. They are told once, by the caller's id; whoever asks gets the reason."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import delete, func, update
from sqlmodel import Session, col, select

from loyalty import inbox
from loyalty.models import ApiAction, AwardRow, InboxMessage, Shop
from loyalty.outbox import add_once


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action. ``state``: ``received`` (its turn is yet to come), ``earned``, ``pending`` (the points come at
    ``available_at``), ``refused`` (``reason`` says why) or ``unreadable`` (it was put aside)."""

    key: str
    rule: str
    state: str
    received_at: datetime
    points: int = 0
    reason: str | None = None
    available_at: datetime | None = None


def note(session: Session, shop_id: int, *, key: str, rule: str, now: datetime) -> bool:
    """Note that an action was told of. False when its id was there already."""
    values = {"shop_id": shop_id, "key": key, "rule": rule, "received_at": now}
    return add_once(session, ApiAction, values)


def refuse(session: Session, shop_id: int, *, key: str, rule: str, reason: str) -> None:
    """Note why an action earned nothing. An action that no program told of needs no note."""
    if not key:
        return
    session.execute(
        update(ApiAction)
        .where(col(ApiAction.shop_id) == shop_id, col(ApiAction.key) == key, col(ApiAction.rule) == rule)
        .values(refusal=reason)
        .execution_options(synchronize_session=False)
    )


def forget_refused(session: Session, shop_id: int, *, before: datetime, limit: int) -> int:
    """Remove so many actions that earned nothing and were told of before a moment; returns how many. Whoever tells of one again asks anew.

    What earned is never forgotten: its id must not earn again, by no other rule either, and the ledger knows it by rule and id only.
    """
    ref = col(ApiAction.rule) + ":" + col(ApiAction.key)
    earned = select(AwardRow.id).where(
        AwardRow.shop_id == shop_id, AwardRow.source_kind == "action", col(AwardRow.source_ref) == ref
    )
    refused = (
        select(ApiAction.id)
        .where(
            ApiAction.shop_id == shop_id,
            col(ApiAction.received_at) < before,
            col(ApiAction.refusal).is_not(None),
            ~earned.exists(),
        )
        .order_by(col(ApiAction.received_at))
        .limit(limit)
    )
    ids = session.exec(refused).all()
    session.execute(
        delete(ApiAction).where(col(ApiAction.id).in_(ids)),
        execution_options={"synchronize_session": False},
    )
    return len(ids)


def told_since(session: Session, shop_id: int, since: datetime) -> int:
    """How many actions were told of since a moment."""
    statement = select(func.count()).where(
        col(ApiAction.shop_id) == shop_id, col(ApiAction.received_at) > since
    )
    return session.exec(statement).one()


def outcome(session: Session, shop: Shop, key: str, *, now: datetime) -> Outcome | None:
    """What became of one action; None when nobody told of it."""
    row = session.exec(select(ApiAction).where(ApiAction.shop_id == shop.id, ApiAction.key == key)).first()
    return _outcomes(session, shop, [row], now=now)[0] if row else None


def newest(session: Session, shop: Shop, *, now: datetime, limit: int = 50) -> Sequence[Outcome]:
    """What became of the newest actions."""
    rows = session.exec(
        select(ApiAction)
        .where(ApiAction.shop_id == shop.id)
        .order_by(col(ApiAction.received_at).desc(), col(ApiAction.id).desc())
        .limit(limit)
    ).all()
    return _outcomes(session, shop, rows, now=now)


def _outcomes(session: Session, shop: Shop, rows: Sequence[ApiAction], *, now: datetime) -> list[Outcome]:
    refs = [f"{row.rule}:{row.key}" for row in rows]
    awards = session.exec(
        select(AwardRow).where(
            AwardRow.shop_id == shop.id, AwardRow.source_kind == "action", col(AwardRow.source_ref).in_(refs)
        )
    ).all()
    given = {award.source_ref: award for award in awards}
    states = session.execute(
        select(InboxMessage.delivery_id, InboxMessage.state).where(
            InboxMessage.shop_domain == shop.domain,
            InboxMessage.source == inbox.API,
            col(InboxMessage.delivery_id).in_([row.key for row in rows]),
        )
    ).all()
    parked = {delivery_id for delivery_id, state in states if state == "parked"}
    return [
        _outcome(row, given.get(ref), is_parked=row.key in parked, now=now)
        for row, ref in zip(rows, refs, strict=True)
    ]


def _outcome(row: ApiAction, award: AwardRow | None, *, is_parked: bool, now: datetime) -> Outcome:
    told = Outcome(row.key, row.rule, "unreadable" if is_parked else "received", row.received_at)
    if award is None:
        return told if row.refusal is None else replace(told, state="refused", reason=row.refusal)
    if award.release_at is not None and award.release_at > now and not award.postings:
        return replace(told, state="pending", points=award.worth, available_at=award.release_at)
    return replace(told, state="earned", points=award.worth)
