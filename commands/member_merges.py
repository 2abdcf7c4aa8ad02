"""``flask members unmerge``: two people who were taken for one are two again."""

import click
from sqlmodel import select

from commands.members import members
from commands.output import as_json, find_shop, house, shop_option, show, show_one
from loyalty import merges
from loyalty.core.email import normal_email
from loyalty.models import Member

_WHY = {
    "unknown": "there is no such merge",
    "undone": "this merge was taken back already",
    "merged_on": "the account has become part of another one since: take that merge back first",
    "redacted": "the person was erased",
}


@members.command("unmerge")
@shop_option()
@click.argument("email")
@click.option("--merge", "merge_id", type=int, help="The merge to take back; without it they are listed.")
@as_json
def unmerge(domain: str, email: str, merge_id: int | None, *, as_json: bool) -> None:
    """Take a merge of somebody's accounts back, by entries against entries."""
    parts = house()
    with parts.runtime.reading() as session:
        shop = find_shop(session, domain)
        mine = select(Member).where(Member.shop_id == shop.id, Member.email == normal_email(email))
        member = session.exec(mine).first()
        if member is None or member.id is None or shop.id is None:
            raise click.ClickException("nobody here has this e-mail address")
        found = merges.merges_of(session, shop.id, member.id)
        rows = [
            {
                "merge": row.id,
                "account": row.source_id,
                "became_part_of": row.target_id,
                "points": merges.returning_points(session, row),
                "merged_at": row.merged_at.isoformat(timespec="seconds"),
                "taken_back_at": row.undone_at.isoformat(timespec="seconds") if row.undone_at else None,
            }
            for row in found
        ]
    if merge_id is None:
        show(rows, as_json=as_json)
        return
    if merge_id not in {row.id for row in found}:
        raise click.ClickException(_WHY["unknown"])
    now = parts.runtime.clock()
    try:
        with parts.runtime.transaction() as session:
            channels = merges.unmerge(
                session, find_shop(session, domain), merge_id, staff="command line", now=now
            )
    except merges.UnmergeRefused as why:
        raise click.ClickException(_WHY[why.code]) from None
    for channel in sorted(channels):
        parts.bell("drain_outbox", shop.id, channel)
    show_one({"merge": merge_id, "taken_back": True}, as_json=as_json)
