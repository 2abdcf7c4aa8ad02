"""Turns decided entries, news and changed rows into the values of a few statements."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session

from loyalty import bulk, outbox
from loyalty.book.records import Account, OrderRecord, row_of
from loyalty.core.ledger import Entry, chain_hash, entry_id
from loyalty.core.news import News
from loyalty.core.standing import Award
from loyalty.models import AwardRow, LedgerEntry, Member, OrderStanding


def insert_accounts(session: Session, shop_id: int, accounts: Sequence[Account], now: datetime) -> None:
    """Insert new members; each account gets its id."""
    if not accounts:
        return
    for account, member_id in zip(accounts, bulk.new_ids(session, Member, len(accounts)), strict=True):
        account.id, account.name, account.known_as = member_id, str(member_id), account.identity()
    bulk.insert_rows(
        session,
        Member,
        [{"id": account.id} | _member_values(shop_id, account, now) for account in accounts],
    )


def insert_entries(
    session: Session, shop_id: int, accounts: Sequence[Account], now: datetime
) -> list[Account]:
    """Chain and insert the pending entries of the accounts; returns the accounts that had some."""
    moved = [account for account in accounts if account.unwritten]
    rows = [_chain(shop_id, account, entry, now) for account in moved for entry in account.unwritten]
    bulk.insert_rows(session, LedgerEntry, rows)
    for account in moved:
        account.unwritten = []
    return moved


def free_emails(session: Session, known: Iterable[Account], wanted: Collection[str | None]) -> None:
    """Take wanted addresses off the rows of those who gave them up: an address is unique at every moment."""
    holders = [one for one in known if one.known_as[1] in wanted and one.known_as[1] not in (None, one.email)]
    bulk.update_rows(session, Member, [{"id": one.id, "email": None} for one in holders])
    for one in holders:
        one.known_as = one.known_as[0], None


def update_accounts(session: Session, shop_id: int, accounts: Sequence[Account], now: datetime) -> None:
    """Write the members that changed."""
    changed = [account for account in accounts if account.changed]
    free_emails(session, changed, {one.email for one in changed if one.email != one.known_as[1]})
    bulk.update_rows(session, Member, [{"id": one.id} | _member_values(shop_id, one, now) for one in changed])
    for account in changed:
        account.changed, account.known_as = False, account.identity()


def write_orders(session: Session, shop_id: int, orders: Sequence[OrderRecord], now: datetime) -> None:
    """Write the orders that are new or changed."""
    changed = [order for order in orders if order.changed]
    known = [
        _order_values(shop_id, order, now) | {"id": order.id} for order in changed if order.id is not None
    ]
    new = [_order_values(shop_id, order, now) for order in changed if order.id is None]
    bulk.update_rows(session, OrderStanding, known)
    bulk.insert_rows(session, OrderStanding, new)
    for order in changed:
        order.changed = False


def write_awards(
    session: Session,
    shop_id: int,
    changed: Sequence[tuple[int | None, Account, Award]],
    now: datetime,
) -> None:
    """Write the awards that are new (their row id is None) or changed."""
    rows = [(row_id, _award_values(shop_id, account, award, now)) for row_id, account, award in changed]
    known = [values | {"id": row_id} for row_id, values in rows if row_id is not None]
    new = [values for row_id, values in rows if row_id is None]
    bulk.update_rows(session, AwardRow, known)
    bulk.insert_rows(session, AwardRow, new)


def news_message(shop_id: int, member_id: int, news: News, now: datetime) -> dict[str, Any]:
    """The message to Klaviyo that tells a piece of news. Its unique id is that of the entry it tells of."""
    if news.entry:
        subject = entry_id(shop_id, news.entry)
    else:
        subject = f"{news.kind}:{member_id}" + (f":{news.subject}" if news.subject else "")
    return outbox.row(
        shop_id,
        outbox.KLAVIYO,
        news.kind,
        f"laurel:{shop_id}:{subject}",
        news.properties,
        member_id=member_id,
        occurred_at=news.occurred_at,
        now=now,
        backfill=news.history,
        not_before=news.not_before,
    )


def _chain(shop_id: int, account: Account, entry: Entry, now: datetime) -> dict[str, Any]:
    assert account.id is not None
    position = account.entry_count + 1
    digest = chain_hash(account.chain_head, account.id, position, entry)
    values = {
        "id": entry_id(shop_id, entry),
        "shop_id": shop_id,
        "member_id": account.id,
        "position": position,
        "points": entry.points,
        "kind": entry.kind,
        "source_kind": entry.source.kind,
        "source_ref": entry.source.ref,
        "rule": entry.rule,
        "sequence": entry.sequence,
        "program_version": entry.program_version,
        "reason": entry.reason,
        "why": dict(entry.why),
        "occurred_at": entry.occurred_at,
        "recorded_at": now,
        "previous_hash": account.chain_head,
        "hash": digest,
    }
    account.entry_count, account.chain_head = position, digest
    return values


def _member_values(shop_id: int, account: Account, now: datetime) -> dict[str, Any]:
    return row_of(account) | {"shop_id": shop_id, "updated_at": now}


def _order_values(shop_id: int, order: OrderRecord, now: datetime) -> dict[str, Any]:
    return {
        "shop_id": shop_id,
        "order_id": order.order_id,
        "member_id": order.account.id if order.account else None,
        "name": order.snapshot.name,
        "snapshot": order.snapshot.to_json(),
        "snapshot_at": order.snapshot.updated_at,
        "authoritative": order.authoritative,
        "unreadable": order.unreadable,
        "program_version": order.pin.version if order.pin else None,
        "tier": order.pin.tier if order.pin else None,
        "placed_at": order.snapshot.created_at,
        "counted": order.counted,
        "updated_at": now,
    }


def _award_values(shop_id: int, account: Account, award: Award, now: datetime) -> dict[str, Any]:
    return {
        "shop_id": shop_id,
        "member_id": account.id,
        "source_kind": award.source.kind,
        "source_ref": award.source.ref,
        "rule": award.rule,
        "way": award.way,
        "title": award.title,
        "worth": award.worth,
        "posted": award.posted,
        "postings": award.postings,
        "slot": award.slot,
        "program_version": award.program_version,
        "why": award.why,
        "occurred_at": award.occurred_at,
        "release_at": award.release_at,
        "updated_at": now,
    }
