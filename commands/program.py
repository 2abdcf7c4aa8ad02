"""``flask program``: a shop's whole program as one document, and its versions."""

from typing import Any, TextIO

import click
from flask.cli import AppGroup
from sqlmodel import Session

from commands.output import as_json, find_shop, house, shop_option, show, show_one
from loyalty import calendar, outbox, programs
from loyalty.core.document import ProgramInvalid, Unreadable, difference, parse_program, read_text
from loyalty.program_text import write_text
from shopify_app import lifecycle

program = AppGroup("program", help="A shop's whole program as one document.")
program_file = click.File("r", encoding="utf-8")


@program.command("export")
@shop_option()
@click.option("--version", type=int, help="An earlier version instead of the one in force.")
@as_json
def export(domain: str, version: int | None, *, as_json: bool) -> None:
    """Print the program in force as TOML (or JSON)."""
    document = _document(domain, version)
    if as_json:
        show_one(document, as_json=True)
    else:
        click.echo(write_text(document), nl=False)


@program.command("apply")
@shop_option()
@click.argument("file", type=program_file)
@click.option("--based-on", type=int, help="Refuse when another version than this one is in force.")
@as_json
def apply(domain: str, file: TextIO, based_on: int | None, *, as_json: bool) -> None:
    """Make FILE (TOML or JSON, "-" for standard input) the program in force, or change nothing and say what is wrong with it."""
    document = read_document(file)
    runtime = house().runtime
    try:
        with runtime.transaction() as session:
            shop = find_shop(session, domain)
            assert shop.id is not None
            before = _in_force(session, shop.id)
            now = runtime.clock()
            found = programs.apply(
                session, shop.id, document, author="command line", now=now, based_on=based_on
            )
            if found.version != before:
                lifecycle.tell_program(session, shop.id, occasion="saved", now=now)
                calendar.program_applied(session, shop.id, found, now=now)
    except ProgramInvalid as invalid:
        raise refusal(invalid) from None
    except programs.ProgramMoved as moved:
        raise click.ClickException(
            f"version {moved.version} is in force by now; nothing was changed"
        ) from None
    house().bell("drain_outbox", shop.id, outbox.SHOPIFY)
    show_one(
        {"shop": shop.domain, "version": found.version, "changed": found.version != before}, as_json=as_json
    )


@program.command("versions")
@shop_option()
@as_json
def versions(domain: str, *, as_json: bool) -> None:
    """List the versions of the program, the one in force first."""
    with house().runtime.reading() as session:
        shop = find_shop(session, domain)
        assert shop.id is not None
        found = programs.versions(session, shop.id)
    rows = [
        {"version": row.version, "author": row.author, "created_at": row.created_at.isoformat()}
        for row in found
    ]
    show(rows, as_json=as_json)


@program.command("diff")
@shop_option()
@click.argument("file", type=program_file, required=False)
@click.option("--version", type=int, help="Compare with this version.")
@as_json
def diff(domain: str, file: TextIO | None, version: int | None, *, as_json: bool) -> None:
    """Say what FILE would change of the program in force (or of --version); without FILE, what was changed since --version, or last."""
    given = read_document(file) if file else None
    with house().runtime.reading() as session:
        shop = find_shop(session, domain)
        assert shop.id is not None
        in_force = _in_force(session, shop.id)
    if version is None:
        version = in_force if given is not None else max(in_force - 1, 1)
    if given is not None:
        try:
            parse_program(given, version=0)
        except ProgramInvalid as invalid:
            raise refusal(invalid) from None
    changes = difference(_document(domain, version), given if given is not None else _document(domain, None))
    rows = [
        {"path": change.path, "old": change.old, "new": change.new, "text": change.text} for change in changes
    ]
    if as_json:
        show(rows, as_json=True)
    else:
        click.echo("\n".join(change.text for change in changes) or "No difference.")


def _in_force(session: Session, shop_id: int) -> int:
    """The version in force; 0 where there is none yet."""
    found = programs.versions(session, shop_id, limit=1)
    return found[0].version if found else 0


def _document(domain: str, version: int | None) -> dict[str, Any]:
    with house().runtime.reading() as session:
        shop = find_shop(session, domain)
        assert shop.id is not None
        try:
            if version is None:
                return programs.document(session, shop.id)
            return programs.document_at(session, shop.id, version)
        except programs.NoProgram:
            missing = "the store has no program" if version is None else f"there is no version {version}"
            raise click.ClickException(missing) from None


def read_document(file: TextIO) -> dict[str, Any]:
    """The document in a file, or the end of the command."""
    try:
        return read_text(file.read())
    except UnicodeDecodeError:
        raise click.ClickException("the file is not UTF-8 text") from None
    except Unreadable as error:
        raise click.ClickException(str(error)) from None


def refusal(invalid: ProgramInvalid) -> click.ClickException:
    """What ends a command that was given a program with mistakes."""
    lines = "".join(f"\n  {mistake}" for mistake in invalid.mistakes)
    return click.ClickException(f"the program has mistakes, nothing was changed:{lines}")
