"""Where a person is named beside their own row: files that members were imported from, merges, devices. It forgets them there."""

import re
from typing import Any

from sqlalchemy import or_, update
from sqlmodel import Session, col, select

from loyalty import referrals
from loyalty.models import ImportChunk, ImportRow, Member, MemberMerge

_UNSEEN = {"synchronize_session": False}


def forget_merges(session: Session, shop_id: int, emails: set[str]) -> None:
    """Forget whose address it was that a merge would give back."""
    named = (col(MemberMerge.shop_id) == shop_id, col(MemberMerge.email).in_(emails))
    session.execute(update(MemberMerge).where(*named).values(email=None), execution_options=_UNSEEN)


def forget_files(session: Session, shop_id: int, customer_id: int | None, emails: set[str]) -> None:
    """Take the person's lines out of files that wait to be imported: read later, they would bring the person back."""
    named: list[Any] = [col(ImportRow.email).in_(emails)] if emails else []
    if customer_id:
        named.append(col(ImportRow.customer_id) == customer_id)
    if not named:
        return
    gone: dict[str, Any] = {
        "email": None,
        "customer_id": None,
        "told": {},
        "state": "skipped",
        "reason": "redacted",
    }
    session.execute(
        update(ImportRow).where(col(ImportRow.shop_id) == shop_id, or_(*named)).values(**gone),
        execution_options=_UNSEEN,
    )
    _forget_pieces(session, shop_id, customer_id, emails)


def forget_traces(session: Session, person: Member) -> None:
    """Forget what imports and merges remember of somebody for undoing them, and on which devices they were seen."""
    mine = col(ImportRow.member_id) == person.id
    session.execute(update(ImportRow).where(mine).values(before={}), execution_options=_UNSEEN)
    referrals.forget(session, [person.id] if person.id is not None else [])
    merges = select(MemberMerge).where(
        or_(col(MemberMerge.source_id) == person.id, col(MemberMerge.target_id) == person.id)
    )
    for merge in session.exec(merges).all():
        # What changed hands is numbers only.
        merge.email = None
        session.add(merge)


def _forget_pieces(session: Session, shop_id: int, customer_id: int | None, emails: set[str]) -> None:
    """Empty the person's lines in files that have not been read yet; the other lines keep their numbers."""
    words = [re.escape(email) for email in sorted(emails)]
    if customer_id:
        words.append(rf"(?<!\d){customer_id}(?!\d)")
    names_person = re.compile("|".join(words), re.IGNORECASE)
    pieces = select(ImportChunk.id).where(ImportChunk.shop_id == shop_id).order_by(col(ImportChunk.id))
    for piece_id in session.exec(pieces).all():
        piece = session.get_one(ImportChunk, piece_id)
        text = piece.data.decode()
        if names_person.search(text):
            lines = text.split("\n")
            piece.data = "\n".join("" if names_person.search(line) else line for line in lines).encode()
            session.add(piece)
        session.flush()
        session.expunge(piece)
