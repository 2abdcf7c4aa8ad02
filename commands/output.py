"""How commands print: tables for people, JSON with ``--json``; and how they fail: one line and a non-zero exit."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from flask import current_app
from sqlmodel import Session, select

from loyalty.models import Shop
from shopify_app.config import canonical_domain
from wiring import House

as_json = click.option("as_json", "--json", is_flag=True, help="Print JSON instead of a table.")


def shop_option(*, required: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """``--shop``: a store's domain, or its name before ``.myshopify.com``."""
    return click.option(
        "domain", "--shop", required=required, help="The store, e.g. fern-and-fig.myshopify.com."
    )


def house() -> House:
    """The parts of the app that this command runs in."""
    found: House = current_app.extensions["laurel"]
    return found


def find_shop(session: Session, text: str) -> Shop:
    """The store that an operator named, or the end of the command."""
    domain = canonical_domain(text if "." in text else f"{text}.myshopify.com")
    shop = session.exec(select(Shop).where(Shop.domain == domain)).first() if domain else None
    if shop is None:
        raise click.ClickException(f"no store {text!r} has the app; `flask shops list` shows who does")
    return shop


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows: one JSON list, or a table with the keys as its head."""
    if as_json:
        click.echo(json.dumps(list(rows), default=str, ensure_ascii=False, indent=2))
        return
    if not rows:
        click.echo("Nothing to show.")
        return
    head = list(rows[0])
    cells = [head, *([_cell(row[key]) for key in head] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    for line in cells:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def show_one(values: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one thing: a JSON object, or a line per key."""
    if as_json:
        click.echo(json.dumps(dict(values), default=str, ensure_ascii=False, indent=2))
        return
    width = max(map(len, values), default=0)
    for key, value in values.items():
        click.echo(f"{key.ljust(width)}  {_cell(value)}")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)
