"""A link that ended here is ended at Klaviyo as well, by a job, against the local Klaviyo over real HTTP."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlmodel import select
from structlog.testing import capture_logs

import tasks
import wiring
from klaviyo_oauth import authorization, farewells, goodbye, registration
from klaviyo_oauth.disconnecting import disconnect
from loyalty.models import KlaviyoFarewell, OAuthState, Run, Shop
from loyalty.runtime import Runtime
from queues import job_queue
from tests.integration.klaviyo.conftest import World, ticket_of


def _say(world: World) -> float | None:
    return _say_for(world, world.shop.shop_id)


def _say_for(world: World, shop_id: int) -> float | None:
    return goodbye.say_goodbye(
        world.runtime,
        world.config,
        world.redis,
        shop_id,
        http=world.http,
        sleep=lambda _: _a_second_later(world),
    )


def _a_second_later(world: World) -> None:
    """Our own count of calls goes by the queue server's clock, which cannot be moved."""
    for key in world.redis.scan_iter("laurel:klaviyo:*"):
        world.redis.delete(key)


def _say_all(world: World) -> None:
    """Say it until nothing is left, letting the clock run as far as is asked."""
    for _ in range(60):
        wait = _say(world)
        if wait is None:
            return
        world.clock.forward(seconds=wait + 1)
        _a_second_later(world)
    pytest.fail("it never ends")


def _check(world: World) -> None:
    assert (
        registration.check(world.runtime, world.config, world.redis, world.shop.shop_id, http=world.http)
        is None
    )


def _rows(world: World) -> list[KlaviyoFarewell]:
    with world.runtime.reading() as session:
        return list(session.exec(select(KlaviyoFarewell).order_by(KlaviyoFarewell.id)).all())


def _webhooks(world: World, account: str = "FernFg") -> list[str]:
    return [hook["id"] for hook in world.sandbox("GET", f"/webhooks?account={account}")["webhooks"]]


def _installed(world: World, account: str = "FernFg") -> bool:
    return bool({a["id"]: a["installed"] for a in world.sandbox("GET", "/accounts")["accounts"]}[account])


@pytest.fixture
def settled(connected: World) -> World:
    """A connected shop whose webhook is registered, some time after it connected."""
    _check(connected)
    connected.clock.forward(hours=2)
    connected.sandbox("POST", "/clock", forward_seconds=7200)
    return connected


class TestDisconnect:
    """POST /klaviyo/disconnect and what comes after it."""

    @pytest.mark.acceptance("S0-25")
    def test_at_once_here(self, settled: World) -> None:
        """The request asks Klaviyo nothing: it forgets tokens and webhook here, and rings for the job."""
        before = len(settled.sandbox("GET", "/requests?limit=1000")["requests"])
        answer = settled.browser().post("/klaviyo/disconnect")
        assert (answer.status_code, answer.get_json()["state"]) == (200, "disconnected")
        assert "Klaviyo is disconnected" in answer.get_json()["message"]
        assert len(settled.sandbox("GET", "/requests?limit=1000")["requests"]) == before
        row = settled.connection()
        assert (row.state, row.access_token, row.refresh_token, row.webhook_key) == (
            "disconnected",
            None,
            None,
            None,
        )
        assert (goodbye.JOB, settled.shop.shop_id) in settled.nudges

    def test_then_there(self, settled: World) -> None:
        """The job removes the webhook, with a token that it renews first, gives the grant back, and leaves no secret behind."""
        assert len(_webhooks(settled)) == 1
        settled.browser().post("/klaviyo/disconnect")
        assert _say(settled) is None
        assert (_webhooks(settled), _installed(settled), _rows(settled)) == ([], False, [])

    def test_sealed(self, settled: World) -> None:
        """What waits to be said is sealed for its own row, and is none of the secrets that it was on the link's."""
        old = settled.connection()
        settled.browser().post("/klaviyo/disconnect")
        (row,) = _rows(settled)
        assert row.access_token not in (None, old.access_token)
        assert row.refresh_token is not None
        assert old.refresh_token is not None
        opened = settled.cipher.open(row.refresh_token, row=f"klaviyo_farewell:{row.id}")
        assert opened == settled.cipher.open(old.refresh_token, row=f"klaviyo:{settled.shop.shop_id}")

    def test_twice(self, settled: World) -> None:
        """Pressed twice, it is said once."""
        settled.browser().post("/klaviyo/disconnect")
        assert settled.browser().post("/klaviyo/disconnect").status_code == 200
        assert len(_rows(settled)) == 1

    def test_private_key(self, world: World) -> None:
        """A link by key has nothing to give back; its webhook goes."""
        world.browser().post("/klaviyo/key", json={"key": "pk_sandbox_FernFg"})
        _check(world)
        world.browser().post("/klaviyo/disconnect")
        assert _say(world) is None
        assert (_webhooks(world), _rows(world)) == ([], [])

    def test_nothing_to_say(self, world: World) -> None:
        """A key whose link has no webhook is simply forgotten."""
        world.browser().post("/klaviyo/key", json={"key": "pk_sandbox_FernFg"})
        world.browser().post("/klaviyo/disconnect")
        assert _rows(world) == []

    def test_unanswered_webhook(self, connected: World) -> None:
        """A webhook whose creation was never answered is found by its name and goes as well."""
        connected.fault("POST /api/webhooks", "lost_reply")
        registration.check(
            connected.runtime, connected.config, connected.redis, connected.shop.shop_id, http=connected.http
        )
        assert connected.connection().webhook_id is None
        assert len(_webhooks(connected)) == 1
        connected.no_pause()
        connected.browser().post("/klaviyo/disconnect")
        _say_all(connected)
        assert _webhooks(connected) == []


class TestTrouble:
    """Klaviyo away, workers killed."""

    @pytest.mark.parametrize(
        ("place", "kind"),
        [
            (place, kind)
            for place in ("DELETE /api/webhooks*", "/oauth/revoke", "/oauth/token")
            for kind in ("429", "500", "503", "reset", "lost_reply")
            # A renewal whose answer is lost takes the only token with it: nothing is left to say anything with.
            if (place, kind) != ("/oauth/token", "lost_reply")
        ],
    )
    def test_tries_again(self, settled: World, place: str, kind: str) -> None:
        """Whatever fails on the way is tried again until both acts are done."""
        settled.fault(place, kind, times=3)
        settled.browser().post("/klaviyo/disconnect")
        assert _say(settled)
        assert _rows(settled)[0].attempts == 1
        _say_all(settled)
        assert (_webhooks(settled), _installed(settled), _rows(settled)) == ([], False, [])

    def test_gives_up(self, settled: World) -> None:
        """After a day the secrets go; one line says so and tells none of them."""
        settled.fault("/oauth/*", "reset", times=None)
        settled.fault("/api/*", "reset", times=None)
        settled.browser().post("/klaviyo/disconnect")
        began = settled.clock()
        with capture_logs() as lines:
            _say_all(settled)
        assert _rows(settled) == []
        assert [{**line, "reason": ""} for line in lines] == [
            {
                "event": "klaviyo was not told that a link ended",
                "log_level": "warning",
                "shop": settled.shop.shop_id,
                "reason": "",
            }
        ]
        assert 24 <= (settled.clock() - began).total_seconds() / 3600 < 26

    def test_waits_grow(self, settled: World) -> None:
        """The waits double, up to an hour."""
        settled.fault("/oauth/*", "reset", times=None)
        settled.fault("/api/*", "reset", times=None)
        settled.browser().post("/klaviyo/disconnect")
        waits = []
        for _ in range(11):
            wait = _say(settled)
            assert wait is not None
            waits.append(round(wait))
            settled.clock.forward(seconds=wait)
            _a_second_later(settled)
        assert waits[:4] == [15, 30, 60, 120]
        assert max(waits) == 3600

    @pytest.mark.parametrize("after", ["DELETE", "revoke"])
    def test_killed(self, settled: World, monkeypatch: pytest.MonkeyPatch, after: str) -> None:
        """A worker killed right after Klaviyo did something is followed by one that does the rest."""
        settled.browser().post("/klaviyo/disconnect")
        place = "_forget" if after == "revoke" else "_give_back"

        def killed(self: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(goodbye._Goodbye, place, killed)
            with pytest.raises(KeyboardInterrupt):
                _say(settled)
        assert len(_rows(settled)) == 1
        _say_all(settled)
        assert (_webhooks(settled), _installed(settled), _rows(settled)) == ([], False, [])

    def test_lost_nudge(self, settled: World) -> None:
        """The sweep finds what nobody rang for."""
        settled.browser().post("/klaviyo/disconnect")
        with settled.runtime.reading() as session:
            assert farewells.shops_with_due(session, now=settled.clock()) == [settled.shop.shop_id]
        settled.fault("/oauth/*", "reset")
        assert _say(settled)
        with settled.runtime.reading() as session:
            assert farewells.shops_with_due(session, now=settled.clock()) == []

    def test_two_at_once(self, either_world: World) -> None:
        """Two workers with the same job do it once."""
        world = either_world
        world.connect()
        _check(world)
        world.clock.forward(hours=2)
        disconnect(world.runtime, world.shop.shop_id)
        threads = [threading.Thread(target=_say, args=(world,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _say_all(world)
        assert (_installed(world), _rows(world)) == (False, [])
        assert len(world.requests_to("/oauth/revoke")) == 1

    def test_removed_there_already(self, settled: World) -> None:
        """An app that the merchant removed in Klaviyo too needs no more words."""
        settled.browser().post("/klaviyo/disconnect")
        settled.sandbox("POST", "/uninstall", account="FernFg")
        assert _say(settled) is None
        assert _rows(settled) == []

    def test_broken_seal(self, settled: World) -> None:
        """Secrets that cannot be opened are waited for, and not for ever."""
        settled.browser().post("/klaviyo/disconnect")
        with settled.runtime.transaction() as session:
            row = session.exec(select(KlaviyoFarewell)).one()
            row.access_token = settled.cipher.seal("x", row="klaviyo_farewell:999")
        assert _say(settled)
        _say_all(settled)
        assert _rows(settled) == []


class TestReconnect:
    """Connecting again before all was said, and connecting to another account."""

    @pytest.mark.parametrize("kills", [True, False])
    def test_same_account(self, settled: World, *, kills: bool) -> None:
        """Whether or not Klaviyo ended the old tokens: the new grant and the new webhook live, the old webhook goes."""
        settled.sandbox("PATCH", "/settings", regrant_kills_old_tokens=kills)
        (old,) = _webhooks(settled)
        settled.browser().post("/klaviyo/disconnect")
        assert settled.connect() == "connected"
        _check(settled)
        new = settled.connection().webhook_id
        assert new not in (None, old)
        _say_all(settled)
        assert (_webhooks(settled), _installed(settled), _rows(settled)) == ([new], True, [])
        settled.put_news(settled.add_member("ada@fernandfig.shop"), 1)
        settled.drain()
        assert settled.states() == {"delivered": 1}

    def test_while_allowing(self, settled: World) -> None:
        """While the merchant is at Klaviyo to connect again, nothing is revoked."""
        settled.browser().post("/klaviyo/disconnect")
        browser = settled.browser()
        url = browser.post("/klaviyo/connect").get_json()["redirect"]
        assert _say(settled)
        assert _installed(settled)
        settled.come_back(browser, settled.allow(url))
        _say_all(settled)
        assert _installed(settled)
        assert settled.connection().state == "connected"

    def test_another_shop_is_allowed_in(self, settled: World) -> None:
        """An account that moves on to another shop stays that shop's."""
        settled.browser().post("/klaviyo/disconnect")
        other = settled.add_shop("harbour-coffee")
        assert settled.connect(merchant=other) == "connected"
        _say_all(settled)
        assert (_webhooks(settled), _installed(settled)) == ([], True)
        assert settled.connection(other.shop_id).state == "connected"

    @pytest.mark.parametrize("decision", ["allow", "deny"])
    def test_attempt_over(self, connected: World, decision: str) -> None:
        """An attempt that came to its end holds up nothing."""
        browser = connected.browser()
        url = browser.post("/klaviyo/connect").get_json()["redirect"]
        connected.come_back(browser, connected.allow(url, decision=decision))
        browser.post("/klaviyo/disconnect")
        assert _say(connected) is None
        assert not _installed(connected)

    def test_trading(self, connected: World) -> None:
        """While any shop's code is being traded nothing is revoked: whose account it is will only be known afterwards."""
        other = connected.add_shop("harbour-coffee")
        connected.merchant = other
        browser = connected.browser()
        path = connected.allow(browser.post("/klaviyo/connect").get_json()["redirect"])
        ticket = ticket_of(browser.get(path).headers["Location"])
        assert ticket is not None
        disconnect(connected.runtime, connected.shop.shop_id)
        attempt = authorization.claim(connected.runtime, ticket, shop_id=other.shop_id, user_id=other.user_id)
        assert _say(connected)
        assert _installed(connected)
        assert isinstance(attempt, authorization.Attempt)
        authorization.close(connected.runtime, attempt)
        connected.clock.forward(minutes=2)
        assert _say(connected) is None

    def test_changed_mind(self, settled: World) -> None:
        """An attempt that led nowhere holds the revocation up for as long as it could have been used."""
        settled.browser().post("/klaviyo/disconnect")
        settled.browser().post("/klaviyo/connect")
        assert _say(settled)
        settled.clock.forward(minutes=11)
        assert _say(settled) is None
        assert not _installed(settled)

    @pytest.mark.acceptance("S0-26")
    def test_other_account(self, settled: World) -> None:
        """A shop that moves to another account leaves neither webhook nor grant in the old one."""
        assert settled.connect(account="HarbCf") == "connected"
        assert (goodbye.JOB, settled.shop.shop_id) in settled.nudges
        _say_all(settled)
        assert (_webhooks(settled), _installed(settled)) == ([], False)
        assert _installed(settled, "HarbCf")
        assert settled.connection().account_id == "HarbCf"

    def test_other_road(self, settled: World) -> None:
        """A shop that changes to a private key of the same account gives the grant back and gets a webhook of the key's."""
        (old,) = _webhooks(settled)
        assert settled.browser().post("/klaviyo/key", json={"key": "pk_sandbox_FernFg"}).status_code == 200
        _check(settled)
        _say_all(settled)
        (new,) = _webhooks(settled)
        assert new != old
        assert (settled.connection().webhook_id, _installed(settled)) == (new, False)

    def test_same_link_again(self, settled: World) -> None:
        """Connecting anew what is connected leaves nothing behind to say goodbye to."""
        assert settled.connect() == "connected"
        assert _rows(settled) == []

    def test_taken_by_key(self, world: World) -> None:
        """A shop that is refused an account, since another holds it by a key, leaves no app installed there."""
        world.browser().post("/klaviyo/key", json={"key": "pk_sandbox_FernFg"})
        other = world.add_shop("harbour-coffee")
        assert world.connect(merchant=other) == "taken"
        assert _installed(world)
        assert (goodbye.JOB, other.shop_id) in world.nudges
        assert _say_for(world, other.shop_id) is None
        assert not _installed(world)
        with world.runtime.reading() as session:
            assert session.exec(select(OAuthState)).one().used_at is not None


@pytest.fixture
def whole(settled: World, tmp_path: Path) -> Iterator[World]:
    """The same shop, with the jobs of a worker joined as in life."""
    house = wiring.build(settled.settings(tmp_path))
    settled.runtime = Runtime(settled.engine, settled.cipher, house.bell, house.runtime.clock)
    settled.config = house.klaviyo
    before = list(tasks._built)
    tasks.use(house)
    yield settled
    tasks._built[:] = before
    house.runtime.engine.dispose()


class TestJobs:
    """The roots."""

    def test_sweep(self, whole: World) -> None:
        """What was left behind by a lost nudge is rung for by the sweep and said by the job."""
        assert whole.connect() == "connected"
        disconnect(whole.runtime, whole.shop.shop_id)
        with whole.runtime.transaction() as session:
            session.execute(delete(OAuthState))
        job_queue(whole.redis).empty()
        tasks.sweep()
        rung = {(job.func_name, *job.args) for job in job_queue(whole.redis).jobs}
        assert (f"tasks.{goodbye.JOB}", whole.shop.shop_id) in rung
        tasks.say_goodbye_to_klaviyo(whole.shop.shop_id)
        assert (_installed(whole), _rows(whole)) == (False, [])

    def test_erasure(self, whole: World) -> None:
        """Before a shop's rows go, Klaviyo is told; while it does not answer, the erasure waits."""
        assert whole.connect() == "connected"
        shop_id = whole.shop.shop_id
        with whole.runtime.transaction() as session:
            session.execute(delete(OAuthState))
            shop = session.get_one(Shop, shop_id)
            shop.uninstalled_at = shop.erasing_at = whole.runtime.clock()
            now = whole.runtime.clock()
            run = Run(shop_id=shop_id, kind="shop_erasure", created_at=now, due_at=now)
            session.add(run)
        assert run.id is not None
        whole.fault("/oauth/revoke", "reset")
        tasks.advance_run(run.id)
        assert (len(_rows(whole)), whole.connection().state) == (1, "disconnected")
        with whole.runtime.transaction() as session:
            session.exec(select(KlaviyoFarewell)).one().due_at = whole.runtime.clock()
        tasks.advance_run(run.id)
        assert (_installed(whole), _rows(whole)) == (False, [])
        with whole.runtime.reading() as session:
            assert session.get(Shop, shop_id) is None
