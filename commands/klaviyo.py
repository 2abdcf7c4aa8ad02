"""``flask klaviyo``: the health of a shop's link, *Sync customer data*, and sending again."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import click
from flask.cli import AppGroup
from sqlmodel import Session, col, select

from commands import following
from commands.output import as_json, find_shop, house, shop_option, show, show_one
from klaviyo_oauth import choosing, connections, drift_check
from klaviyo_oauth import status as link_status
from klaviyo_oauth import sync as profile_sync
from klaviyo_oauth.dialects import DIALECTS
from loyalty import outbox, runs
from loyalty.models import OutboxMessage, Run, RunItem
from loyalty.runs import Progress

# A replay goes out in pieces, so that one command never holds a long lock.
_AT_ONCE = 1_000
# Whoever has more that differ needs no longer list to know what to do.
_MOST_NAMED = 1_000

klaviyo = AppGroup("klaviyo", help="A shop's link to Klaviyo.")


@klaviyo.command("status")
@shop_option()
@as_json
def status(domain: str, *, as_json: bool) -> None:
    """Show account, lag, what is waiting or refused, and what to do about a problem."""
    parts = house()
    with parts.runtime.reading() as session:
        shop = find_shop(session, domain)
        assert shop.id is not None
        found = link_status.status(session, shop.id, now=parts.runtime.clock())
    show_one(asdict(found), as_json=as_json)


@klaviyo.command("sync")
@shop_option()
@click.option("--full", is_flag=True, help="Every member (which a sync always does; accepted for scripts).")
@click.option("--follow/--no-follow", default=True, help="Advance the sync here and show its progress.")
@as_json
def sync(domain: str, *, full: bool, follow: bool, as_json: bool) -> None:
    """Send every member's profile to Klaviyo. A sync that is under way is joined, not doubled."""
    del full
    parts = house()
    with parts.runtime.transaction() as session:
        shop = find_shop(session, domain)
        assert shop.id is not None
        run_id = profile_sync.start_sync(session, shop.id, now=parts.runtime.clock()).id
    assert run_id is not None
    if follow:
        following.follow(run_id, None if as_json else _in_words("sent", "failed"))
    else:
        parts.bell("advance_run", run_id)
    with parts.runtime.reading() as session:
        run = session.get_one(Run, run_id)
        shown = runs.progress(run, now=parts.runtime.clock())
    show_one({"run": run_id} | asdict(shown), as_json=as_json)
    if shown.state == "failed":
        raise click.ClickException(f"the sync failed: {shown.error}")


@klaviyo.command("check")
@shop_option()
@click.option("--repair", is_flag=True, help="Send the profiles again that do not show the truth.")
@click.option("--follow/--no-follow", default=True, help="Advance the check here and show its progress.")
@as_json
def check(domain: str, *, repair: bool, follow: bool, as_json: bool) -> None:
    """Compare every profile at Klaviyo with the books, and name those that differ."""
    parts = house()
    with parts.runtime.transaction() as session:
        shop = find_shop(session, domain)
        assert shop.id is not None
        run = drift_check.start_check(session, shop.id, repair=repair, now=parts.runtime.clock())
        run_id, repairs = run.id, bool(run.params.get("repair"))
    assert run_id is not None
    if repair and not repairs:
        raise click.ClickException("a check without --repair is under way; wait for its end")
    if follow:
        following.follow(run_id, None if as_json else _in_words("in order", "drifted"))
    else:
        parts.bell("advance_run", run_id)
    with parts.runtime.reading() as session:
        found = session.get_one(Run, run_id)
        shown = runs.progress(found, now=parts.runtime.clock())
        healed = drift_check.healed(found)
        drifted = [{"member": item.member_id, "reason": item.reason} for item in _drifted(session, run_id)]
    told = {"run": run_id, "state": shown.state, "total": shown.total, "in_order": shown.done}
    told |= {"drifted": shown.failed, "healed": healed, "skipped": shown.skipped, "error": shown.error}
    if as_json:
        show_one(told | {"members": drifted}, as_json=True)
    else:
        show(drifted, as_json=False)
        show_one(told, as_json=False)
    if shown.state == "failed":
        raise click.ClickException(f"the check failed: {shown.error}")
    if shown.failed > healed and shown.state == "done":
        raise click.ClickException(f"{shown.failed - healed} profiles differ from the books")


def _drifted(session: Session, run_id: int) -> Sequence[RunItem]:
    mine = (RunItem.run_id == run_id, RunItem.outcome == "failed")
    return session.exec(select(RunItem).where(*mine).order_by(col(RunItem.id)).limit(_MOST_NAMED)).all()


@klaviyo.command("dialects")
@shop_option()
@click.option(
    "--set",
    "keys",
    type=click.Choice(list(DIALECTS)),
    multiple=True,
    help="Speak this dialect from now on; give it once for each. Those that are not given are left.",
)
@as_json
def dialects(domain: str, keys: tuple[str, ...], *, as_json: bool) -> None:
    """Show under whose names Klaviyo is told of things, or choose them: events follow at once, profiles by a sync."""
    parts = house()
    run_id = None
    with parts.runtime.transaction() as session:
        shop_id = find_shop(session, domain).id
        assert shop_id is not None
        if keys:
            try:
                chosen = choosing.choose(session, shop_id, keys, now=parts.runtime.clock())
            except choosing.NotLinked:
                raise click.ClickException("the shop is not connected to Klaviyo") from None
            run_id = chosen.run.id if chosen.run is not None else None
        row = connections.load(session, shop_id)
        spoken = {each.key for each in connections.choice_of(row).spoken} if row is not None else set()
    if run_id is not None:
        parts.bell("advance_run", run_id)
    known = [
        {
            "dialect": each.key,
            "title": each.title,
            "spoken": each.key in spoken,
            "events": len({metric.name for metric in each.metrics}),
            "properties": len(each.properties),
        }
        for each in DIALECTS.values()
    ]
    show(known, as_json=as_json)


@klaviyo.command("replay")
@shop_option()
@click.option("--since", type=click.DateTime(), help="Only messages from this instant (UTC) on.")
@click.option("--until", type=click.DateTime(), help="Only messages before this instant (UTC).")
@click.option("--state", type=click.Choice(["delivered", "refused", "parked", "dropped"]), default="parked")
@as_json
def replay(domain: str, since: datetime | None, until: datetime | None, state: str, *, as_json: bool) -> None:
    """Send rows of the events log again, with their old unique ids: what Klaviyo has already is not doubled."""
    parts = house()
    with parts.runtime.reading() as session:
        shop_id = find_shop(session, domain).id
    assert shop_id is not None
    count, last = 0, 0
    while True:
        with parts.runtime.transaction() as session:
            ids = _matching(session, shop_id, state, since, until, after=last)
            count += outbox.retry(session, shop_id, ids, now=parts.runtime.clock())
        if not ids:
            break
        last = ids[-1]
    parts.bell("drain_outbox", shop_id, outbox.KLAVIYO)
    show_one({"queued_again": count}, as_json=as_json)


def _matching(
    session: Session, shop_id: int, state: str, since: datetime | None, until: datetime | None, *, after: int
) -> list[int]:
    wanted = [
        col(OutboxMessage.shop_id) == shop_id,
        col(OutboxMessage.channel) == outbox.KLAVIYO,
        col(OutboxMessage.state) == state,
        col(OutboxMessage.id) > after,
    ]
    if since is not None:
        wanted.append(col(OutboxMessage.occurred_at) >= since.replace(tzinfo=UTC))
    if until is not None:
        wanted.append(col(OutboxMessage.occurred_at) < until.replace(tzinfo=UTC))
    statement = select(OutboxMessage.id).where(*wanted).order_by(col(OutboxMessage.id)).limit(_AT_ONCE)
    return [message_id for message_id in session.exec(statement) if message_id is not None]


def _in_words(good: str, bad: str) -> Callable[[Progress], str]:
    def say(shown: Progress) -> str:
        of = f" of {shown.total}" if shown.total is not None else ""
        return f"{shown.done}{of} {good}, {shown.skipped} skipped, {shown.failed} {bad}"

    return say
