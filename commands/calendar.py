"""``flask calendar``: what time brings about, by hand."""

from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from commands.output import as_json, find_shop, house, shop_option, show_one
from loyalty import calendar as loyalty_calendar

calendar = AppGroup("calendar", help="What time brings about: holds, expiry, tiers, birthdays, reminders.")


class _Instant(click.ParamType):
    """An instant in ISO 8601, with its offset from UTC; a bare date is its midnight in UTC."""

    name = "instant"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it, or say what is wrong with it."""
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no instant like 2026-12-01T00:00:00+01:00", param, ctx)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


@calendar.command("run")
@shop_option()
@click.option(
    "--at", type=_Instant(), help="Up to when (now, if it is not said), e.g. 2026-12-01T00:00:00+01:00."
)
@click.option(
    "--ahead", is_flag=True, help="Let AT lie in the future. What is done ahead of time cannot be undone."
)
@as_json
def run(domain: str, at: datetime | None, *, ahead: bool, as_json: bool) -> None:
    """Do everything that is due for the members of a store. Doing it again does nothing."""
    runtime = house().runtime
    now = runtime.clock()
    until = at or now
    if until > now and not ahead:
        raise click.ClickException("this instant lies in the future; --ahead says that you mean it")
    with runtime.reading() as session:
        shop = find_shop(session, domain)
    assert shop.id is not None
    ran = loyalty_calendar.run(runtime, shop.id, at=until)
    for channel in ran.channels:
        house().bell("drain_outbox", shop.id, channel)
    done = {"shop": shop.domain, "at": until.isoformat(), "settled": ran.settled}
    show_one(done | ({"troubled": list(ran.troubled)} if ran.troubled else {}), as_json=as_json)
    if ran.troubled:
        raise click.ClickException(f"{len(ran.troubled)} members could not be settled; the log says why")
