"""``flask program preview``: what a changed program would make of everything that has happened in a store."""

from datetime import datetime
from decimal import Decimal
from typing import Any, TextIO

import click

from commands.output import as_json, find_shop, house, shop_option, show, show_one
from commands.program import program, program_file, read_document, refusal
from loyalty import preview, programs
from loyalty.core.document import ProgramInvalid
from loyalty.core.moments import start_of
from loyalty.statement.formats import formats_of
from loyalty.statement.money import Money

_FIGURES = (
    ("earned", "earned"),
    ("pending", "pending"),
    ("redeemed", "redeemed"),
    ("adjusted by staff and imports", "adjusted"),
    ("expired", "expired"),
    ("debts written off", "forgiven"),
    ("outstanding", "outstanding"),
    ("outstanding, in money", "outstanding_worth"),
    ("earned and pending, in money", "earned_and_pending_worth"),
    ("ending within 90 days", "expiring_soon"),
    ("goals reached", "goals"),
    ("rewards given by rules", "gifts"),
    ("members below zero", "below_zero"),
)


@program.command("preview")
@shop_option()
@click.argument("file", type=program_file)
@click.option(
    "--from",
    "begins",
    type=click.DateTime(["%Y-%m-%d"]),
    help="As if FILE had been saved on this day; otherwise as if it had always been in force.",
)
@as_json
def preview_program(domain: str, file: TextIO, begins: datetime | None, *, as_json: bool) -> None:
    """Run the program in FILE over the store's past beside the one in force, and change nothing."""
    document, runtime = read_document(file), house().runtime
    now = runtime.clock()
    try:
        with runtime.reading() as session:
            shop = find_shop(session, domain)
            assert shop.id is not None
            since = None
            if begins is not None:
                since = start_of(begins.date(), programs.draft(session, shop.id, document).timezone)
                if since > now:
                    raise click.BadParameter("is in the future", param_hint="--from")
            money = formats_of(session, shop).amounts
            asked = preview.ask(session, shop, document, begins=since, now=now)
    except ProgramInvalid as invalid:
        raise refusal(invalid) from None
    except programs.NoProgram:
        raise click.ClickException("the store has no program to compare with") from None
    found = preview.compare(runtime, shop.id, asked)
    if as_json:
        show_one(found, as_json=True)
    else:
        _tell(found, money)


def _tell(found: dict[str, Any], money: Money) -> None:
    since = f" since {found['from'][:10]}" if found["from"] else ""
    click.echo(f"{found['members']} members and {found['orders']} orders. Movements are those{since}.\n")
    show([_figure(label, name, found) for label, name in _FIGURES], as_json=False)
    click.echo(
        f"\ncost {_amount(found['cost'], money)}, liability changes by {_amount(found['liability_change'], money)}"
        f"\n{found['gaining']} members would have more points, {found['losing']} fewer"
        f"\n{found['tiers_up']} members a higher tier, {found['tiers_down']} a lower one"
    )
    if found["orders_with_unknown_products"]:
        click.echo(
            f"{found['orders_with_unknown_products']} orders have products whose tags or collections are not known:"
            " they count as having none"
        )
    for title, name in (("Tiers", "tier_moves"), ("Most affected", "most_affected")):
        if found[name]:
            click.echo(f"\n{title}:")
            show(found[name], as_json=False)


def _figure(label: str, name: str, found: dict[str, Any]) -> dict[str, Any]:
    books, before, after = (found[side][name] for side in ("books", "before", "after"))
    difference = None if before is None or after is None else after - before
    return {"": label, "books": books, "in force": before, "changed": after, "difference": difference}


def _amount(value: Decimal | None, money: Money) -> str:
    return "-" if value is None else money.write(value)
