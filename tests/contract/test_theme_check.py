"""The theme app extension against Shopify's linter, its schemas for settings, and its size limits.

Everything runs on the data inside the npm packages; nothing is downloaded.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from tests.theme import EXTENSION, LOCALES, flat, locale, schema_of

HERE = Path(__file__).resolve().parent
MODULES = HERE.parent.parent / "node_modules" / "@shopify"
BLOCKS = sorted(path.stem for path in (EXTENSION / "blocks").glob("*.liquid"))
LIQUID = sorted(EXTENSION.rglob("*.liquid"))
BLOCK_KEYS = {
    "name", "target", "settings", "stylesheet", "javascript", "available_if", "enabled_on", "disabled_on", "class", "tag"
}  # fmt: skip
KB = 1000


def lint(root: Path, empty: Path) -> dict[str, Any]:
    """Shopify's linter over one extension; the empty folder stands where newer rule data would be fetched from."""
    finished = subprocess.run(
        ["node", HERE / "theme_check.mjs", root, HERE / "theme_check.yml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "SHOPIFY_TLD_ROOT": str(empty), "XDG_CACHE_HOME": str(empty / "cache")},
    )
    report: dict[str, Any] = json.loads(finished.stdout)
    return report


def setting_validator() -> Draft7Validator:
    """Shopify's schema for a list of settings, with the files it refers to."""
    data = MODULES / "theme-check-docs-updater" / "data"

    def retrieve(uri: str) -> Resource[Any]:
        return Resource.from_contents(json.loads((data / Path(uri).name).read_text()))

    registry: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    return Draft7Validator({"$ref": "shopify:///theme/settings.json"}, registry=registry)


def leaves(value: object) -> Iterator[str]:
    """Every string anywhere inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)


@pytest.mark.node
class TestThemeCheck:
    def test_no_offense(self, tmp_path: Path) -> None:
        """Shopify's own linter finds nothing to say about the extension."""
        report = lint(EXTENSION, tmp_path)

        assert [] == report["offenses"]
        assert report["files"] >= len(LIQUID) + 6

    def test_seeded_faults(self, tmp_path: Path) -> None:
        """The same lint does speak when a template, an asset address or a translation is wrong."""
        broken = tmp_path / "broken"
        shutil.copytree(EXTENSION, broken)
        block = broken / "blocks" / "rewards.liquid"
        block.write_text(
            "{% render 'laurel-nowhere' %}<script src='https://evil.test/a.js'></script>{{ 'no.key' | t }}"
            + block.read_text()
        )

        found = {offense["check"] for offense in lint(broken, tmp_path)["offenses"]}

        assert {"MissingTemplate", "ParserBlockingScript", "RemoteAsset", "TranslationKeyExists"} <= found


@pytest.mark.node
@pytest.mark.parametrize("block", BLOCKS)
class TestSettings:
    def test_valid(self, block: str) -> None:
        """Every setting has the shape that Shopify's schema asks for."""
        assert [] == [
            error.message for error in setting_validator().iter_errors(schema_of(block)["settings"])
        ]

    def test_bogus_refused(self, block: str) -> None:
        """The schema in use is a real one: a setting type that does not exist is an error."""
        settings = [*schema_of(block)["settings"], {"type": "colour", "id": "x", "label": "X"}]

        assert list(setting_validator().iter_errors(settings))


@pytest.mark.parametrize("block", BLOCKS)
class TestSchema:
    def test_keys(self, block: str) -> None:
        """A block's schema has only the keys an app block knows, and a target the theme editor offers."""
        schema = schema_of(block)

        assert BLOCK_KEYS >= set(schema)
        assert schema["target"] == {"launcher": "body", "rewards": "section"}[block]

    def test_assets_exist(self, block: str) -> None:
        """The stylesheet and the script that a block names are in the extension."""
        schema = schema_of(block)

        assert (EXTENSION / "assets" / schema["stylesheet"]).is_file()
        assert (EXTENSION / "assets" / schema["javascript"]).is_file()

    def test_ids_unique(self, block: str) -> None:
        """No two settings of a block share an id."""
        ids = [setting["id"] for setting in schema_of(block)["settings"] if "id" in setting]

        assert sorted(set(ids)) == sorted(ids)

    @pytest.mark.parametrize("language", LOCALES)
    def test_words_exist(self, block: str, language: str) -> None:
        """Each name and label in the theme editor is translated, and names are short enough for it."""
        words = locale(f"{language}.schema")
        keys = [leaf.removeprefix("t:") for leaf in leaves(schema_of(block)) if leaf.startswith("t:")]

        assert keys
        assert [] == [key for key in keys if not words.get(key)]
        assert len(words[schema_of(block)["name"].removeprefix("t:")]) <= 25

    def test_used(self, block: str) -> None:
        """Every setting a merchant can change changes something: its template reads it."""
        text = (EXTENSION / "blocks" / f"{block}.liquid").read_text()

        assert [] == [
            setting["id"]
            for setting in schema_of(block)["settings"]
            if "id" in setting and f"block.settings.{setting['id']}" not in text
        ]


class TestLocales:
    @pytest.mark.parametrize("language", LOCALES[1:])
    @pytest.mark.parametrize("suffix", ["", ".schema"])
    def test_complete(self, language: str, suffix: str) -> None:
        """Each language has exactly the keys of the default one, with the same slots in each sentence."""
        slots = re.compile(r"{{ \w+ }}")
        ours, default = locale(language + suffix), locale(f"en.default{suffix}")

        assert set(default) == set(ours)
        assert {k: sorted(slots.findall(v)) for k, v in default.items()} == {
            k: sorted(slots.findall(v)) for k, v in ours.items()
        }

    def test_used(self) -> None:
        """Every sentence is used by a template, and every one a template uses exists."""
        text = "".join(path.read_text() for path in LIQUID)

        assert set(locale("en.default")) == set(re.findall(r"'([a-z_]+\.[a-z_]+)' \| t\b", text))

    def test_no_words_in_templates(self) -> None:
        """No template carries a sentence of its own: what a shopper reads is in the locale files."""
        for path in LIQUID:
            text = re.sub(
                r"{%-?\s*(schema|doc|comment).*?end\1\s*-?%}", "", path.read_text(), flags=re.DOTALL
            )
            text = re.sub(r"{%-?\s*liquid.*?%}", "", text, flags=re.DOTALL)
            text = re.sub(r"{{.*?}}|{%.*?%}", "", text, flags=re.DOTALL)
            between = re.findall(r">([^<]*)<", text)
            assert [] == [words.strip() for words in between if re.search(r"[A-Za-z]{2}", words)], path.name


class TestLimits:
    def test_blocks(self) -> None:
        """Shopify takes thirty blocks at most."""
        assert 1 <= len(BLOCKS) <= 30

    def test_liquid(self) -> None:
        """All Liquid together stays under Shopify's 100 KB."""
        assert sum(path.stat().st_size for path in LIQUID) <= 100 * KB

    def test_locales(self) -> None:
        """Each locale file stays under Shopify's 15 KB."""
        files = list((EXTENSION / "locales").glob("*.json"))

        assert len(files) == 2 * len(LOCALES)
        assert [] == [path.name for path in files if path.stat().st_size > 15 * KB]

    def test_script(self) -> None:
        """A shopper downloads less than 10 KB of script, compressed."""
        assert len(gzip.compress((EXTENSION / "assets" / "laurel.js").read_bytes(), 6)) <= 10 * KB

    def test_stylesheet(self) -> None:
        """A shopper downloads less than 4 KB of styles, compressed."""
        assert len(gzip.compress((EXTENSION / "assets" / "laurel.css").read_bytes(), 6)) <= 4 * KB

    def test_folders(self) -> None:
        """The extension holds only the folders and file types that Shopify accepts."""
        folders = {path.name for path in EXTENSION.iterdir() if path.is_dir()}
        loose = {path.name for path in EXTENSION.iterdir() if path.is_file()}

        assert {"assets", "blocks", "snippets", "locales"} == folders
        assert {"shopify.extension.toml"} == loose
        assert {".js", ".css"} == {path.suffix for path in (EXTENSION / "assets").iterdir()}

    def test_declared(self) -> None:
        """The extension is declared as a theme extension."""
        assert tomllib.loads((EXTENSION / "shopify.extension.toml").read_text())["type"] == "theme"


class TestSafety:
    """What an app review looks for in a storefront extension."""

    def test_script_writes_text_only(self) -> None:
        """The script has no way to turn data into markup or code, and sets no globals."""
        script = (EXTENSION / "assets" / "laurel.js").read_text()
        forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|window\.\w+\s*=[^=]"

        assert [] == re.findall(forbidden, script)

    def test_output_escaped(self) -> None:
        """Every Liquid output is escaped last, but for constants and Shopify's own attributes."""
        plain = {
            "on_fill",
            "on_paper",
            "block.shopify_attributes",
            "block.settings.lift | default: 16 | times: 1",
        }
        outputs = [
            (path.name, output.strip())
            for path in LIQUID
            for output in re.findall(r"{{-?(.*?)-?}}", path.read_text(), flags=re.DOTALL)
        ]
        loose = [
            (name, out)
            for name, out in outputs
            if not re.search(r"\| escape(_once)?$", out) and out not in plain
        ]

        assert len(outputs) > 50
        assert [] == loose

    def test_no_script_in_liquid(self) -> None:
        """No template writes into a script, an event handler or another site's address."""
        for path in LIQUID:
            assert re.findall(r"<script|<iframe|\son\w+=|srcdoc|https?://", path.read_text()) == [], path.name

    def test_locales_are_text(self) -> None:
        """No translation carries markup."""
        files = [json.loads(path.read_text()) for path in (EXTENSION / "locales").glob("*.json")]

        assert [] == [word for file in files for word in flat(file).values() if "<" in word or ">" in word]
