"""The theme app extension as a shop renders it: blocks, snippets, locales and assets from a folder.

Liquid itself is python-liquid; added are the tags and filters that Shopify adds and extensions use.
"""

from __future__ import annotations

import html
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liquid import DictLoader, Environment

SCHEMA = re.compile(r"{%-?\s*schema\s*-?%}(.*?){%-?\s*endschema\s*-?%}", re.DOTALL)
SLOT = re.compile(r"{{\s*(\w+)\s*}}")
EMBED_TARGETS = ("head", "body", "compliance_head")


@dataclass(frozen=True)
class Block:
    """One block of the extension."""

    handle: str
    name: str
    target: str
    source: str
    stylesheet: str | None
    javascript: str | None
    settings: dict[str, Any] = field(default_factory=dict)


def flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A locale document as dotted keys and their texts."""
    found: dict[str, str] = {}
    for key, value in document.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = str(value)
    return found


def luminance(colour: str) -> float:
    """The relative luminance of a `#rrggbb` colour."""
    parts = (int(colour.lstrip("#")[start : start + 2], 16) / 255 for start in (0, 2, 4))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def color_contrast(first: str, second: str) -> float:
    """Shopify's filter: the contrast ratio of two colours."""
    low, high = sorted((luminance(first), luminance(second)))
    return round((high + 0.05) / (low + 0.05), 2)


class Theme:
    """An extension folder, read anew whenever it is asked for, so that edits show on reload."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        settings = folder / "shopify.extension.toml"
        self.handle = folder.name
        if settings.exists():
            self.handle = tomllib.loads(settings.read_text(encoding="utf-8")).get("handle", folder.name)

    @property
    def blocks(self) -> list[Block]:
        """All blocks, by file name."""
        return [self._block(path) for path in sorted((self.folder / "blocks").glob("*.liquid"))]

    def embeds(self) -> list[Block]:
        """The blocks that a merchant switches on for every page."""
        return [block for block in self.blocks if block.target in EMBED_TARGETS]

    def sections(self) -> list[Block]:
        """The blocks that a merchant puts on a page."""
        return [block for block in self.blocks if block.target == "section"]

    def _block(self, path: Path) -> Block:
        text = path.read_text(encoding="utf-8")
        found = SCHEMA.search(text)
        schema = json.loads(found[1]) if found else {}
        name = str(schema.get("name", path.stem))
        if name.startswith("t:"):
            name = self.words("en.default.schema").get(name.removeprefix("t:"), path.stem)
        defaults = {row["id"]: row["default"] for row in schema.get("settings", []) if "default" in row}
        return Block(
            handle=path.stem,
            name=name,
            target=str(schema.get("target", "section")),
            source=SCHEMA.sub("", text),
            stylesheet=schema.get("stylesheet"),
            javascript=schema.get("javascript"),
            settings=defaults,
        )

    def words(self, name: str) -> dict[str, str]:
        """The texts of one locale file; none when there is no such file."""
        path = self.folder / "locales" / f"{name}.json"
        return flat(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def asset(self, name: str) -> Path | None:
        """The file of an asset, if it is one of the extension."""
        path = (self.folder / "assets" / name).resolve()
        inside = path.parent == (self.folder / "assets").resolve()
        return path if inside and path.is_file() else None

    def environment(self, language: str, assets: str) -> Environment:
        """Liquid with this extension's snippets, one language and addresses of its assets."""
        snippets = {
            path.stem: path.read_text(encoding="utf-8")
            for path in (self.folder / "snippets").glob("*.liquid")
        }
        texts = {**self.words("en.default"), **self.words(language)}
        environment = Environment(loader=DictLoader(snippets))

        def translate(key: object, **values: object) -> str:
            if str(key) not in texts:
                return f"Translation missing: {language}.{key}"
            return SLOT.sub(lambda slot: html.escape(str(values.get(slot[1], ""))), texts[str(key)])

        environment.filters["t"] = translate
        environment.filters["color_contrast"] = color_contrast
        environment.filters["asset_url"] = lambda name: f"{assets}/{name}"
        environment.filters["stylesheet_tag"] = lambda url: (
            f'<link rel="stylesheet" href="{html.escape(str(url))}">'
        )
        environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False).replace(
            "<", "\\u003c"
        )
        environment.filters["money"] = lambda value: f"${float(value) / 100:,.2f}"
        return environment

    def render(self, block: Block, scope: Mapping[str, Any], language: str, assets: str) -> str:
        """The HTML of a block with its own settings, stylesheet and script."""
        settings = {"id": f"sandbox-{block.handle}", "settings": block.settings, "shopify_attributes": ""}
        body = self.environment(language, assets).from_string(block.source).render(**scope, block=settings)
        if block.stylesheet:
            body = f'<link rel="stylesheet" href="{assets}/{html.escape(block.stylesheet)}">\n{body}'
        if block.javascript:
            body += f'\n<script src="{assets}/{html.escape(block.javascript)}" defer></script>'
        kind = "section" if block.target == "section" else "embed"
        return f'<div class="shopify-app-{kind}" data-block="{html.escape(block.handle)}">{body}</div>'
