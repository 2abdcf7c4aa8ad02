"""The local Klaviyo's page of instructions tells of everything that can be asked of it."""

from pathlib import Path

import sandbox.klaviyo
from sandbox.klaviyo.faults import KINDS
from sandbox.klaviyo.grants import Client
from sandbox.klaviyo.operations import OPERATIONS
from sandbox.klaviyo.server import create_app
from sandbox.klaviyo.state import State

README = (Path(sandbox.klaviyo.__file__).parent / "README.md").read_text()


def routes() -> set[tuple[str, str]]:
    app = create_app(State(Client("id", "secret", "App", ())))
    return {
        (m, rule.rule)
        for rule in app.url_map.iter_rules()
        for m in (rule.methods or ())
        if m not in ("HEAD", "OPTIONS")
    }


def test_control_calls():
    """Every control call is described."""
    described = [
        f"{m} {rule}".replace("<ident>", "<id>") for m, rule in routes() if rule.startswith("/_sandbox/")
    ]
    assert described
    assert [call for call in described if f"`{call}" not in README] == []


def test_kinds_of_faults():
    """Every kind of fault is described."""
    assert [kind for kind in KINDS if f"`{kind}`" not in README] == []


def test_operations():
    """Every API route has its scopes and quota, and every operation its route."""
    assert {key for key in routes() if key[1].startswith("/api/")} == set(OPERATIONS)
