"""Connecting Klaviyo, staying connected and disconnecting, against the local Klaviyo over real HTTP."""

import threading
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from klaviyo_oauth import authorization, connections, linking, oauth, registration, tokens
from klaviyo_oauth.answers import NotConnected, Wait
from klaviyo_oauth.config import SCOPES, KlaviyoConfig
from klaviyo_oauth.tokens import Credentials
from loyalty.models import KlaviyoConnection, Member, OAuthState, OutboxMessage, Shop
from tests.integration.klaviyo.conftest import World, outcome_of, ticket_of


class TestOAuth:
    """POST /klaviyo/connect and GET /klaviyo/callback."""

    @pytest.mark.acceptance("S4-09", "S4-11", "S1-01", "S1-03", "S3-06")
    def test_connects(self, world: World) -> None:
        """A merchant who presses Allow is linked to that account, with every scope, and sent back to the admin."""
        assert world.connect() == "connected"
        row = world.connection()
        assert (row.state, row.road, row.account_id, row.account_name) == (
            "connected",
            "oauth",
            "FernFg",
            "Fern & Fig",
        )
        assert set(row.scopes.split()) == set(SCOPES)
        assert {"accounts:read", "events:write", "profiles:read", "profiles:write"} <= set(SCOPES)
        assert ("check_klaviyo", world.shop.shop_id) in world.nudges

    def test_seals(self, connected: World) -> None:
        """What is stored is neither token, and opens for this shop's row only."""
        row = connected.connection()
        assert row.access_token is not None
        assert row.refresh_token is not None
        opened = connected.cipher.open(row.access_token, row=f"klaviyo:{connected.shop.shop_id}")
        assert opened not in row.access_token

    def test_denied(self, world: World) -> None:
        """Whoever presses Deny comes back with a message, and nothing is linked."""
        browser = world.browser()
        url = browser.post("/klaviyo/connect").get_json()["redirect"]
        back = browser.get(world.allow(url, decision="deny"))
        assert outcome_of(back.headers["Location"]) == authorization.DENIED
        assert back.headers["Location"].startswith("https://admin.shopify.com/store/fern-and-fig/")

    def test_state_is_single_use(self, world: World) -> None:
        """The same callback address works once."""
        browser = world.browser()
        url = browser.post("/klaviyo/connect").get_json()["redirect"]
        path = world.allow(url)
        assert world.come_back(browser, path) == authorization.CONNECTED
        assert world.come_back(browser, path) == authorization.REPEATED
        assert len(world.requests_to("/oauth/token")) == 1

    def test_state_expires(self, world: World) -> None:
        """After ten minutes the callback does nothing."""
        browser = world.browser()
        path = world.allow(browser.post("/klaviyo/connect").get_json()["redirect"])
        world.clock.forward(minutes=10, seconds=1)
        assert outcome_of(browser.get(path).headers["Location"]) == authorization.EXPIRED

    def test_ticket_expires(self, world: World) -> None:
        """The ten minutes are over for the ticket as well."""
        browser = world.browser()
        path = world.allow(browser.post("/klaviyo/connect").get_json()["redirect"])
        ticket = ticket_of(browser.get(path).headers["Location"])
        world.clock.forward(minutes=10, seconds=1)
        told = browser.post("/klaviyo/finish", json={"ticket": ticket}).get_json()
        assert told["state"] == authorization.EXPIRED
        assert world.requests_to("/oauth/token") == []

    def test_unknown_state(self, world: World) -> None:
        """A state that we never made redirects nowhere and says so on a page that loads nothing."""
        answer = world.browser().get("/klaviyo/callback?state=made-up&code=x")
        assert answer.status_code == 400
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "Location" not in answer.headers

    def test_account_of_another_shop(self, connected: World) -> None:
        """A Klaviyo account serves one shop: the second is refused and the first keeps its link's row."""
        other = connected.add_shop("harbour-coffee")
        assert connected.connect(merchant=other) == authorization.TAKEN
        assert connected.connection().account_id == "FernFg"
        with connected.runtime.reading() as session:
            assert connections.load(session, other.shop_id) is None
        # Klaviyo may end the first shop's tokens when somebody authorizes anew: its deliveries must go on all the same.
        connected.put_news(connected.add_member("ada@fernandfig.shop"), 1)
        connected.drain()
        assert connected.states() == {"delivered": 1}

    def test_klaviyo_away(self, world: World) -> None:
        """When Klaviyo fails in the middle the merchant is told so, and nothing is linked."""
        world.fault("POST /oauth/token", "500")
        assert world.connect() == authorization.UNREACHABLE
        world.fault("GET /api/accounts", "503")
        assert world.connect() == authorization.UNREACHABLE

    def test_allowed_twice(self, either_world: World) -> None:
        """Two answers of Klaviyo in one moment, as a double click makes them, link the shop and blame nobody."""
        world = either_world
        paths = [
            world.allow(world.browser().post("/klaviyo/connect").get_json()["redirect"]) for _ in range(2)
        ]
        world.sandbox("PATCH", "/settings", regrant_kills_old_tokens=False)
        found: list[str] = []

        def come_back(path: str) -> None:
            found.append(world.come_back(world.browser(), path))

        threads = [threading.Thread(target=come_back, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [authorization.CONNECTED] * 2
        assert world.connection().state == "connected"

    def test_linked_in_the_same_moment(self, world: World) -> None:
        """A link that another request writes first is seen at the second try."""
        tries: list[int] = []

        def write(session: Session) -> None:
            tries.append(len(tries))
            if len(tries) == 1:
                raise IntegrityError("insert", {}, Exception("unique"))

        assert linking.link(world.runtime, write)
        assert tries == [0, 1]

    def test_account_of_an_uninstalled_shop(self, connected: World) -> None:
        """An account whose shop has removed the app is free: nobody could open the app there to disconnect it."""
        with connected.runtime.transaction() as session:
            session.get_one(Shop, connected.shop.shop_id).uninstalled_at = connected.clock()
        other = connected.add_shop("harbour-coffee")
        assert connected.connect(merchant=other) == "connected"
        assert connected.connection(other.shop_id).account_id == "FernFg"
        left = connected.connection()
        assert (left.state, left.account_id, left.refresh_token) == ("disconnected", None, None)

    def test_scopes_unsaid(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Tokens without a list of scopes have those that were asked for."""
        real = oauth.exchange

        def exchange(config: KlaviyoConfig, *, code: str, verifier: str) -> oauth.TokenAnswer:
            found = real(config, code=code, verifier=verifier)
            assert isinstance(found, oauth.Tokens)
            return replace(found, scopes=frozenset())

        monkeypatch.setattr(oauth, "exchange", exchange)
        assert world.connect() == "connected"
        assert set(world.connection().scopes.split()) == set(SCOPES)

    def test_without_app(self, world: World) -> None:
        """An installation without a Klaviyo app says that only the key road is there."""
        world.config = type(world.config)(app_url=world.config.app_url, api_url=world.klaviyo.url)
        answer = world.browser().post("/klaviyo/connect")
        assert (answer.status_code, answer.get_json()["error"]) == (409, "no_oauth")


class TestSentToSomebodyElse:
    """An address that was made in one shop and opened by the owner of a Klaviyo account of another."""

    def test_allowing_links_nothing(self, world: World) -> None:
        """Pressing Allow is not enough: until the one who began is back in the admin, no code is traded and nobody is linked."""
        address = world.browser().post("/klaviyo/connect").get_json()["redirect"]
        back = world.browser().get(world.allow(address, account="HarbCf"))
        assert back.status_code == 303
        assert ticket_of(back.headers["Location"])
        assert world.requests_to("/oauth/token") == []
        assert world.row_count(KlaviyoConnection) == 0

    def test_in_another_shop(self, world: World) -> None:
        """The ticket opens nothing in another shop, whoever is there, and is not used up by trying."""
        url = world.browser().post("/klaviyo/connect").get_json()["redirect"]
        ticket = ticket_of(world.browser().get(world.allow(url)).headers["Location"])
        world.merchant = world.add_shop("harbour-coffee")
        told = world.browser().post("/klaviyo/finish", json={"ticket": ticket}).get_json()
        assert told["state"] == authorization.ELSEWHERE
        assert world.requests_to("/oauth/token") == []
        world.merchant = world.shop
        told = world.browser().post("/klaviyo/finish", json={"ticket": ticket}).get_json()
        assert told["state"] == authorization.CONNECTED

    def test_by_a_colleague(self, world: World) -> None:
        """Nor for somebody else of the staff, who may have been sent the address."""
        url = world.browser().post("/klaviyo/connect").get_json()["redirect"]
        ticket = ticket_of(world.browser().get(world.allow(url)).headers["Location"])
        world.merchant = replace(world.shop, user_id="81002")
        told = world.browser().post("/klaviyo/finish", json={"ticket": ticket}).get_json()
        assert told["state"] == authorization.ELSEWHERE
        assert world.row_count(KlaviyoConnection) == 0

    def test_ticket_for_its_own_answer(self, world: World) -> None:
        """Whoever knows the state can send an answer of his own, but gets no ticket for the answer of somebody else."""
        browser = world.browser()
        path = world.allow(browser.post("/klaviyo/connect").get_json()["redirect"])
        theirs = ticket_of(browser.get(path).headers["Location"])
        state = parse_qs(urlsplit(path).query)["state"][0]
        mine = ticket_of(browser.get(f"/klaviyo/callback?state={state}&code=made-up").headers["Location"])
        assert mine != theirs
        told = browser.post("/klaviyo/finish", json={"ticket": mine}).get_json()
        assert told["state"] == authorization.FAILED
        told = browser.post("/klaviyo/finish", json={"ticket": theirs}).get_json()
        assert told["state"] == authorization.REPEATED
        assert world.row_count(KlaviyoConnection) == 0

    def test_code_at_rest(self, world: World) -> None:
        """The code waits sealed, the ticket as its hash, and neither is kept once it was used."""
        browser = world.browser()
        path = world.allow(browser.post("/klaviyo/connect").get_json()["redirect"])
        code = parse_qs(urlsplit(path).query)["code"][0]
        ticket = ticket_of(browser.get(path).headers["Location"])
        assert ticket is not None
        with world.runtime.reading() as session:
            row = session.exec(select(OAuthState)).one()
            assert row.code is not None
            assert code not in row.code
            assert ticket.partition(".")[2] not in (row.ticket_hash or "")
        browser.post("/klaviyo/finish", json={"ticket": ticket})
        with world.runtime.reading() as session:
            assert session.exec(select(OAuthState)).one().code is None

    @pytest.mark.parametrize("given", [{}, {"ticket": 7}, [], {"ticket": "x"}, {"ticket": "." * 9_000}])
    def test_no_ticket(self, world: World, given: object) -> None:
        """What is no ticket of ours does nothing."""
        answer = world.browser().post("/klaviyo/finish", json=given)
        assert answer.status_code == 422 or answer.get_json()["state"] == authorization.ELSEWHERE
        assert world.requests_to("/oauth/token") == []

    def test_allowed_twice_in_one_attempt(self, world: World) -> None:
        """A double click on Allow brings two answers: the browser shows the last one, and that one connects."""
        browser = world.browser()
        url = browser.post("/klaviyo/connect").get_json()["redirect"]
        first, second = world.allow(url), world.allow(url)
        browser.get(first)
        assert world.come_back(browser, second) == authorization.CONNECTED


class TestReconnect:
    """Connecting a shop that was connected before."""

    def test_same_account(self, connected: World) -> None:
        """The same account goes on where it was: cursor and webhook stay."""
        cursor = connected.clock()
        connected.change_connection(webhook_id="w1", webhook_key="k1", review_cursor=cursor)
        connected.clock.forward(days=3)
        assert connected.connect() == "connected"
        row = connected.connection()
        assert (row.webhook_id, row.webhook_key, row.review_cursor) == ("w1", "k1", cursor)

    @pytest.mark.acceptance("S0-26")
    def test_other_account(self, connected: World) -> None:
        """Another account starts over: no webhook, a new cursor, and a sync is asked for."""
        connected.change_connection(webhook_id="w1", webhook_key="k1")
        connected.clock.forward(days=3)
        assert connected.connect(account="HarbCf") == "connected"
        row = connected.connection()
        assert (row.account_id, row.webhook_id, row.webhook_key) == ("HarbCf", None, None)
        assert row.review_cursor == connected.clock()
        assert row.details["needs_sync"] == "other_account"


class TestPrivateKey:
    """POST /klaviyo/key."""

    def test_good_key(self, world: World) -> None:
        """A key with the scopes is linked on the spot, and events go out with it."""
        answer = world.browser().post("/klaviyo/key", json={"key": " pk_sandbox_FernFg "})
        assert answer.status_code == 200, answer.text
        assert world.connection().road == "private_key"
        world.put_news(world.add_member("ada@fernandfig.shop"), 1)
        world.drain()
        assert world.states() == {"delivered": 1}
        assert world.counts()["events"]["recorded"] == 1

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ({"key": "public"}, "bad_key"),
            ({"key": 7}, "bad_key"),
            ([], "bad_key"),
            ({"key": "pk_with a space"}, "bad_key"),
            ({"key": "pk_with\r\nrevision: 1"}, "bad_key"),
            ({"key": "pk_" + "x" * 10_000}, "bad_key"),
            ({"key": "pk_ünïcödé_letters"}, "bad_key"),
            ({"key": "pk_unknown_to_klaviyo"}, "key_rejected"),
        ],
    )
    def test_bad_key(self, world: World, given: object, code: str) -> None:
        """A key that cannot work is refused with a code and a sentence, and nothing is stored."""
        answer = world.browser().post("/klaviyo/key", json=given)
        assert (answer.status_code, answer.get_json()["error"]) == (422, code)
        assert answer.get_json()["message"]

    def test_missing_scopes(self, world: World) -> None:
        """A key without a needed scope is refused, and the sentence names the scope."""
        scopes = ["accounts:read", "profiles:read", "profiles:write", "lists:read", "lists:write"]
        world.sandbox("POST", "/private-keys", key="pk_partly_scoped", scopes=scopes)
        answer = world.browser().post("/klaviyo/key", json={"key": "pk_partly_scoped"})
        assert answer.get_json()["error"] == "missing_scopes"
        assert "events:write" in answer.get_json()["message"]
        assert world.counts()["events"]["recorded"] == 0

    @pytest.mark.parametrize(
        "place",
        ["POST /api/events", "POST /api/profile-bulk-import-jobs", "GET /api/profiles", "GET /api/reviews"],
    )
    @pytest.mark.parametrize("kind", ["429", "500", "reset"])
    def test_no_verdict(self, world: World, place: str, kind: str) -> None:
        """A limit or a fault says nothing of a scope: the key is neither taken nor blamed, and the merchant tries again."""
        world.fault(place, kind)
        answer = world.browser().post("/klaviyo/key", json={"key": "pk_sandbox_FernFg"})
        assert (answer.status_code, answer.get_json()["error"]) == (422, "unreachable")
        assert world.browser().post("/klaviyo/key", json={"key": "pk_sandbox_FernFg"}).status_code == 200

    @pytest.fixture
    def deleted(self, world: World) -> World:
        """A shop that is linked with a key which was deleted at Klaviyo, and has news."""
        world.browser().post("/klaviyo/key", json={"key": "pk_sandbox_FernFg"})
        sealed = world.cipher.seal("pk_deleted_meanwhile", row=f"klaviyo:{world.shop.shop_id}")
        world.change_connection(api_key=sealed)
        world.put_news(world.add_member("ada@fernandfig.shop"), 1)
        world.nudges.clear()
        return world

    def test_rejected_later(self, deleted: World) -> None:
        """A key that Klaviyo stops accepting breaks the link with that reason when it is refused again a minute later; news waits."""
        deleted.drain()
        row = deleted.connection()
        assert (row.state, row.problem, row.last_error) == ("connected", None, "key_doubted")
        assert deleted.nudges == [("check_klaviyo", deleted.shop.shop_id)]
        asked = len(deleted.requests_to("/api"))
        deleted.clock.forward(seconds=30)
        deleted.drain()
        assert len(deleted.requests_to("/api")) == asked
        assert deleted.connection().state == "connected"

        deleted.clock.forward(seconds=31)
        registration.check(
            deleted.runtime, deleted.config, deleted.redis, deleted.shop.shop_id, http=deleted.http
        )
        assert deleted.connection().problem == connections.KEY_REJECTED
        assert deleted.states() == {"due": 1}

    def test_refused_by_mistake(self, deleted: World) -> None:
        """A key that is taken the second time is trusted as before: the next single refusal ends nothing either."""
        good, bad = "pk_sandbox_FernFg", "pk_deleted_meanwhile"
        for key, seconds in ((bad, 61), (good, 61), (bad, 1)):
            sealed = deleted.cipher.seal(key, row=f"klaviyo:{deleted.shop.shop_id}")
            deleted.change_connection(api_key=sealed)
            deleted.put_news(
                deleted.add_member(f"m{deleted.row_count(Member)}@fernandfig.shop"), seconds + len(key)
            )
            deleted.drain()
            assert deleted.connection().state == "connected"
            deleted.clock.forward(seconds=seconds)

    def test_new_key(self, deleted: World) -> None:
        """A new key starts without a doubt, and what waited goes out with it."""
        deleted.drain()
        assert deleted.browser().post("/klaviyo/key", json={"key": "pk_sandbox_FernFg"}).status_code == 200
        assert "key_doubted_at" not in deleted.connection().details
        deleted.drain()
        assert deleted.states() == {"delivered": 1}


class TestRefresh:
    """Access tokens that run out."""

    def test_before_expiry(self, connected: World) -> None:
        """A token about to expire is traded for a new pair, and both are stored."""
        before = connected.connection()
        connected.clock.forward(seconds=3_550)
        held = tokens.credentials(connected.runtime, connected.config, connected.shop.shop_id)
        assert isinstance(held, Credentials)
        after = connected.connection()
        assert before.access_token != after.access_token
        assert before.refresh_token != after.refresh_token
        assert after.access_token_expires_at is not None
        assert after.access_token_expires_at > connected.clock()

    def test_on_401(self, connected: World) -> None:
        """A token that Klaviyo no longer takes is refreshed once and the event still goes out."""
        connected.sandbox("POST", "/expire-access-tokens")
        connected.put_news(connected.add_member("ada@fernandfig.shop"), 1)
        connected.drain()
        assert connected.states() == {"delivered": 1}

    def test_two_at_once(self, either_world: World) -> None:
        """Many processes that find the token expired make one refresh; the others wait a moment."""
        connected = either_world
        connected.connect()
        connected.clock.forward(hours=2)
        found: list[object] = []

        def ask() -> None:
            found.append(tokens.credentials(connected.runtime, connected.config, connected.shop.shop_id))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert any(isinstance(answer, Credentials) for answer in found)
        assert all(isinstance(answer, Credentials | Wait) for answer in found)
        assert len(connected.requests_to("/oauth/token")) == 2  # the exchange, and one refresh

    def test_dead_grant(self, connected: World) -> None:
        """An app that was removed in Klaviyo is noticed, shown, and news waits for a new connection."""
        connected.sandbox("POST", "/uninstall", account="FernFg")
        connected.put_news(connected.add_member("ada@fernandfig.shop"), 1)
        connected.drain()
        row = connected.connection()
        assert (row.state, row.problem, row.account_id) == (
            "disconnected",
            connections.AUTHORIZATION_LOST,
            None,
        )
        assert connected.states() == {"due": 1}
        assert connected.connect() == "connected"
        connected.drain()
        assert connected.states() == {"delivered": 1}

    @pytest.mark.parametrize("kind", ["500", "503", "429", "reset", "lost_reply"])
    def test_trouble_is_no_verdict(self, connected: World, kind: str) -> None:
        """Whatever else happens at the token endpoint, the link lives on."""
        connected.fault("POST /oauth/token", kind)
        connected.clock.forward(hours=2)
        held = tokens.credentials(connected.runtime, connected.config, connected.shop.shop_id)
        assert isinstance(held, Wait)
        assert connected.connection().state == "connected"

    def test_reconnected_meanwhile(self, connected: World) -> None:
        """The verdict on an old grant does not touch a link that was made anew while it was asked for."""
        held = tokens.credentials(connected.runtime, connected.config, connected.shop.shop_id)
        assert isinstance(held, Credentials)
        assert connected.connect() == "connected"
        again = tokens.credentials(
            connected.runtime, connected.config, connected.shop.shop_id, stale=held.authorization
        )
        assert isinstance(again, Credentials)
        assert again.authorization != held.authorization
        assert len(connected.requests_to("/oauth/token")) == 2  # two exchanges, no refresh

    def test_lost_key(self, connected: World) -> None:
        """Tokens sealed with a key that is gone are waited for, not thrown away."""
        connected.change_connection(access_token=connected.cipher.seal("x", row="klaviyo:999"))
        held = tokens.credentials(connected.runtime, connected.config, connected.shop.shop_id)
        assert isinstance(held, Wait)
        assert connected.connection().state == "connected"

    def test_kept_alive(self, connected: World) -> None:
        """A link without traffic uses its refresh token, so that Klaviyo does not let it lapse."""
        before = connected.connection().refresh_token
        tokens.keep_alive(connected.runtime, connected.config, connected.shop.shop_id)
        assert connected.connection().refresh_token != before


class TestDisconnect:
    """POST /klaviyo/disconnect; what Klaviyo is told of it is in ``test_goodbye``."""

    def test_klaviyo_away(self, connected: World) -> None:
        """Disconnecting works when Klaviyo is down."""
        connected.fault("/oauth/revoke", "reset", times=None)
        connected.fault("/api/*", "reset", times=None)
        connected.change_connection(webhook_id="w1")
        assert connected.browser().post("/klaviyo/disconnect").status_code == 200
        assert connected.connection().state == "disconnected"

    def test_news_afterwards(self, connected: World) -> None:
        """After a disconnect there is nobody to tell: news is dropped, and that is no error."""
        connected.browser().post("/klaviyo/disconnect")
        connected.put_news(connected.add_member("ada@fernandfig.shop"), 1)
        connected.drain()
        assert [(m.state, m.error) for m in connected.messages()] == [("dropped", "not_connected")]

    def test_never_connected(self, world: World) -> None:
        """A shop that was never connected has credentials of no kind, and disconnecting it is harmless."""
        held = tokens.credentials(world.runtime, world.config, world.shop.shop_id)
        assert held == NotConnected(None)
        assert world.browser().post("/klaviyo/disconnect").status_code == 200


class TestReleased:
    """News that waited for a link to be mended."""

    def test_beginning(self, connected: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a long backlog the beginning is made due at once; the merchant does not wait for all of it."""
        monkeypatch.setattr(connections, "_MOST_RELEASED", 2)
        member = connected.add_member("ada@fernandfig.shop")
        for number in range(3):
            connected.put_news(member, number)
        later = connected.clock() + timedelta(minutes=5)
        with connected.runtime.transaction() as session:
            session.execute(update(OutboxMessage).values(due_at=later))
        assert connected.connect() == "connected"
        assert [message.due_at for message in connected.messages()] == [
            connected.clock(),
            connected.clock(),
            later,
        ]
