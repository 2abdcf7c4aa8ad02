"""The door for a shop's own programs, on a real database: keys, actions, repeats, and what became of them."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select

from loyalty import api_keys, programs, pruning
from loyalty.encryption import Cipher
from loyalty.models import ApiAction, ApiKey, InboxMessage, LedgerEntry, Member, Shop
from loyalty.receiving import Reception, drain_inbox
from loyalty.runtime import Runtime
from shopify_app.api import create_blueprint, translate
from shopify_app.api.door import LARGEST_BODY, MOST_PER_MINUTE

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "points": {"one": "point", "many": "points"},
    "earn": {
        "survey": {"way": "custom", "title": "Answer our survey", "points": 40, "limit": {"times": 1, "per": "month"}},
        "members_day": {"way": "custom", "title": "Visit our day", "points": 70, "guests": False},
        "nps": {"title": "Tell us how we do", "points": 10, "hold_days": 7},
        "order": {"rate": "1", "title": "Place an order"},
    }
}  # fmt: skip


class Desk:
    """A shop with a key, the door, and what a test does with them."""

    def __init__(self, engine: Any) -> None:
        self.now = NOW
        self.rung: list[tuple[Any, ...]] = []
        self.runtime = Runtime(engine, Cipher([Fernet.generate_key().decode()]), self.ring, lambda: self.now)
        self.app = Flask("laurel")
        self.app.register_blueprint(create_blueprint(self.runtime))
        self.client: FlaskClient = self.app.test_client()
        self.shop_id, self.key = self.open("fern-and-fig.myshopify.com", "0123456789")

    def ring(self, job: str, *args: Any, delay: float = 0) -> None:
        self.rung.append((job, *args))

    def open(self, domain: str, prefix: str) -> tuple[int, str]:
        """A shop with its program and a key."""
        with self.runtime.transaction() as session:
            shop = Shop(domain=domain, first_installed_at=NOW, installed_at=NOW)
            session.add(shop)
            session.flush()
            programs.apply(session, shop.id, DOCUMENT, author="test", now=NOW)
            key = api_keys.make(
                session, shop.id, "Survey tool", prefix=prefix, token="t" * 43, made_by="1", now=NOW
            )
            return shop.id, key

    def tell(self, body: Any = None, *, key: str | None = None, **fields: Any) -> Any:
        """Tell of an action."""
        told = {"rule": "survey", "id": "s-1", "email": "iris@fernandfig.shop"} | fields
        data = body if body is not None else json.dumps({k: v for k, v in told.items() if v is not None})
        # A client of one's own: several may tell at once.
        return self.app.test_client().post(
            "/api/v1/actions", data=data, headers={"Authorization": f"Bearer {key or self.key}"}
        )

    def ask(self, action: str, *, key: str | None = None) -> Any:
        """Ask what became of one."""
        return self.client.get(
            f"/api/v1/actions/{action}", headers={"Authorization": f"Bearer {key or self.key}"}
        )

    def settle(self) -> None:
        """Drain the inbox."""
        drain_inbox(self.runtime, Reception({"api": translate}, {}), "fern-and-fig.myshopify.com")

    def rows(self, table: type) -> list[Any]:
        """All rows of a table."""
        with self.runtime.reading() as session:
            return list(session.exec(select(table)).all())


@pytest.fixture(name="desk")
def _desk(engine: Any) -> Desk:
    return Desk(engine)


class TestTelling:
    def test_story(self, desk: Desk) -> None:
        """Told, kept, settled: the person has the points, and whoever asks reads it."""
        answer = desk.tell()
        assert (answer.status_code, answer.json["state"], answer.json["points"]) == (202, "received", 0)
        assert answer.headers["Cache-Control"] == "no-store"
        assert desk.rung == [("drain_inbox", "fern-and-fig.myshopify.com")]
        desk.settle()
        assert desk.ask("s-1").json == {
            "id": "s-1",
            "rule": "survey",
            "state": "earned",
            "points": 40,
            "reason": None,
            "available_at": None,
            "received_at": NOW.isoformat(),
        }
        (member,) = desk.rows(Member)
        assert (member.email, member.state, member.balance) == ("iris@fernandfig.shop", "guest", 40)
        assert desk.rows(InboxMessage)[0].body == b""

    def test_again(self, desk: Desk) -> None:
        """The same id again, also with other words, is the same action: one delivery, one award."""
        first = desk.tell()
        again = desk.tell(email="rowan@fernandfig.shop", rule="nps")
        assert (first.status_code, again.status_code) == (202, 200)
        assert again.json == first.json
        desk.settle()
        assert desk.tell().json["state"] == "earned"
        desk.settle()
        assert [entry.points for entry in desk.rows(LedgerEntry)] == [40]
        assert len(desk.rows(InboxMessage)) == 1

    def test_at_once(self, desk: Desk) -> None:
        """Eight tellings of one action at the same moment are one: one is new, the others hear of it."""
        with ThreadPoolExecutor(8) as many:
            told = [many.submit(Desk.tell, desk) for _ in range(8)]
        assert sorted(answer.result().status_code for answer in told) == [200] * 7 + [202]
        desk.settle()
        assert [entry.points for entry in desk.rows(LedgerEntry)] == [40]

    @pytest.mark.parametrize("told", ["a/b?c=1#d%41", "https://fernandfig.shop/reviews//7", "/7", "7/", "//"])
    def test_strange_id(self, desk: Desk, told: str) -> None:
        """An id may hold whatever an address has a meaning for."""
        desk.tell(id=told)
        assert desk.ask(quote(told, safe="")).json["id"] == told

    def test_one_spelling(self, desk: Desk) -> None:
        """However a program spells an address, it is kept in the one by which its person is found and forgotten."""
        desk.tell(b'{"rule": "survey", "id": "s-1", "email": "Iris\\u0040FernAndFig.shop"}')
        assert b"iris@fernandfig.shop" in desk.rows(InboxMessage)[0].body

    def test_limit(self, desk: Desk) -> None:
        """What a limit refuses is no error of the caller's: it is taken, and the reason can be read."""
        desk.tell()
        assert desk.tell(id="s-2").status_code == 202
        desk.settle()
        found = desk.ask("s-2").json
        assert (found["state"], found["reason"], found["points"]) == ("refused", "limit_reached", 0)

    def test_stranger(self, desk: Desk) -> None:
        """A stranger earns nothing by a rule for members, and no account is opened."""
        desk.tell(rule="members_day")
        desk.settle()
        assert desk.ask("s-1").json["reason"] == "not_a_member"
        assert desk.rows(Member) == []

    def test_pending(self, desk: Desk) -> None:
        """Points on hold say when they can be spent."""
        desk.tell(rule="nps")
        desk.settle()
        found = desk.ask("s-1").json
        assert (found["state"], found["points"]) == ("pending", 10)
        assert datetime.fromisoformat(found["available_at"]) > NOW + timedelta(days=7)

    def test_happened_earlier(self, desk: Desk) -> None:
        """The limit is about when things happened, not about when they were told of."""
        desk.tell()
        desk.tell(id="s-2", occurred_at="2026-10-22T12:00:00Z")
        desk.settle()
        assert desk.ask("s-2").json["state"] == "earned"


class TestForgetting:
    def test_term(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """What earned nothing is forgotten after 400 days and can be told anew; what earned never earns again, by no other rule either."""
        monkeypatch.setattr(pruning, "ROWS_AT_ONCE", 1)
        for number in (1, 2, 3):
            desk.tell(id=f"s-{number}")
        desk.tell(id="s-4", rule="nps")
        desk.settle()
        states = [desk.ask(f"s-{number}").json["state"] for number in (1, 2, 3, 4)]
        assert states == ["earned", "refused", "refused", "pending"]
        desk.now += pruning.KEEP_REFUSALS - timedelta(minutes=1)
        pruning.prune(desk.runtime)
        assert [desk.ask(f"s-{number}").status_code for number in (1, 2, 3, 4)] == [200] * 4
        desk.now += timedelta(minutes=2)
        pruning.prune(desk.runtime)
        assert [desk.ask(f"s-{number}").status_code for number in (1, 2, 3, 4)] == [200, 404, 404, 200]
        assert desk.tell(id="s-1", rule="nps").json["state"] == "earned"
        assert desk.tell(id="s-2").status_code == 202
        desk.settle()
        assert desk.ask("s-2").json["points"] == 40
        assert sorted(entry.source_ref for entry in desk.rows(LedgerEntry)) == [
            "nps:s-4",
            "survey:s-1",
            "survey:s-2",
        ]


class TestRefusing:
    @pytest.mark.parametrize(
        "header",
        [None, "", "Bearer", "Bearer x", "Basic laurel_0123456789_" + "t" * 43, "Bearer laurel_0123456789_" + "u" * 43,
         "Bearer laurel_9876543210_" + "t" * 43, "Bearer laurel_0123456789_" + "t" * 44, "Bearer \xff"],
    )  # fmt: skip
    def test_forged(self, desk: Desk, header: str | None) -> None:
        """Without a good key nothing is told or heard."""
        headers = {} if header is None else {"Authorization": header}
        for answer in (
            desk.client.post("/api/v1/actions", json={}, headers=headers),
            desk.client.get("/api/v1/actions/s-1", headers=headers),
        ):
            assert (answer.status_code, answer.json["error"]) == (401, "bad_key")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert desk.rows(ApiAction) == []

    def test_revoked(self, desk: Desk) -> None:
        """A key that was revoked is no better than a forged one."""
        with desk.runtime.transaction() as session:
            assert api_keys.revoke(session, desk.shop_id, desk.rows(ApiKey)[0].id, now=NOW)
        assert desk.tell().status_code == 401

    def test_other_shop(self, desk: Desk) -> None:
        """A key opens its own shop only: the same id is another action there."""
        _, other = desk.open("other.myshopify.com", "aaaaaaaaaa")
        desk.tell()
        assert desk.ask("s-1", key=other).status_code == 404
        assert desk.tell(key=other).status_code == 202

    def test_uninstalled(self, desk: Desk) -> None:
        """Where the app is gone nothing is taken."""
        with desk.runtime.transaction() as session:
            session.get_one(Shop, desk.shop_id).uninstalled_at = NOW
        assert (desk.tell().status_code, desk.tell().json["error"]) == (403, "not_installed")

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'"x"', b"1", b"[" * LARGEST_BODY])
    def test_not_json(self, desk: Desk, body: bytes) -> None:
        """A body that is no JSON object is refused as such."""
        answer = desk.tell(body)
        assert (answer.status_code, answer.json["error"]) == (422, "bad_request")

    def test_fields(self, desk: Desk) -> None:
        """Every wrong field is named."""
        answer = desk.tell(rule="No!", email="iris", extra=1)
        assert answer.status_code == 422
        assert set(answer.json["errors"]) == {"rule", "email", "extra"}

    @pytest.mark.parametrize("rule", ["unheard_of", "order"])
    def test_rule(self, desk: Desk, rule: str) -> None:
        """A rule that is not there, or that we learn of by ourselves, is a mistake of the caller's."""
        answer = desk.tell(rule=rule)
        assert (answer.status_code, answer.json["error"]) == (422, "unknown_rule")
        assert desk.rows(InboxMessage) == []

    def test_huge(self, desk: Desk) -> None:
        """A huge body is refused unread, whether it says its length or not."""
        body = json.dumps({"rule": "survey", "id": "s", "email": "x" * LARGEST_BODY}).encode()
        assert desk.tell(body).status_code == 413
        chunked = desk.client.post(
            "/api/v1/actions",
            input_stream=io.BytesIO(body),
            headers={"Authorization": f"Bearer {desk.key}", "Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert chunked.status_code == 413

    def test_too_many(self, desk: Desk) -> None:
        """A program that runs wild is slowed down, and told for how long; a repeat is still answered."""
        with desk.runtime.transaction() as session:
            session.add_all(
                ApiAction(shop_id=desk.shop_id, key=f"k{n}", rule="survey", received_at=NOW)
                for n in range(MOST_PER_MINUTE)
            )
        answer = desk.tell()
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
        assert desk.tell(id="k1").status_code == 200
        desk.now += timedelta(seconds=61)
        assert desk.tell().status_code == 202


class TestKeys:
    def test_kept(self, desk: Desk) -> None:
        """Of a key only its digest is kept, and when it was last used, to the minute."""
        desk.tell()
        (row,) = desk.rows(ApiKey)
        assert desk.key not in str(row.model_dump())
        assert "t" * 43 not in str(row.model_dump())
        assert row.last_used_at == NOW
        desk.now += timedelta(seconds=10)
        desk.tell(id="s-2")
        assert desk.rows(ApiKey)[0].last_used_at == NOW

    def test_most(self, desk: Desk) -> None:
        """A shop has only so many keys; a revoked one makes room."""
        with desk.runtime.transaction() as session:
            for n in range(api_keys.MOST_KEYS - 1):
                api_keys.make(
                    session, desk.shop_id, "x", prefix=f"{n:010x}", token="t" * 43, made_by="1", now=NOW
                )
            with pytest.raises(api_keys.TooManyKeys):
                api_keys.make(
                    session, desk.shop_id, "x", prefix="f" * 10, token="t" * 43, made_by="1", now=NOW
                )
