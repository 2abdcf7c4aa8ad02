"""``flask members import``, ``imports``, ``undo`` and ``export``: members come and go as files."""

import secrets
from typing import IO, Any, TextIO

import click
from sqlmodel import Session

from commands.following import follow
from commands.members import members
from commands.output import as_json, find_shop, house, shop_option, show, show_one
from loyalty import member_import, outbox
from loyalty.member_import import exporting
from loyalty.models import ImportBatch, Shop
from loyalty.runs import Progress

_MOST_SHOWN = 50


@members.command("import")
@shop_option()
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Look through the file, report, and change nothing.")
@click.option(
    "--mode", type=click.Choice(["add", "set"]), default="add", help="Add points, or set the balances."
)
@click.option("--day-first", is_flag=True, help="Read 05/06/2024 as the fifth of June.")
@click.option("--skip-bad", is_flag=True, help="Import the good lines although some are bad.")
@click.option("--again", is_flag=True, help="Also when the very same file was imported before.")
@click.option("--follow/--no-follow", "follows", default=True, help="Advance the import here.")
@as_json
def import_members(
    domain: str,
    file: IO[bytes],
    mode: str,
    *,
    dry_run: bool,
    day_first: bool,
    skip_bad: bool,
    again: bool,
    follows: bool,
    as_json: bool,
) -> None:
    """Bring members over from a CSV file (ours, or one of Smile, Stamped, LoyaltyLion or Yotpo), after looking through all of it."""
    if not file.seekable():
        raise click.ClickException("the file is read more than once: save it first, and name it")
    shop, batch_id = _upload(domain, file, mode=mode, day_first=day_first)
    _run(shop, batch_id, member_import.start_check, "lines read", quiet=as_json)
    batch = _report(shop, batch_id, as_json=as_json)
    stop = dry_run or (batch.report["bad"] and not skip_bad)
    if stop:
        with house().runtime.transaction() as session:
            member_import.discard(session, _batch(session, shop, batch_id))
        if dry_run:
            return
        raise click.ClickException(
            f"{batch.report['bad']} lines are bad, nothing was imported; --skip-bad imports the others"
        )
    if not follows:
        _begin(shop, batch_id, member_import.start_import, again=again, ring=True)
        click.echo("The workers import it.", err=True)
        return
    _run(shop, batch_id, member_import.start_import, "lines imported", quiet=as_json, again=again)
    house().bell("drain_outbox", shop.id or 0, outbox.SHOPIFY)


@members.command("imports")
@shop_option()
@as_json
def list_imports(domain: str, *, as_json: bool) -> None:
    """List the imports of a store, the newest first."""
    with house().runtime.reading() as session:
        shop = find_shop(session, domain)
        rows = [_row(batch) for batch in member_import.latest(session, shop.id or 0)]
    show(rows, as_json=as_json)


@members.command("undo")
@shop_option()
@click.argument("batch_id", metavar="IMPORT")
@as_json
def undo_import(domain: str, batch_id: str, *, as_json: bool) -> None:
    """Take a whole import back: an entry against every entry of it, and everybody as before in what nobody has changed since."""
    with house().runtime.reading() as session:
        shop = find_shop(session, domain)
        _batch(session, shop, batch_id)
    _run(shop, batch_id, member_import.start_undo, "lines undone", quiet=as_json)
    house().bell("drain_outbox", shop.id or 0, outbox.SHOPIFY)
    with house().runtime.reading() as session:
        show_one(_row(_batch(session, shop, batch_id)), as_json=as_json)


@members.command("export")
@shop_option()
@click.option("--to", "target", type=click.File("w", encoding="utf-8"), default="-", help="A file to write.")
def export_members(domain: str, target: TextIO) -> None:
    """Print every member as CSV in our own format, which reads back as it is."""
    with house().runtime.reading() as session:
        shop = find_shop(session, domain)
        target.writelines(exporting.member_lines(session, shop.id or 0))


def _upload(domain: str, file: IO[bytes], *, mode: str, day_first: bool) -> tuple[Shop, str]:
    runtime = house().runtime
    try:
        with runtime.transaction() as session:
            shop = find_shop(session, domain)
            batch = member_import.upload(
                session,
                shop,
                file,
                batch_id=secrets.token_hex(8),
                file_name=getattr(file, "name", "members.csv"),
                author="command line",
                now=runtime.clock(),
                mode=mode,
                day_first=day_first,
            )
    except member_import.UploadRefused as refused:
        raise click.ClickException(str(refused)) from None
    return shop, batch.id


def _batch(session: Session, shop: Shop, batch_id: str) -> ImportBatch:
    batch = member_import.one(session, shop.id or 0, batch_id)
    if batch is None:
        raise click.ClickException(
            f"there is no import {batch_id!r}; `flask members imports` shows which there are"
        )
    return batch


def _begin(shop: Shop, batch_id: str, start: Any, *, ring: bool = False, **options: Any) -> int:
    runtime = house().runtime
    try:
        with runtime.transaction() as session:
            run_id = start(session, _batch(session, shop, batch_id), now=runtime.clock(), **options).id
    except member_import.ImportBusy:
        raise click.ClickException("another import of this store is under way") from None
    except member_import.NotReady as early:
        raise click.ClickException(f"the import is {early.state}: this cannot be done with it now") from None
    except member_import.AlreadyImported as known:
        raise click.ClickException(
            f"the very same file was imported on {known.at:%Y-%m-%d} ({known.batch_id}); --again imports it once more"
        ) from None
    if ring:
        house().bell("advance_run", run_id)
    return int(run_id)


def _run(shop: Shop, batch_id: str, start: Any, what: str, *, quiet: bool, **options: Any) -> None:
    def say(shown: Progress) -> str:
        of = f" of {shown.total}" if shown.total is not None else ""
        return f"{shown.done + shown.failed + shown.skipped}{of} {what}"

    shown = follow(_begin(shop, batch_id, start, **options), None if quiet else say)
    if shown.state != "done":
        raise click.ClickException(f"it ended as {shown.state}: {shown.error or 'cancelled'}")


def _report(shop: Shop, batch_id: str, *, as_json: bool) -> ImportBatch:
    """Print what the dry run found; returns the import as it is now."""
    with house().runtime.reading() as session:
        batch = _batch(session, shop, batch_id)
        lines = [
            {"line": row.line, "column": column, "mistake": what}
            for row in member_import.trouble_lines(session, batch, limit=_MOST_SHOWN)
            for column, what in member_import.mistakes(row)
        ]
    if as_json:
        show_one(_row(batch) | batch.report | {"mistakes": lines}, as_json=True)
        return batch
    show_one(_row(batch), as_json=False)
    for line in lines:
        column = f", {line['column']}" if line["column"] else ""
        click.echo(f"line {line['line']}{column}: {line['mistake']}")
    if batch.report["bad"] > _MOST_SHOWN:
        click.echo(f"… and more: {batch.report['bad']} lines are bad")
    return batch


def _row(batch: ImportBatch) -> dict[str, Any]:
    report = batch.report
    names = ("good", "bad", "known", "new", "points")
    return {
        "import": batch.id,
        "file": batch.file_name,
        "format": batch.format,
        "mode": batch.mode,
        "state": batch.state,
        **{name: report.get(name) for name in names},
        "created_at": batch.created_at.isoformat(timespec="seconds"),
    }
