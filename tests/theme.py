"""Render the theme app extension the way a shop does, for tests that look at its HTML or drive it.

Liquid itself is python-liquid; Shopify's own additions are kept to what the extension uses: the `t`
filter over the locale files, `color_contrast`, and `{% schema %}` taken out before rendering. It does
not try to be a theme: pages around a block belong to the tests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from liquid import DictLoader, Environment

EXTENSION = Path(__file__).resolve().parent.parent / "extensions" / "laurel-loyalty"
LOCALES = ("en.default", "de", "es", "fr", "it", "ja", "nl", "pt-BR")
_SCHEMA = re.compile(r"{%-?\s*schema\s*-?%}(.*?){%-?\s*endschema\s*-?%}", re.DOTALL)
_SLOT = re.compile(r"{{\s*(\w+)\s*}}")

PROGRAM: dict[str, Any] = {
    "points_name": {"one": "point", "many": "points"},
    "earn": [
        {"key": "order", "title": "Place an order", "detail": "1 point for every $1 spent"},
        {"key": "birthday", "title": "Your birthday", "detail": "200 points a year"},
    ],
    "rewards": [
        {"key": "five_off", "title": "$5 off", "points": 500},
        {"key": "free_shipping", "title": "Free shipping", "points": 1250},
    ],
    "proxy": "/apps/laurel",
}


def schema_of(block: str) -> dict[str, Any]:
    """The JSON inside a block's schema tag."""
    found = _SCHEMA.findall((EXTENSION / "blocks" / f"{block}.liquid").read_text())
    if len(found) != 1:
        raise ValueError(f"{block} has {len(found)} schema tags, one is needed")
    schema: dict[str, Any] = json.loads(found[0])
    return schema


def flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A locale document as dotted keys and their words."""
    words: dict[str, str] = {}
    for key, value in document.items():
        if isinstance(value, Mapping):
            words |= flat(value, f"{prefix}{key}.")
        else:
            words[prefix + key] = value
    return words


def locale(name: str) -> dict[str, str]:
    """The words of one locale file by dotted key."""
    return flat(json.loads((EXTENSION / "locales" / f"{name}.json").read_text()))


def contrast(first: str, second: str) -> float:
    """The WCAG contrast ratio of two #rrggbb colours."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return round((high + 0.05) / (low + 0.05), 2)


def environment(language: str) -> Environment:
    """A Liquid environment that knows the extension's snippets and one language."""
    snippets = {path.stem: path.read_text() for path in (EXTENSION / "snippets").glob("*.liquid")}
    blocks = {
        path.stem: _SCHEMA.sub("", path.read_text()) for path in (EXTENSION / "blocks").glob("*.liquid")
    }
    words = locale(language)
    env = Environment(loader=DictLoader({**snippets, **blocks}))

    def translate(key: str, **values: object) -> str:
        return _SLOT.sub(lambda slot: str(values[slot[1]]), words[key])

    env.filters["t"] = translate
    env.filters["color_contrast"] = contrast
    return env


def render_block(
    block: str,
    *,
    program: Mapping[str, Any] | None = PROGRAM,
    points: int | None = None,
    customer_id: int | None = 7_001,
    settings: Mapping[str, Any] | None = None,
    language: str = "en.default",
    design_mode: bool = False,
    translated: Mapping[str, Any] | None = None,
) -> str:
    """The HTML of one block for a customer (None: a guest) whose metafield holds `points` (None: not set). `translated` are
    metafields with the program in other languages."""
    defaults = {s["id"]: s["default"] for s in schema_of(block)["settings"] if "default" in s}
    metafields = {"$app": {"points": {"value": points}} if points is not None else {}}
    programs = {"program": program, **(translated or {})}
    published = {key: {"value": value} for key, value in programs.items()}
    scope: dict[str, Any] = {
        "app": {"metafields": {"laurel": published}},
        "block": {"id": "AbC123", "settings": {**defaults, **(settings or {})}, "shopify_attributes": ""},
        "customer": {"id": customer_id, "metafields": metafields} if customer_id is not None else None,
        "request": {"design_mode": design_mode, "locale": {"iso_code": language.partition(".")[0]}},
        "routes": {"account_login_url": "/account/login", "account_register_url": "/account/register"},
    }
    return environment(language).get_template(block).render(**scope)
