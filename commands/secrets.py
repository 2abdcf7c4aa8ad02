"""``flask secrets``: the keys that seal what is secret."""

import click
from flask.cli import AppGroup

from commands.output import as_json, house, show
from loyalty import resealing

secrets = AppGroup("secrets", help="The keys that seal what is secret.")


@secrets.command("reseal")
@as_json
def reseal(*, as_json: bool) -> None:
    """Seal everything with the first of TOKEN_KEYS, so that the others can be thrown away."""
    found = list(resealing.reseal(house().runtime))
    show(
        [
            {
                "what": one.place,
                "had it": one.kept,
                "sealed anew": one.resealed,
                "cannot be opened": one.broken,
            }
            for one in found
        ],
        as_json=as_json,
    )
    broken = sum(one.broken for one in found)
    if broken:
        raise click.ClickException(f"none of TOKEN_KEYS opens {broken} of the values, which stay as they are")
