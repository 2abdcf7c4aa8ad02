"""What Liquid writes at first paint: the blocks for customers, guests and hostile data."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser

import pytest

from tests.theme import LOCALES, PROGRAM, contrast, locale, render_block

BLOCKS = ("launcher", "rewards")
HOSTILE = "\"><script>alert(1)</script><img src=x onerror='alert(2)'> & {{ 7 | times: 6 }}"


class Page(HTMLParser):
    """The tags, attributes and visible text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def parts(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.tags if attributes.get("data-part") == name]


@pytest.mark.parametrize("block", BLOCKS)
class TestCustomer:
    def test_balance(self, block: str) -> None:
        """The balance is in the HTML itself, from the metafield, with grouped digits."""
        page = Page(render_block(block, points=12_540))

        assert "12,540 points" in page.text
        assert page.tags[0][1]["data-balance"] == "12540"

    @pytest.mark.parametrize(
        ("points", "shown"),
        [(0, "0 points"), (1, "1 point"), (999, "999 points"), (1_000, "1,000 points"), (-40, "-40 points"),
         (1_002_003, "1,002,003 points"), (-1_500, "-1,500 points")],
    )  # fmt: skip
    def test_numbers(self, block: str, points: int, shown: str) -> None:
        """Any balance reads well: zero, one, thousands with their zeros, and a debt."""
        part = re.search(r'data-part="balance">(.*?)<', render_block(block, points=points))

        assert part is not None
        assert part[1] == shown

    def test_no_metafield(self, block: str) -> None:
        """A customer whose balance was never written sees zero points, not a gap."""
        assert "0 points" in Page(render_block(block, points=None)).text

    def test_reach(self, block: str) -> None:
        """Rewards in reach have their button, the others say how much is missing."""
        page = Page(render_block(block, points=600))
        redeem = [a for _, a in page.tags if a.get("data-act") == "redeem"]

        assert "hidden" not in redeem[0]
        assert "hidden" in redeem[1]
        assert "hidden" not in page.parts("missing")[1]
        assert "650 points to go" in page.text

    def test_next(self, block: str) -> None:
        """Progress leads to the cheapest reward that is not in reach yet."""
        page = Page(render_block(block, points=600))

        assert "650 points to go until Free shipping" in page.text
        assert ("1250", "600") == (page.parts("progress")[0]["max"], page.parts("progress")[0]["value"])

    def test_all_reached(self, block: str) -> None:
        """With every reward in reach the bar is full and says so."""
        page = Page(render_block(block, points=9_000))

        assert page.parts("progress")[0]["max"] == page.parts("progress")[0]["value"]
        assert "You have enough for every reward." in page.text

    def test_debt(self, block: str) -> None:
        """A negative balance keeps the progress bar at its start."""
        assert Page(render_block(block, points=-40)).parts("progress")[0]["value"] == "0"


@pytest.mark.parametrize("block", BLOCKS)
class TestGuest:
    def test_invited(self, block: str) -> None:
        """A guest is asked to join or log in, and sees rewards without buttons or a balance."""
        page = Page(render_block(block, customer_id=None))
        links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]

        assert ["/account/register", "/account/login"] == links
        assert "$5 off" in page.text
        assert [] == page.parts("balance") + page.parts("words") + page.parts("sheet")
        assert "redeem" not in {attributes.get("data-act") for _, attributes in page.tags}


@pytest.mark.parametrize("block", BLOCKS)
class TestProgram:
    def test_none(self, block: str) -> None:
        """Without a published program shoppers see nothing at all."""
        assert render_block(block, program=None).strip() == ""

    def test_none_in_editor(self, block: str) -> None:
        """In the theme editor a missing program explains itself to the merchant."""
        assert locale("en.default")["panel.not_ready"] in render_block(block, program=None, design_mode=True)

    def test_empty(self, block: str) -> None:
        """A program without rewards or ways to earn says so in words."""
        page = Page(render_block(block, program={"rewards": [], "earn": []}, points=10))

        assert "hidden" not in page.parts("no-rewards")[0]
        assert "hidden" in page.parts("next")[0]
        assert locale("en.default")["earn.empty"] in page.text
        assert "10 points" in page.text

    def test_names(self, block: str) -> None:
        """The program's own name for points is used everywhere."""
        program = {**PROGRAM, "points_name": {"one": "leaf", "many": "leaves"}}

        assert "1 leaf" in render_block(block, program=program, points=1)
        assert "540 leaves" in render_block(block, program=program, points=540)
        assert 'data-many="leaves"' in render_block(block, program=program, points=1)

    @pytest.mark.parametrize(
        ("setting", "program", "path"),
        [("", PROGRAM, "/apps/laurel"), ("  ", {**PROGRAM, "proxy": "/a/club"}, "/a/club"),
         ("/tools/points", PROGRAM, "/tools/points"), (None, {"rewards": []}, "/apps/laurel")],
    )  # fmt: skip
    def test_proxy(self, block: str, setting: str | None, program: dict[str, object], path: str) -> None:
        """The path comes from the setting, else from the program, else it is Shopify's usual one."""
        html = render_block(block, program=program, points=1, settings={"proxy_path": setting})

        assert f'data-proxy="{path}"' in html


@pytest.mark.parametrize("block", BLOCKS)
class TestHostile:
    @pytest.mark.parametrize("customer_id", [7_001, None])
    def test_escaped(self, block: str, customer_id: int | None) -> None:
        """Markup in any program text or setting stays text: no tag or attribute is born from it."""
        program = copy.deepcopy(PROGRAM)
        program |= {"points_name": {"one": HOSTILE, "many": HOSTILE}, "proxy": HOSTILE}
        for entry in (*program["rewards"], *program["earn"]):
            entry |= {"title": HOSTILE, "key": HOSTILE}
        settings = dict.fromkeys(("label", "heading", "proxy_path", "position"), HOSTILE)

        page = Page(
            render_block(block, program=program, points=600, customer_id=customer_id, settings=settings)
        )

        assert {"script", "img"}.isdisjoint(tag for tag, _ in page.tags)
        assert [] == [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
        assert HOSTILE in page.text
        assert page.tags[0][1]["data-proxy"] == HOSTILE

    def test_same_tags(self, block: str) -> None:
        """Hostile titles leave the page with the very tags that harmless ones give."""
        program = copy.deepcopy(PROGRAM)
        program["rewards"][1]["title"] = HOSTILE

        tame, wild = (Page(render_block(block, program=p, points=600)) for p in (PROGRAM, program))

        assert [tag for tag, _ in tame.tags] == [tag for tag, _ in wild.tags]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("language", LOCALES)
class TestLanguages:
    def test_speaks(self, block: str, language: str) -> None:
        """Each language renders with its own words and digit groups."""
        html = render_block(block, points=12_540, language=language)
        words = locale(language)

        assert words["redeem.yes"] in html
        assert f"12{words['number.group']}540 points" in html

    def test_details(self, block: str, language: str) -> None:
        """What a way to earn gives is read from the program in the shopper's language, where there is one."""
        key = locale(language)["language.key"]
        own = copy.deepcopy(PROGRAM)
        own["earn"][0]["detail"] = "said in the shopper's own words"

        html = render_block(block, language=language, translated={f"program_{key}": own})

        assert "own words" in html
        assert "1 point for every $1 spent" in render_block(block, language=language)
        assert f'data-language="{key}"' in html

    def test_slots_left_to_script(self, block: str, language: str) -> None:
        """Sentences for the script keep exactly their bracketed slots, and no unfilled Liquid."""
        html = render_block(block, points=1, language=language)
        spoken = next(
            attributes for tag, attributes in Page(html).tags if attributes.get("data-part") == "words"
        )

        assert "{{" not in html
        assert {"[points]", "[reward]"} == set(re.findall(r"\[\w+\]", spoken["data-ask"] or ""))


class TestColours:
    @pytest.mark.parametrize(
        "accent", ["#000000", "#ffffff", "#767676", "#777777", "#ff0000", "#00ff00", "#1f5f4a"]
    )
    def test_contrast(self, accent: str) -> None:
        """Text on any colour a merchant picks keeps a contrast of at least 4.5 to 1."""
        html = render_block("launcher", settings={"accent": accent, "ground": accent})
        found = dict(re.findall(r"--laurel-([a-z-]+):(#\w{6})", html))

        assert contrast(found["fill"], found["on-fill"]) >= 4.5
        assert contrast(found["paper"], found["ink"]) >= 4.5

    def test_blank(self) -> None:
        """A cleared colour setting falls back to the default."""
        assert "--laurel-fill:#1f5f4a" in render_block("launcher", settings={"accent": None})


class TestEmbed:
    def test_label(self) -> None:
        """The button says what the merchant typed, or the shopper's word for rewards."""
        assert "<span>Perks</span>" in render_block("launcher", settings={"label": " Perks "})
        assert "<span>Prämien</span>" in render_block("launcher", language="de", settings={"label": "  "})

    def test_position(self) -> None:
        """The corner and the distance from the bottom follow the settings."""
        html = render_block("launcher", settings={"position": "start", "lift": 80})

        assert "laurel-embed--start" in html
        assert "--laurel-lift:80px" in html

    def test_asks_nothing(self) -> None:
        """First paint needs no request of ours: no image, frame, script or style is fetched by the HTML."""
        for block in BLOCKS:
            tags = Page(render_block(block, points=1)).tags
            assert {"img", "iframe", "script", "link", "source"}.isdisjoint(tag for tag, _ in tags)
            assert [] == [a["src"] for _, a in tags if "src" in a]
