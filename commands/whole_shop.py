"""``flask shops export`` and ``import``: a whole shop as one file, and such a file as a shop again."""

import secrets
from dataclasses import asdict
from typing import TextIO

import click
from sqlalchemy.exc import IntegrityError, StatementError

from commands.output import as_json, find_shop, house, shop_option, show_one
from commands.shops import shops
from loyalty import whole_shop


@shops.command("export")
@shop_option()
@click.option("--to", "target", type=click.File("w", encoding="utf-8"), default="-", help="A file to write.")
def export_shop(domain: str, target: TextIO) -> None:
    """Print everything of a store that belongs to its program as JSON lines, which can be restored elsewhere."""
    runtime = house().runtime
    with runtime.reading() as session:
        shop = find_shop(session, domain)
        target.writelines(f"{line}\n" for line in whole_shop.shop_lines(session, shop, now=runtime.clock()))


@shops.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@as_json
def import_shop(file: TextIO, *, as_json: bool) -> None:
    """Restore a store from FILE ("-" for standard input) into an empty one: wholly, and only when its books prove right, or not at all."""
    parts = house()

    def new_key(domain: str) -> str:
        return parts.runtime.cipher.seal(secrets.token_urlsafe(32), row=f"shop:{domain}")

    try:
        with parts.runtime.transaction() as session:
            restored = whole_shop.restore(session, file, new_key=new_key, now=parts.runtime.clock())
    except whole_shop.RestoreRefused as refused:
        raise click.ClickException(f"nothing was restored: {refused}") from None
    except IntegrityError as clash:
        kind = type(clash.orig).__name__
        raise click.ClickException(f"nothing was restored: rows of the file clash ({kind})") from None
    except StatementError as refused:
        # Its text quotes the row.
        kind = type(refused.orig).__name__
        raise click.ClickException(
            f"nothing was restored: a row of the file fits no table ({kind})"
        ) from None
    except UnicodeDecodeError:
        raise click.ClickException("nothing was restored: the file is not UTF-8") from None
    rows = {name: count for name, count in restored.rows.items() if count}
    show_one(
        {"shop": restored.domain, "rows": rows, "digest": asdict(restored.digest)["sha256"]}, as_json=as_json
    )
