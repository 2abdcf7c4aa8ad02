"""What the demo says while it plays, and how it finds out whether a step held."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

T = TypeVar("T")

# How often a thing is looked at that is about to happen.
_GLANCE = 0.05


class NotHeld(Exception):
    """Something is not as it must be. ``what`` in words, and what was expected and found."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        super().__init__(f"{what}: expected {expected!r}, found {found!r}")
        self.what, self.expected, self.found = what, expected, found


@dataclass(slots=True)
class Teller:
    """Prints numbered steps. ``now`` is the step being played, for whoever reports that it failed."""

    steps: int
    number: int = 0
    now: str = ""

    def step(self, title: str) -> None:
        """Begin a step."""
        self.number, self.now = self.number + 1, title
        click.secho(f"\n[{self.number:>2}/{self.steps}] {title}", bold=True)

    def say(self, text: str) -> None:
        """What is being done."""
        click.echo(f"        {text}")

    def held(self, text: str) -> None:
        """What was checked and is so."""
        click.echo(f"        {click.style('ok', fg='green')}  {text}")

    def expect(self, what: str, expected: object, found: object) -> None:
        """Hold a thing against what it must be. Raises ``NotHeld``."""
        if found != expected:
            raise NotHeld(what, expected, found)
        self.held(f"{what}: {_shown(found)}")

    def eventually(self, what: str, expected: object, look: Callable[[], Any], seconds: float = 45) -> float:
        """Look until a thing is as it must be; returns how long that took. Raises ``NotHeld`` when the time is up."""
        began = time.monotonic()
        found = wait_for(look, lambda value: bool(value == expected), seconds)
        if found != expected:
            raise NotHeld(f"{what} (waited {seconds:.0f} s)", expected, found)
        took = time.monotonic() - began
        self.held(f"{what}: {_shown(found)} ({took:.2f} s)")
        return took


def wait_for(look: Callable[[], T], is_good: Callable[[T], bool], seconds: float) -> T:
    """What was seen last: the first good look, or whatever was there when the time was up."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if is_good(found) or time.monotonic() >= deadline:
            return found
        time.sleep(_GLANCE)


def table(rows: Sequence[tuple[str, str]]) -> None:
    """Print pairs below each other."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"    {name.ljust(width)}  {value}")


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
