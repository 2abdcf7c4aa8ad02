"""The pages' markup against Shopify's own list of Polaris components: nothing is used that does not exist."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty.encryption import Cipher
from loyalty.models import Referral
from loyalty.runtime import Runtime
from tests.merchant_pages import NOW, ROOT, Bell, Door, make_app
from tests.shop_story import Story, tell_story

MANIFEST = ROOT / "node_modules/@shopify/polaris-types/dist/custom-elements.json"
TEMPLATES = ROOT / "templates"

# Attributes of HTML itself, which every element has.
GLOBAL = {"id", "class", "hidden", "slot", "title", "lang", "role", "tabindex"}
# App Bridge's own element, which the list of Polaris does not hold; its links may say which one is home.
APP_BRIDGE = {"s-app-nav": set[str]()}
HOME_LINK = {"rel"}
# The list leaves ``name`` out of these two, though it is one of their properties and the way to be part of a form.
NAMED_FIELDS = {"s-number-field", "s-money-field"}
FIELDS_WITHOUT_LABEL = {"hidden"}


@dataclass
class Component:
    """What may be written on a component and put in it. ``values`` are the words that an attribute may have, where it has few."""

    attributes: set[str]
    slots: set[str]
    values: dict[str, set[str]]


@dataclass
class Markup(HTMLParser):
    """Every tag of a page with its attributes and the tags around it."""

    found: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    VOID = frozenset({"meta", "link", "input", "br"})

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), tuple(self.open)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes something else"


@pytest.fixture(scope="module")
def components() -> dict[str, Component]:
    """Shopify's components by tag."""
    assert MANIFEST.exists(), "no node_modules: `make node` installs them"
    listed = json.loads(MANIFEST.read_text())
    declared = (item for module in listed["modules"] for item in module.get("declarations", ()))
    return {item["tagName"]: _component(item) for item in declared if "tagName" in item}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> dict[str, str]:
    """Every page of a shop that has lived, of one that is new, and of one whose Klaviyo link broke."""
    found: dict[str, str] = {}
    for name, lived in (("lived", True), ("new", False)):
        path = tmp_path_factory.mktemp(name) / "laurel.db"
        path.write_bytes(sqlite_template.read_bytes())
        client, story = _client(path, lived=lived)
        for address in _addresses(story):
            answer = client.get(address)
            assert answer.status_code in (200, 404), (address, answer.status_code)
            found[f"{name} {address}"] = answer.get_data(as_text=True)
    return found


class TestComponents:
    def test_exist(self, pages: dict[str, str], components: dict[str, Component]) -> None:
        """Every s- tag is one of Polaris or App Bridge."""
        used = {tag for markup in _parsed(pages) for tag, _, _ in markup.found if tag.startswith("s-")}

        assert used - components.keys() - APP_BRIDGE.keys() == set()
        assert len(used) > 20

    def test_attributes(self, pages: dict[str, str], components: dict[str, Component]) -> None:
        """Every attribute of a component is one that it has, in lower case, or HTML's own."""
        wrong = {
            (tag, name)
            for markup in _parsed(pages)
            for tag, attributes, around in markup.found
            if tag in components
            for name in attributes
            if name not in _allowed(tag, components, around)
        }

        assert wrong == set()

    def test_values(self, pages: dict[str, str], components: dict[str, Component]) -> None:
        """An attribute with few possible words has one of them."""
        wrong = {
            (tag, name, value)
            for markup in _parsed(pages)
            for tag, attributes, _ in markup.found
            if tag in components
            for name, value in attributes.items()
            if name in components[tag].values and value not in components[tag].values[name]
        }

        assert wrong == set()

    def test_slots(self, pages: dict[str, str], components: dict[str, Component]) -> None:
        """A slot that is named exists in the component around."""
        wrong = {
            (around[-1], attributes["slot"])
            for markup in _parsed(pages)
            for _, attributes, around in markup.found
            if "slot" in attributes and attributes["slot"] not in components[around[-1]].slots
        }

        assert wrong == set()

    def test_source_is_lower_case(self) -> None:
        """No template writes an attribute in mixed case: HTML would not mind, and a reader would be misled."""
        for path in TEMPLATES.rglob("*.html"):
            source = path.read_text()
            assert "commandFor" not in source
            assert "accessibilityLabel" not in source


class TestForms:
    def test_fields_have_labels(self, pages: dict[str, str]) -> None:
        """Everything that can be filled in says what it is for."""
        unlabelled = [
            (address, tag, attributes.get("name"))
            for address, markup in zip(pages, _parsed(pages), strict=True)
            for tag, attributes, _ in markup.found
            if "name" in attributes and tag != "meta" and attributes.get("type") not in FIELDS_WITHOUT_LABEL
            if not attributes.get("label")
        ]

        assert unlabelled == []

    def test_overlays_exist(self, pages: dict[str, str]) -> None:
        """A button that opens, closes or sends something names a thing that is on its page."""
        for address, markup in zip(pages, _parsed(pages), strict=True):
            ids = [attributes["id"] for _, attributes, _ in markup.found if "id" in attributes]
            named = {
                attributes[name]
                for _, attributes, _ in markup.found
                for name in ("commandfor", "data-submits", "data-closes", "clickdelegate")
                if name in attributes
            }

            assert named <= set(ids), address
            assert len(ids) == len(set(ids)), address


class TestHead:
    def test_order(self, pages: dict[str, str]) -> None:
        """App Bridge is the first script, neither deferred nor async, after the key and before Polaris."""
        for address, markup in zip(pages, _parsed(pages), strict=True):
            scripts = [attributes for tag, attributes, _ in markup.found if tag == "script"]
            metas = [attributes for tag, attributes, _ in markup.found if tag == "meta"]

            assert scripts[0] == {"src": "https://cdn.shopify.test/shopifycloud/app-bridge.js"}, address
            assert scripts[1] == {"src": "https://cdn.shopify.test/shopifycloud/polaris-1.js"}, address
            assert {"name": "shopify-api-key", "content": "laurel-client-id"} in metas, address

    def test_no_inline_code(self, pages: dict[str, str]) -> None:
        """Scripts and styles are files: a strict policy for content would let every page work."""
        for address, markup in zip(pages, _parsed(pages), strict=True):
            for tag, attributes, _ in markup.found:
                assert tag != "style", address
                assert tag != "script" or attributes.get("src"), address
                assert not any(name == "style" or name.startswith("on") for name in attributes), (
                    address,
                    tag,
                )


class TestTemplates:
    def test_all_are_rendered(self, pages: dict[str, str]) -> None:
        """No template escapes these tests: each page of the folders was rendered with nothing undefined in it."""
        titles = {page.split("<title>")[1].split("</title>")[0] for page in pages.values()}
        whole = [path for path in TEMPLATES.rglob("*.html") if "{% extends" in path.read_text()]

        assert len(titles) >= len(whole)


def _client(path: Path, *, lived: bool) -> tuple[FlaskClient, Story]:
    from loyalty.database import make_engine

    engine = make_engine(f"sqlite:///{path}")
    runtime = Runtime(
        engine, Cipher(["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]), Bell(), clock=lambda: NOW
    )
    with runtime.transaction() as session:
        story = tell_story(session, now=NOW, lived=lived)
        if lived:
            session.add_all(_referrals(story))
    return make_app(runtime, Door()).test_client(), story


def _referrals(story: Story) -> Iterator[Referral]:
    """One of each kind that the page of referrals shows otherwise than the others."""
    checks = [{"check": "self", "result": "failed", "blocks": True}]
    for place, state in enumerate(("claimed", "ordered", "blocked")):
        yield Referral(
            key=state,
            shop_id=story.shop_id,
            advocate_id=story.member_ids[0],
            friend_id=story.member_ids[place + 1],
            state=state,
            reason="self" if state == "blocked" else "",
            checks=checks,
            program_version=1,
            due_at=NOW,
            created_at=NOW,
            updated_at=NOW,
        )


def _addresses(story: Story) -> Iterator[str]:
    yield from ("/", "/program", "/members", "/members?q=nobody-at-all", "/imports", "/privacy")
    yield from ("/referrals", "/referrals?state=completed")
    yield from (
        "/program/new/earn",
        "/program/new/rewards",
        "/program/new/rewards/incremental",
        "/program/text",
        "/program/preview",
        "/liability",
        "/liability?by=day",
    )
    yield from (
        "/program/new/earn/birthday",
        "/program/new/campaigns/new",
        "/program/versions",
        "/program/versions/1",
    )
    yield from ("/program/part/general", "/program/part/earn/order", "/program/part/rewards/five_off")
    yield from (f"/program/part/{part}" for part in ("tiers", "referrals", "expiry", "balance_reminder"))
    yield from ("/klaviyo", "/klaviyo?klaviyo=denied", "/klaviyo/reviews", "/klaviyo/events")
    yield from ("/klaviyo/events?state=refused", "/klaviyo/events?since=yesterday", "/members/987654")
    for member_id in story.member_ids[:3]:
        yield f"/members/{member_id}"
    for run_id in story.run_ids:
        yield f"/runs/{run_id}"
    if story.refused_id:
        yield f"/klaviyo/events/{story.refused_id}"


def _parsed(pages: dict[str, str]) -> list[Markup]:
    found = []
    for page in pages.values():
        markup = Markup()
        markup.feed(page)
        assert markup.open == []
        found.append(markup)
    return found


def _component(item: dict[str, Any]) -> Component:
    values = {}
    for attribute in item.get("attributes", ()):
        words = [word.strip() for word in attribute.get("type", {}).get("text", "").split("|")]
        if words and all(word.startswith('"') and word.endswith('"') for word in words):
            values[attribute["name"]] = {word.strip('"') for word in words}
    return Component(
        attributes={attribute["name"] for attribute in item.get("attributes", ())},
        slots={slot["name"] for slot in item.get("slots", ())},
        values=values,
    )


def _allowed(tag: str, components: dict[str, Component], around: tuple[str, ...]) -> "_Names":
    own = components[tag].attributes | GLOBAL
    if tag in NAMED_FIELDS:
        own = own | {"name"}
    if tag == "s-link" and "s-app-nav" in around:
        own = own | HOME_LINK
    return _Names(own)


class _Names(set[str]):
    def __contains__(self, name: object) -> bool:
        return set.__contains__(self, name) or (isinstance(name, str) and name.startswith(("data-", "aria-")))
