"""``flask reports``: what the books add up to."""

from datetime import datetime, timedelta
from typing import Any

import click
from flask.cli import AppGroup

from commands.output import as_json, find_shop, house, shop_option, show, show_one
from loyalty import liability, programs
from loyalty.core.moments import add_months
from loyalty.statement.formats import formats_of
from loyalty.statement.money import Money

reports = AppGroup("reports", help="What the books add up to.")
_DAY = click.DateTime(["%Y-%m-%d"])
_LATEST_DAYS = 30
_LATEST_MONTHS = 11


@reports.command("liability")
@shop_option()
@click.option(
    "--by", "unit", type=click.Choice(liability.UNITS), default="month", help="A line per day or month."
)
@click.option("--from", "first", type=_DAY, help="The first day; by default 30 days or 11 months back.")
@click.option("--to", "last", type=_DAY, help="The last day; by default today.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the lines as CSV.")
@as_json
def show_liability(
    domain: str, unit: str, first: datetime | None, last: datetime | None, *, as_csv: bool, as_json: bool
) -> None:
    """Say what the store owes its members in points, line by line, what it is worth, and how much will come to nothing."""
    runtime = house().runtime
    now = runtime.clock()
    with runtime.reading() as session:
        shop = find_shop(session, domain)
        formats = formats_of(session, shop)
        to = last.date() if last else formats.today(now)
        usual = to - timedelta(days=_LATEST_DAYS) if unit == "day" else add_months(to, -_LATEST_MONTHS)
        since = first.date() if first else usual
        if since > to:
            raise click.BadParameter("is after --to", param_hint="--from")
        try:
            found = liability.liability(session, shop, first=since, last=to, unit=unit, now=now)
        except liability.TooLong:
            raise click.ClickException(f"that is more than {liability.MOST} lines") from None
        except programs.NoProgram:
            raise click.ClickException("the store has no program") from None
    if as_json:
        show_one(found.to_json(), as_json=True)
    elif as_csv:
        click.echo("".join(liability.csv_lines(found)), nl=False)
    else:
        _tell(found, formats.amounts)


def _tell(found: liability.Liability, money: Money) -> None:
    show([found.row(line) for line in found.lines], as_json=False)
    told: dict[str, Any] = found.to_json()
    worth = "" if told["outstanding_worth"] is None else f", worth {money.write(told['outstanding_worth'])}"
    click.echo(f"\n{found.outstanding} points are outstanding now{worth}.")
    if told["point_worth_from"] not in (None, "program"):
        click.echo(
            f"A point is worth what the reward {told['point_worth_from']} gives for it: the program has no point_value."
        )
    if found.breakage is None:
        evidence = told["breakage_evidence"]
        click.echo(
            "Nobody can say yet how many of them will never be spent:"
            f" {evidence['mature_points']} points of {evidence['members_with_mature_points']} members are old enough to tell."
        )
        return
    for name, one in told["breakage"].items():
        worth = "" if one["worth"] is None else f", worth {money.write(one['worth'])}"
        click.echo(f"expected never to be spent, {name}: {one['points']} ({one['share']}){worth}")
