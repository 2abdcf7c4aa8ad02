"""What Liquid writes at first paint of a whole program: ways to earn with their buttons, the offer for friends, and hostile words."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.theme import PROGRAM, locale, render_block

BLOCKS = ("launcher", "rewards")
HOSTILE = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>"
CLUB: dict[str, Any] = {
    **PROGRAM,
    "earn": [
        {"key": "order", "way": "order", "title": "Place an order", "detail": "1 point for every $1 spent"},
        {"key": "insta", "way": "follow_instagram", "title": "Follow us", "detail": "20 points"},
        {"key": "tweet", "way": "share_x", "title": "Share us", "detail": "5 points"},
        {"key": "birthday", "way": "birthday", "title": "Your birthday", "detail": "200 points a year"},
    ],
    "rewards": [
        {"key": "some_off", "kind": "incremental", "title": "Money off", "points": 100, "step": 50, "minimum": 100,
         "maximum": 400, "detail": "$1 for every 50 points"},
    ],
    "referral": {"title": "Bring a friend", "friend": "$10 off", "advocate": "500 points", "minimum": "$30"},
}  # fmt: skip


class Parts(HTMLParser):
    """The tags of a piece of HTML that are a part of the widget."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def of(self, part: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.tags if attributes.get("data-part") == part]


@pytest.mark.parametrize("block", BLOCKS)
class TestWays:
    def test_buttons(self, block: str) -> None:
        """What a customer can do here has its button; an order has none. A guest has none at all."""
        html = render_block(block, program=CLUB, points=0)
        shown = [a for _, a in Parts(html).tags if a.get("data-act") == "way"]

        assert ["hidden" in attributes for attributes in shown] == [
            True,
            False,
            False,
            False,
            True,
        ]  # and the empty row
        assert re.findall(r'data-part="verb">([^<]+)<', html) == ["Follow", "Share", "Set birthday"]
        assert 'data-act="way"' not in render_block(block, program=CLUB, customer_id=None)

    def test_pages(self, block: str) -> None:
        """The store's pages elsewhere reach the script as the text that they are."""
        html = render_block(block, program=CLUB, points=0, settings={"follow_instagram": HOSTILE})

        assert Parts(html).tags[0][1]["data-follow-instagram"] == HOSTILE
        assert "<script>" not in html

    def test_steps(self, block: str) -> None:
        """A reward of which one can have more or less says its steps to the script, and its detail to people."""
        row = Parts(render_block(block, program=CLUB, points=0)).of("reward")[0]

        assert (row["data-points"], row["data-step"], row["data-most"]) == ("100", "50", "400")
        assert "$1 for every 50 points" in render_block(block, program=CLUB, points=0)


@pytest.mark.parametrize("block", BLOCKS)
class TestFriends:
    def test_customer(self, block: str) -> None:
        """A customer reads what both sides get; the link comes when it is asked for."""
        html = render_block(block, program=CLUB, points=0)
        parts = Parts(html)

        assert "Your friend gets: $10 off. You get: 500 points." in html
        assert "hidden" in parts.of("friends-own")[0]
        assert "hidden" in parts.of("claim")[0]

    def test_guest(self, block: str) -> None:
        """A guest may come with a friend's link, so the form and its sentences are there; the member's own offer is not."""
        parts = Parts(render_block(block, program=CLUB, customer_id=None))

        assert (len(parts.of("claim")), len(parts.of("words")), len(parts.of("friends"))) == (1, 1, 0)

    def test_without(self, block: str) -> None:
        """Without referrals in the program there is nothing of them on the page."""
        parts = Parts(render_block(block, points=0))

        assert parts.of("claim") + parts.of("friends") == []
        assert "data-referral" not in parts.tags[0][1]

    @pytest.mark.parametrize("language", ["en.default", "de", "fr"])
    def test_hostile(self, block: str, language: str) -> None:
        """Markup in the merchant's words is written as text, in every language."""
        program = {
            **CLUB,
            "earn": [{"key": "k", "way": "birthday", "title": HOSTILE, "detail": HOSTILE}],
            "rewards": [{**CLUB["rewards"][0], "title": HOSTILE, "detail": HOSTILE}],
            "referral": dict.fromkeys(("title", "friend", "advocate", "minimum"), HOSTILE),
        }
        html = render_block(block, program=program, points=0, language=language)

        assert not re.search(r"<script|<img", html)
        assert locale(language)["friends.link"] in html
