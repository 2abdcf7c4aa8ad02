"""What every control route needs: the world, the shop in the address, and the JSON body."""

from __future__ import annotations

from typing import Any

from flask import current_app, request

from sandbox.shopify.shop import Shop
from sandbox.shopify.world import World


def world() -> World:
    """The world this server shows."""
    found: World = current_app.extensions["world"]
    return found


def shop(domain: str) -> Shop:
    """The shop named in the address."""
    return world().shop(domain)


def set_fields(target: object, given: dict[str, Any]) -> None:
    """Set several fields of a dataclass, all or none: an unknown name or another type is the caller's mistake."""
    known = {name: type(value) for name, value in vars(target).items()}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"there is no {name}; known are {', '.join(sorted(known))}")
        wanted = (int, float) if known[name] is float else (known[name],)
        if not isinstance(value, wanted) or (isinstance(value, bool) and known[name] is not bool):
            raise ValueError(f"{name} must be {known[name].__name__}")
    for name, value in given.items():
        setattr(target, name, known[name](value))


def body() -> dict[str, Any]:
    """The JSON body; an absent one is empty."""
    # Read before anything looks for a form: whatever the request calls its body, nothing of it is passed over.
    if not request.get_data():
        return {}
    given = request.get_json(force=True)
    if not isinstance(given, dict):
        raise TypeError("the body must be a JSON object")
    return given
