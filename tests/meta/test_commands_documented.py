"""docs/commands.md says of every command and address what the code says, and of none that is not there."""

import re
from collections.abc import Iterator

import click
import pytest

import cli
from commands.demo import demo
from commands.processes import run
from settings import ROOT

PAGE = (ROOT / "docs" / "commands.md").read_text()
SECTIONS = dict(re.findall(r"^### `flask ([^`]+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
# What others rely on: these may be added to and never go.
PROMISED = {
    "run", "worker", "cron", "db upgrade", "demo", "doctor", "shops list", "program export", "program apply", "members show",
    "ledger export", "ledger verify", "klaviyo status", "klaviyo sync", "klaviyo check", "klaviyo replay",
}  # fmt: skip
PROMISED_ADDRESSES = {
    "GET /", "POST /webhooks/shopify", "POST /webhooks/klaviyo/<key>", "POST /klaviyo/connect", "GET /klaviyo/callback",
    "GET /proxy/member", "POST /proxy/redeem", "GET /proxy/rewards/<issue_id>", "GET /healthz", "GET /readyz", "GET /metrics",
}  # fmt: skip
_PLAIN = re.compile(r"<\w+:")


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command of ours with its whole name."""
    for command in (*cli.COMMANDS, run, demo):
        if isinstance(command, click.Group):
            yield from ((f"{command.name} {name}", inner) for name, inner in command.commands.items())
        else:
            yield str(command.name), command


class TestCommands:
    def test_all_and_only(self):
        """Every command has a section, every section a command, and nothing that was promised is gone."""
        assert set(SECTIONS) == {name for name, _ in commands()}
        assert set(SECTIONS) >= PROMISED

    @pytest.mark.parametrize(
        ("name", "command"), list(commands()), ids=lambda value: str(value) if isinstance(value, str) else ""
    )
    def test_section(self, name, command, tmp_path, monkeypatch):
        """A section shows an example that the command understands, and names every option of it."""
        text = SECTIONS[name]
        (example,) = re.findall(r"```sh\nflask (.*)\n```", text)
        words = example.partition(" >")[0].split()
        assert words[: len(name.split())] == name.split()
        monkeypatch.chdir(tmp_path)
        for file in ("program.toml", "members.csv", "shop.jsonl"):
            (tmp_path / file).touch()
        command.make_context(name, words[len(name.split()) :]).close()
        options = {
            option
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
        }
        everywhere = {"--json", "--shop"}
        assert {
            option
            for option in options - everywhere
            if option not in text and f"--no-{option[2:]}" not in text
        } == set()

    def test_help(self):
        """Every command says in a sentence what it does."""
        assert [
            name for name, command in commands() if not (command.help or "").rstrip(" ").endswith(".")
        ] == []

    def test_make(self):
        """Every make command of the page is a target."""
        targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
        named = set(re.findall(r"^\| `make (\w+)", PAGE, re.MULTILINE))
        assert named == {"install", "demo", "test", "bench", "acceptance"}
        assert named <= targets


class TestAddresses:
    def test_all_and_only(self, application):
        """Every address of the application is in the table, and the table has no others."""
        listed = set(re.findall(r"^\| `((?:GET|POST) /\S*)` \|", PAGE, re.MULTILINE))
        served = {
            f"{method} {_PLAIN.sub('<', rule.rule)}"
            for rule in application.url_map.iter_rules()
            for method in (rule.methods or set()) & {"GET", "POST"}
        }
        # The door for Shopify stands in front of the application.
        assert listed == served | {"POST /webhooks/shopify"}
        assert listed >= PROMISED_ADDRESSES
