"""``flask demo``: plays the whole story on this machine and then serves it. It needs nothing but the checkout.

A command of its own process: it does not build the app, it starts it.
"""

import contextlib
import fcntl
import json
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import requests

from demo import growing, story
from demo.people import NotAnswered
from demo.ports import HOST
from demo.stage import ROOT, Addresses, Stage, StageFailed, shifted_ports
from demo.telling import NotHeld, Teller, table

_MOST_AT_ONCE = 9
_MARK = 5009
_PAUSE = threading.Event()


@click.command("demo")
@click.option("--once", is_flag=True, help="Play the story, print a JSON summary as the last line, and end.")
def demo(*, once: bool) -> None:
    """Start everything on this machine, play the story of a shop, and serve it until Ctrl-C."""
    began = time.monotonic()
    # Being told to end is not different from Ctrl-C: whatever was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    teller = Teller(story.STEPS)
    with _own_place() as (directory, shift):
        try:
            with Stage(directory, wanted_ports=shifted_ports(shift)) as stage:
                story.start(stage, teller)
                summary = story.play(stage, teller)
                seconds = round(time.monotonic() - began, 1)
                click.secho(f"\nEvery step held ({seconds:.0f} s).", bold=True)
                if not once:
                    _serve(stage)
        except (NotHeld, NotAnswered, StageFailed, requests.RequestException) as error:
            raise click.ClickException(_failure(teller, error, directory)) from None
        except KeyboardInterrupt:
            click.echo("\nEnding everything that was started.")
            if once:
                raise click.ClickException("interrupted") from None
            return
    if once:
        click.echo(json.dumps(summary | {"seconds": seconds}))


def _failure(teller: Teller, error: Exception, directory: Path) -> str:
    lines = [f"step {teller.number} did not hold: {teller.now}"]
    if isinstance(error, NotHeld):
        lines += [error.what, f"  expected: {error.expected}", f"  found:    {error.found}"]
    else:
        lines.append(f"  {type(error).__name__}: {error}")
    logs = ", ".join(path.name for path in sorted(directory.glob("*.log")))
    return "\n".join([*lines, f"  logs: {directory} ({logs})"])


def _serve(stage: Stage) -> None:
    """Show where everything is, and wait for Ctrl-C; a process that ends meanwhile ends the rest."""
    click.echo("\nHave a look around:\n")
    table(_places(stage.at))
    click.echo(f"\n{growing.what_was_wound_on(datetime.now(UTC))}")
    click.echo(
        "\nThings to try:\n"
        "    - In the admin, open Laurel: look at Wren's entries under Members, and at why she has them.\n"
        "    - Change the program (2 points for every $1), then buy something at the storefront.\n"
        "    - Log in at the storefront as wren@fernandfig.shop and open the rewards page.\n"
        "    - Refund or cancel an order in the admin, and watch the event arrive in the Klaviyo inbox.\n"
        "    - In Laurel, open Klaviyo, then Events: everything that was sent, with its outcome.\n"
        "\nCtrl-C ends everything.\n"
    )
    while not _PAUSE.wait(1.0):
        stage.check_alive()


def _places(at: Addresses) -> list[tuple[str, str]]:
    return [
        ("The merchant's admin", at.admin),
        ("The storefront", f"{at.storefront}/"),
        ("The Klaviyo inbox", f"{at.klaviyo}/"),
        ("The app itself", f"{at.app}/healthz"),
    ]


@contextlib.contextmanager
def _own_place() -> Iterator[tuple[Path, int]]:
    """An empty directory that no other demo uses, and by how much to shift the ports; with a lock for each, which end with us. Other
    checkouts have directories of their own, but the ports are the machine's: demos that met at one would tell each other's stories."""
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    for number in range(_MOST_AT_ONCE):
        directory = var / (f"demo-{number + 1}" if number else "demo")
        with (var / f"{directory.name}.lock").open("w") as lock, socket.socket() as mark:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Nobody listens here: that it is taken says that the ports before it are.
                mark.bind((HOST, _MARK + 10 * number))
            except OSError:
                continue
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            yield directory, 10 * number
            return
    raise click.ClickException(f"{_MOST_AT_ONCE} demos are running already")
