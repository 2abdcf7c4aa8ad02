"""``flask members``: people and their standing."""

import click
from flask.cli import AppGroup
from sqlmodel import col, select

from commands.output import as_json, find_shop, house, shop_option, show, show_one
from loyalty.core.email import normal_email
from loyalty.models import LedgerEntry, Member

members = AppGroup("members", help="People and their standing.")


@members.command("show")
@shop_option()
@click.argument("email")
@click.option(
    "--entries", default=20, show_default=True, help="How many of the latest ledger entries to show."
)
@as_json
def show_member(domain: str, email: str, entries: int, *, as_json: bool) -> None:
    """Show a member's standing and the latest entries of the ledger."""
    with house().runtime.reading() as session:
        shop = find_shop(session, domain)
        member = session.exec(
            select(Member).where(Member.shop_id == shop.id, Member.email == normal_email(email))
        ).first()
        if member is None:
            raise click.ClickException("nobody here has this e-mail address")
        latest = session.exec(
            select(LedgerEntry)
            .where(LedgerEntry.member_id == member.id)
            .order_by(col(LedgerEntry.position).desc())
            .limit(entries)
        ).all()
    standing = {
        "member": member.id,
        "shopify_customer_id": member.shopify_customer_id,
        "state": member.state,
        "balance": member.balance,
        "lifetime_earned": member.lifetime_earned,
        "lifetime_spent": member.lifetime_spent,
        "joined_at": member.joined_at,
    }
    rows = [
        {
            "position": entry.position,
            "points": entry.points,
            "kind": entry.kind,
            "source": f"{entry.source_kind} {entry.source_ref}",
            "reason": entry.reason,
            "program": entry.program_version,
            "occurred_at": entry.occurred_at.isoformat(timespec="seconds"),
            "why": entry.why,
        }
        for entry in latest
    ]
    if as_json:
        show_one(standing | {"entries": rows}, as_json=True)
        return
    show_one(standing, as_json=False)
    click.echo()
    show(rows, as_json=False)
