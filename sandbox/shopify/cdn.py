"""The stand-ins for App Bridge and Polaris, at the addresses that the real CDN uses. Refuses to know any shop."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from flask import Blueprint, Response

STATIC = Path(__file__).with_name("static")
blueprint = Blueprint("cdn", __name__)


@cache
def polaris() -> str:
    """The Polaris stand-in: its files joined in the order of their names, in a scope of their own."""
    parts = [path.read_text(encoding="utf-8") for path in sorted((STATIC / "polaris").glob("*.js"))]
    return "(() => {\n" + "\n".join(parts) + "\n})();\n"


@blueprint.get("/shopifycloud/<any('polaris.js', 'polaris-1.js', 'polaris-1.1.js', 'polaris-2.js'):_name>")
def polaris_script(_name: str) -> Response:
    """Polaris web components."""
    return _script(polaris())


@blueprint.get("/shopifycloud/app-bridge.js")
def app_bridge() -> Response:
    """App Bridge."""
    return _script((STATIC / "bridge" / "app-bridge.js").read_text(encoding="utf-8"))


def _script(text: str) -> Response:
    response = Response(text, mimetype="text/javascript")
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
