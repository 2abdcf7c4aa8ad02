"""The merges that a member had a part in: what each moved, and taking it back."""

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint
from flask.wrappers import Response
from sqlmodel import Session, col, select

from loyalty import merges
from loyalty.database import retry_on_conflict
from loyalty.models import MemberMerge, Shop
from loyalty.statement.members import member, names_of
from shopify_app.admin.answers import done, refused
from shopify_app.admin.page import Pages

_WHY = {
    "unknown": "There is no such merge.",
    "undone": "This merge was taken back already.",
    "merged_on": "The account has become part of another one since. Take that merge back first.",
    "redacted": "The person was erased: nobody knows any longer who was who.",
}


@dataclass(frozen=True, slots=True)
class MergeRow:
    """A merge as the page shows it. ``points`` is what would go back now."""

    id: int
    other_id: int
    other: str
    is_kept: bool
    orders: int
    points: int
    merged_at: datetime
    undone_at: datetime | None


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET /members/<id>/merges`` and the way back."""

    @blueprint.get("/members/<int:member_id>/merges")
    def show_merges(member_id: int) -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            if member(session, shop.id or 0, member_id) is None:
                return pages.missing(shop, "There is no such member.", back="/members")
            rows = _rows(session, shop, member_id)
            return pages.render("admin/member_merges.html", shop, member_id=member_id, merges=rows)

    @blueprint.post("/members/<int:member_id>/merges/<int:merge_id>/undo")
    @retry_on_conflict
    def undo_merge(member_id: int, merge_id: int) -> Response | tuple[Response, int]:
        merchant = pages.merchant()
        try:
            with pages.runtime.transaction() as session:
                mine = select(MemberMerge.id).where(
                    MemberMerge.id == merge_id,
                    (col(MemberMerge.source_id) == member_id) | (col(MemberMerge.target_id) == member_id),
                )
                if session.exec(mine).first() is None:
                    return refused(_WHY["unknown"], status=404)
                channels = merges.unmerge(
                    session,
                    pages.shop(session),
                    merge_id,
                    staff=f"Staff member {merchant.user_id}",
                    now=pages.runtime.clock(),
                )
        except merges.UnmergeRefused as why:
            return refused(_WHY[why.code], status=404 if why.code == "unknown" else 409)
        for channel in sorted(channels):
            pages.runtime.nudge("drain_outbox", merchant.shop_id, channel)
        return done("The two are two again", redirect=pages.link(f"/members/{member_id}/merges"))


def _rows(session: Session, shop: Shop, member_id: int) -> list[MergeRow]:
    found = merges.merges_of(session, shop.id or 0, member_id)
    names = names_of(session, {one for row in found for one in (row.source_id, row.target_id)})
    rows = []
    for row in found:
        other = row.source_id if row.target_id == member_id else row.target_id
        rows.append(
            MergeRow(
                id=row.id or 0,
                other_id=other,
                other=names[other].title if other in names else f"Member {other}",
                is_kept=row.target_id == member_id,
                orders=len(row.moved["orders"]),
                points=merges.returning_points(session, row),
                merged_at=row.merged_at,
                undone_at=row.undone_at,
            )
        )
    return rows
