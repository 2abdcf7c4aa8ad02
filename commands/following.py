"""Advances a long job in the command's own process, and says how far it is."""

import threading
from collections.abc import Callable

import click

from commands.output import house
from loyalty import runs
from loyalty.models import Run
from loyalty.runs import Progress

# Waiting on an event that nobody sets: a pause that a signal ends.
_PAUSE = threading.Event()


def follow(run_id: int, say: Callable[[Progress], str] | None) -> Progress:
    """Advance a run until it ends. A worker that advances it at the same time is waited for."""
    parts = house()
    with parts.runtime.reading() as session:
        step = parts.steps[session.get_one(Run, run_id).kind]
    while True:
        again_in = runs.advance(parts.runtime, run_id, step, seconds=2.0)
        with parts.runtime.reading() as session:
            run = session.get_one(Run, run_id)
            shown = runs.progress(run, now=parts.runtime.clock())
        if say is not None:
            click.echo(say(shown), err=True)
        if shown.state not in runs.OPEN:
            return shown
        _PAUSE.wait(1.0 if again_in is None else min(again_in, 5.0))
