"""``flask ledger``: check the books and hand them out."""

import click
from flask.cli import AppGroup
from sqlmodel import col, select

from commands.output import as_json, find_shop, house, shop_option, show
from loyalty.ledger import export, verify
from loyalty.models import Shop

ledger = AppGroup("ledger", help="Check the books and hand them out.")


@ledger.command("export")
@shop_option()
def export_ledger(domain: str) -> None:
    """Print every entry of a shop as JSON lines, by member and position."""
    with house().runtime.reading() as session:
        shop = find_shop(session, domain)
        assert shop.id is not None
        for line in export.lines(session, shop.id):
            click.echo(line)


@ledger.command("verify")
@shop_option(required=False)
@as_json
def verify_ledger(domain: str | None, *, as_json: bool) -> None:
    """Recompute every chain, balance and standing; name what is wrong and fail if anything is."""
    found = []
    with house().runtime.reading() as session:
        shops = (
            [find_shop(session, domain)]
            if domain
            else session.exec(select(Shop).order_by(col(Shop.id))).all()
        )
        for shop in shops:
            found += [
                {
                    "shop": shop.domain,
                    "member": problem.member_id,
                    "entry": problem.entry_id,
                    "problem": problem.what,
                }
                for problem in verify.verify(session, shop.id)
            ]
    if found or as_json:
        show(found, as_json=as_json)
    if found:
        raise click.ClickException(f"{len(found)} things are wrong in the books")
    if not as_json:
        click.echo(f"The books of {len(shops)} store(s) are right.")
