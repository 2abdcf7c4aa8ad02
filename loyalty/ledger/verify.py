"""Proves the ledger: every chain, and what members and awards say of their entries, recomputed from the entries alone.

It names what is wrong and changes nothing. A quiet edit of an entry shows. Somebody who rewrites a whole chain, or cuts off its end,
and mends the member's head shows only against a ``digest`` that was kept elsewhere. Give it a session that sees one moment
(``loyalty.database.reading``), or entries that arrive meanwhile look like mistakes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session, col, select

from loyalty.ledger.chain import chain_problems
from loyalty.ledger.problem import Problem
from loyalty.ledger.reading import Fold, accounts, stream
from loyalty.ledger.sources import source_problems
from loyalty.models import LedgerEntry, Member, Shop

__all__ = ["Digest", "Problem", "digest", "verify"]


@dataclass(frozen=True, slots=True)
class Digest:
    """A shop's whole ledger in one line: equal digests are equal ledgers."""

    members: int
    entries: int
    points: int
    sha256: str


def verify(session: Session, shop_id: int | None = None) -> Iterator[Problem]:
    """Everything that is wrong with the ledger of a shop (or of all of them), as it is found; nothing when all is well."""
    shop_ids = (
        [shop_id] if shop_id is not None else list(session.scalars(select(Shop.id).order_by(col(Shop.id))))
    )
    for shop in shop_ids:
        assert shop is not None
        for member, rows in accounts(session, shop):
            fold = Fold()
            yield from chain_problems(rows, fold)
            yield from _member_problems(member, fold)
        yield from _strangers(session, shop)
        yield from source_problems(session, shop)


def digest(session: Session, shop_id: int) -> Digest:
    """SHA-256 over the chain heads of the shop's members, in the order of their ids."""
    seal = hashlib.sha256()
    members = entries = points = 0
    statement = (
        select(Member.id, Member.entry_count, Member.chain_head, Member.balance)
        .where(Member.shop_id == shop_id, Member.entry_count > 0)
        .order_by(col(Member.id))
    )
    for row in stream(session, statement):
        seal.update(f"{row.id} {row.entry_count} {row.chain_head}\n".encode())
        members, entries, points = members + 1, entries + row.entry_count, points + row.balance
    return Digest(members, entries, points, seal.hexdigest())


def _member_problems(member: Row[Any], fold: Fold) -> Iterator[Problem]:
    for figure in (field.name for field in fields(Fold)):
        said, right = getattr(member, figure), getattr(fold, figure)
        if said != right:
            yield Problem(
                member.id, None, f"{figure} says {said or 'nothing'}, the entries give {right or 'nothing'}"
            )


def _strangers(session: Session, shop_id: int) -> Iterator[Problem]:
    """Entries that belong to one shop while their member belongs to another."""
    statement = (
        select(LedgerEntry.member_id, LedgerEntry.id)
        .join(Member, col(Member.id) == col(LedgerEntry.member_id))
        .where(
            Member.shop_id != LedgerEntry.shop_id,
            (Member.shop_id == shop_id) | (LedgerEntry.shop_id == shop_id),
        )
    )
    for row in session.execute(statement):
        yield Problem(row.member_id, row.id, "belongs to another shop than its member")
