"""``flask program``: a shop's whole program as one TOML document."""

import tomllib
from collections.abc import Mapping
from typing import Any, TextIO

import click
import tomli_w
from flask.cli import AppGroup

from commands.output import as_json, find_shop, house, shop_option, show_one
from loyalty import outbox, programs
from loyalty.core.document import ProgramInvalid
from shopify_app import lifecycle

program = AppGroup("program", help="A shop's whole program as one document.")


@program.command("export")
@shop_option()
@as_json
def export(domain: str, *, as_json: bool) -> None:
    """Print the program in force as TOML (or JSON)."""
    with house().runtime.reading() as session:
        shop = find_shop(session, domain)
        assert shop.id is not None
        document = programs.document(session, shop.id)
    if as_json:
        show_one(document, as_json=True)
    else:
        click.echo(tomli_w.dumps(_without_none(document)), nl=False)


@program.command("apply")
@shop_option()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@as_json
def apply(domain: str, file: TextIO, *, as_json: bool) -> None:
    """Make FILE (TOML, "-" for standard input) the program in force, or change nothing and say what is wrong with it."""
    try:
        document = tomllib.loads(file.read())
    except tomllib.TOMLDecodeError as error:
        raise click.ClickException(f"not TOML: {error}") from None
    runtime = house().runtime
    try:
        with runtime.transaction() as session:
            shop = find_shop(session, domain)
            assert shop.id is not None
            before = programs.current(session, shop.id).version
            found = programs.apply(session, shop.id, document, author="command line", now=runtime.clock())
            if found.version != before:
                lifecycle.tell_program(session, shop.id, occasion="saved", now=runtime.clock())
    except ProgramInvalid as error:
        lines = "".join(f"\n  {mistake}" for mistake in error.mistakes)
        raise click.ClickException(f"the program has mistakes, nothing was changed:{lines}") from None
    house().bell("drain_outbox", shop.id, outbox.SHOPIFY)
    show_one(
        {"shop": shop.domain, "version": found.version, "changed": found.version != before}, as_json=as_json
    )


def _without_none(value: Any) -> Any:
    """TOML has no null: what is not set is left out."""
    if isinstance(value, Mapping):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_none(inner) for inner in value]
    return value
