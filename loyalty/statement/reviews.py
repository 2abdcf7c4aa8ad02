"""Reviews that we met and what became of each: who earned, who waits for what, and who earns nothing and why."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from loyalty.models import Review
from loyalty.statement.keyset import Cursor, Page, fetch_page
from loyalty.statement.members import MemberRow, names_of

STATES = ("pending", "awarded", "reversed", "ineligible")


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One review and the member who wrote it, when that is known."""

    review: Review
    member: MemberRow | None


def reviews_page(
    session: Session, shop_id: int, *, state: str = "", cursor: Cursor | None = None, limit: int = 50
) -> Page[ReviewRow]:
    """One page of the reviews, the latest that we met first."""
    statement = select(Review).where(col(Review.shop_id) == shop_id)
    if state in STATES:
        statement = statement.where(col(Review.state) == state)
    identity: Any = col(Review.id)
    page = fetch_page(
        session, statement, [identity], cursor=cursor, limit=limit, key_of=lambda row: (row[0].id,)
    )
    reviews = [row[0] for row in page.rows]
    people = names_of(session, {review.member_id for review in reviews if review.member_id is not None})
    rows = tuple(
        ReviewRow(review, people.get(review.member_id) if review.member_id else None) for review in reviews
    )
    return Page(rows, page.newer, page.older)
