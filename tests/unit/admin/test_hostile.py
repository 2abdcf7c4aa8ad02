"""Requests that no page of ours makes: each is answered, and none of them breaks anything."""

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from loyalty.models import LedgerEntry
from loyalty.runtime import Runtime
from tests.shop_story import Story

TOO_LARGE = 2**63
KEY = "k" * 24


class TestIds:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/members/{}"),
            ("GET", "/members/{}/export.json"),
            ("POST", "/members/{}/adjust"),
            ("POST", "/privacy/requests/{}/export.json"),
            ("POST", "/messages/{}/retry"),
            ("GET", "/runs/{}"),
            ("GET", "/runs/{}.json"),
            ("POST", "/runs/{}/cancel"),
        ],
    )
    def test_too_large(self, client: FlaskClient, story: Story, method: str, path: str) -> None:
        """A number that no row can have names nothing, as any other that names nothing."""
        form = {"points": "5", "note": "Sorry", "key": KEY} if method == "POST" else None
        answer = client.open(path.format(TOO_LARGE), method=method, data=form)

        assert answer.status_code == 404


class TestTexts:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/imports/members/%00"),
            ("POST", "/imports/members/a%00b/undo"),
            ("POST", "/members/1/rewards/%00/cancel"),
            ("POST", "/program/part/earn/%00"),
        ],
    )
    def test_nought(self, client: FlaskClient, story: Story, method: str, path: str) -> None:
        """A character that PostgreSQL takes in no text names nothing, and no page asks it."""
        answer = client.open(path, method=method)

        assert answer.status_code == 404
        assert "There is no such import" not in answer.text


class TestAdjustment:
    @pytest.mark.parametrize("name", ["note", "staff"])
    @pytest.mark.parametrize("text", ["a\x00b", "a\x1b[2Jb", "\u0085", "a\u2028b", "\ud800"])
    def test_control_characters(
        self, client: FlaskClient, story: Story, runtime: Runtime, name: str, text: str
    ) -> None:
        """A text with characters that nobody can read, or that no database takes, is a mistake in its field."""
        form = {"points": "5", "note": "Sorry", "staff": "", "key": KEY} | {name: f"x{text}x"}
        data = "&".join(f"{k}={_quoted(v)}" for k, v in form.items())
        answer = client.post(
            f"/members/{member_of(runtime, story)}/adjust",
            data=data,
            content_type="application/x-www-form-urlencoded",
        )

        if text == "\ud800":  # not a character at all: it arrives as a replacement, which is one
            assert answer.status_code == 200
            return
        assert answer.status_code == 422
        assert set(answer.json["errors"]) == {name}

    def test_lines(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """The reason for the staff may have several lines; what the customer reads has one."""
        form = {"points": "5", "note": "Sorry 🌿 für alles", "staff": "first\r\nsecond", "key": KEY}
        path = f"/members/{member_of(runtime, story)}/adjust"

        assert client.post(path, data=form | {"note": "a\nb"}).status_code == 422
        assert client.post(path, data=form).status_code == 200


class TestProgram:
    @pytest.mark.timeout(60)
    @pytest.mark.parametrize(
        "rate", ["1e-9999999", "1e9999999", "1e-999999999999999", "NaN", "-1", "0x10", "١"]
    )
    def test_rate(self, client: FlaskClient, story: Story, rate: str) -> None:
        """A rate of any length is answered at once."""
        answer = client.get("/program/example.json", query_string={"rate": rate, "rounding": "up"})

        assert answer.status_code == 200


def member_of(runtime: Runtime, story: Story) -> int:
    """Any member whose points may be changed."""
    with runtime.reading() as session:
        return session.exec(select(LedgerEntry.member_id)).first() or 0


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
