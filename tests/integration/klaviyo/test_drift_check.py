"""Comparing Klaviyo's profiles with the books, and healing those that drifted, against the local Klaviyo over real HTTP."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import select

from app import create_app
from klaviyo_oauth import drift, drift_check, sync
from klaviyo_oauth.dialects import Shown
from loyalty import runs
from loyalty.models import Member, Run, RunItem
from tests.integration.klaviyo.conftest import World


def _start(world: World, *, repair: bool) -> int:
    with world.runtime.transaction() as session:
        run = drift_check.start_check(session, world.shop.shop_id, repair=repair, now=world.clock())
        assert run.id is not None
        return run.id


def _advance(world: World, run_id: int) -> float | None:
    step = drift_check.create_step(world.runtime, world.config, world.redis, world.http)
    return runs.advance(world.runtime, run_id, step, seconds=0)


def _finish(world: World, run_id: int) -> Run:
    for _ in range(300):
        world.no_pause()
        wait = _advance(world, run_id)
        if wait is None:
            return _run(world, run_id)
        world.clock.forward(seconds=wait)
        world.sandbox("POST", "/clock", forward_seconds=max(wait, 0.1))
    pytest.fail("it never ends")


def _run(world: World, run_id: int) -> Run:
    with world.runtime.reading() as session:
        return session.get_one(Run, run_id)


def _check(world: World, *, repair: bool = False) -> Run:
    return _finish(world, _start(world, repair=repair))


def _items(world: World, run: Run, outcome: str = "failed") -> dict[int | None, str]:
    with world.runtime.reading() as session:
        found = session.exec(select(RunItem).where(RunItem.run_id == run.id, RunItem.outcome == outcome))
        return {item.member_id: item.reason for item in found}


def _overwrite(world: World, email: str, **properties: Any) -> None:
    world.write_profile(email, **properties)


@pytest.fixture
def synced(connected: World) -> World:
    """A connected shop with 250 members who are all known to Klaviyo, some time ago."""
    connected.add_members(250)
    with connected.runtime.transaction() as session:
        run_id = sync.start_sync(session, connected.shop.shop_id, now=connected.clock()).id
    assert run_id is not None
    step = sync.create_step(connected.runtime, connected.config, connected.redis, connected.http)
    for _ in range(50):
        wait = runs.advance(connected.runtime, run_id, step, seconds=0)
        if wait is None:
            break
        connected.sandbox("POST", "/clock", forward_seconds=max(wait, 0.1))
    assert _run(connected, run_id).done == 250
    connected.clock.forward(minutes=30)
    return connected


class TestCheck:
    """A run of the kind ``klaviyo_check``."""

    def test_in_order(self, synced: World) -> None:
        """After a sync nothing differs; who cannot be compared is skipped with the reason."""
        synced.add_member(None)
        run = _check(synced)
        assert (run.state, run.total, run.done, run.failed, run.skipped) == ("done", 251, 250, 0, 1)

    def test_finds_all(self, synced: World) -> None:
        """Exactly the profiles that somebody changed are named with what is wrong, and none is touched."""
        for number in range(0, 37 * 6, 6):
            _overwrite(synced, f"member{number}@fernandfig.shop", **{"Laurel Points Balance": 3})
        run = _check(synced)
        found = _items(synced, run)
        assert (run.state, run.done, run.failed, len(found)) == ("done", 213, 37, 37)
        assert set(found.values()) == {"Laurel Points Balance is 3 instead of 540"}
        assert drift_check.healed(run) == 0
        assert synced.profile("member0@fernandfig.shop")["properties"]["Laurel Points Balance"] == 3

    def test_what_is_gone(self, synced: World) -> None:
        """A tier that the member does not have is a drift, and repairing takes it off the profile."""
        _overwrite(synced, "member7@fernandfig.shop", **{"Laurel Tier": "Gold"})
        run = _check(synced, repair=True)
        assert list(_items(synced, run).values()) == ["Laurel Tier is another value instead of not set"]
        assert drift_check.healed(run) == 1
        assert "Laurel Tier" not in synced.profile("member7@fernandfig.shop")["properties"]

    def test_heals_all(self, synced: World) -> None:
        """With repair exactly these are sent again; what other tools wrote stays, and a second look finds nothing."""
        for number in range(0, 37 * 6, 6):
            _overwrite(
                synced, f"member{number}@fernandfig.shop", **{"Laurel State": "vip", "Favourite": "tea"}
            )
        run = _check(synced, repair=True)
        assert (run.state, run.failed, drift_check.healed(run)) == ("done", 37, 37)
        posted = synced.counts()["imports"]
        assert posted["profiles"] == 250 + 37
        properties = synced.profile("member6@fernandfig.shop")["properties"]
        assert (properties["Laurel State"], properties["Favourite"]) == ("member", "tea")
        assert _check(synced).failed == 0

    def test_no_profile(self, synced: World) -> None:
        """A member whom Klaviyo does not know is named, and made known by a repair."""
        missing = synced.add_member("new@fernandfig.shop")
        synced.clock.forward(minutes=11)
        run = _check(synced, repair=True)
        assert _items(synced, run) == {missing: drift.NO_PROFILE}
        assert synced.profile("new@fernandfig.shop")["properties"]["Laurel Points Balance"] == 540

    def test_on_its_way(self, synced: World) -> None:
        """Whoever is being told of, or changed a moment ago, has not drifted."""
        with synced.runtime.transaction() as session:
            first, second = session.exec(select(Member).order_by(Member.id).limit(2)).all()
            first.balance, second.balance = 1, 2
            second.updated_at = synced.clock()
            assert first.id is not None
            told = first.id
        synced.put_news(told, 1)
        run = _check(synced)
        assert (run.failed, run.skipped) == (0, 2)
        assert set(_items(synced, run, "skipped").values()) == {drift.ON_ITS_WAY}

    def test_killed(self, synced: World) -> None:
        """Killed between any two steps, it goes on where it was and heals each one once."""
        for number in range(40):
            _overwrite(synced, f"member{number}@fernandfig.shop", **{"Laurel Lifetime Points": "600"})
        run_id = _start(synced, repair=True)
        step = drift_check.create_step(synced.runtime, synced.config, synced.redis, synced.http)

        def killed(runtime: Any, view: Any) -> Any:
            step(runtime, view)
            raise KeyboardInterrupt

        for _ in range(200):
            with pytest.raises(KeyboardInterrupt):
                runs.advance(synced.runtime, run_id, killed, seconds=0)
            synced.sandbox("POST", "/clock", forward_seconds=1)
            cursor = _run(synced, run_id).cursor
            if cursor.get("sent") and not cursor["jobs"]:
                break
        run = _finish(synced, run_id)
        assert (run.state, run.done, run.failed, drift_check.healed(run)) == ("done", 210, 40, 40)
        assert synced.counts()["imports"]["profiles"] == 250 + 40

    @pytest.mark.parametrize("kind", ["429", "500", "503", "reset", "lost_reply"])
    @pytest.mark.parametrize("place", ["GET /api/profiles", "POST /api/profile-bulk-import-jobs"])
    def test_trouble(self, synced: World, place: str, kind: str) -> None:
        """Trouble delays it and changes nothing of what it finds."""
        _overwrite(synced, "member7@fernandfig.shop", **{"Laurel Points Balance": 3})
        synced.fault(place, kind, times=2)
        run = _check(synced, repair=True)
        assert (run.state, run.done, run.failed, drift_check.healed(run)) == ("done", 249, 1, 1)

    def test_other_account(self, synced: World) -> None:
        """Another account ends it: what was compared says nothing of that one."""
        run_id = _start(synced, repair=True)
        _advance(synced, run_id)
        assert synced.connect(account="HarbCf") == "connected"
        run = _finish(synced, run_id)
        assert (run.state, run.error) == ("failed", drift_check.OTHER_ACCOUNT)

    def test_not_connected(self, world: World) -> None:
        """Without a link there is nothing to compare with, and it says so."""
        world.add_members(2)
        run = _check(world)
        assert (run.state, run.error) == ("failed", "not_connected")

    def test_forbidden(self, synced: World) -> None:
        """A key that may no longer read profiles ends it with the reason."""
        synced.sandbox("POST", "/private-keys", key="pk_no_reading", scopes=["accounts:read", "events:write"])
        synced.change_connection(
            road="private_key",
            api_key=synced.cipher.seal("pk_no_reading", row=f"klaviyo:{synced.shop.shop_id}"),
        )
        run = _check(synced)
        assert run.state == "failed"
        assert "forbidden" in (run.error or "")

    def test_real_limits(self, synced: World) -> None:
        """Under the published limits Klaviyo never has to refuse it."""
        synced.sandbox("PUT", "/limits", limits="real")
        assert _check(synced, repair=True).state == "done"
        assert synced.counts()["throttled"]["total"] == 0

    def test_started_twice(self, connected: World) -> None:
        """Two checks at once are one."""
        assert _start(connected, repair=False) == _start(connected, repair=True)


class TestDifference:
    """``drift.difference``."""

    @pytest.mark.parametrize(
        ("wanted", "found", "words"),
        [
            ({"A": 540}, {"A": 540, "B": 1}, None),
            ({"A": 540}, {"A": 540.0}, None),
            ({"A": 540}, {}, "A is not set instead of 540"),
            ({"A": 540}, {"A": "540"}, "A is another value instead of 540"),
            ({"A": 1}, {"A": True}, "A is another value instead of 1"),
            (
                {"A": 0, "B": "x"},
                {"A": None, "B": "y"},
                "A is not set instead of 0; B is another value instead of another value",
            ),
        ],
    )
    def test_words(self, wanted: dict[str, Any], found: dict[str, Any], words: str | None) -> None:
        """Numbers are compared by value and type, and texts are never repeated."""
        assert drift.difference(Shown(wanted, ["Gone"]), found) == words


class TestCommand:
    """``flask klaviyo check``."""

    def test_finds_then_heals(self, synced: World, tmp_path: Path) -> None:
        """It fails while profiles differ, names them, and ends well once they are healed."""
        for number in range(3):
            _overwrite(synced, f"member{number}@fernandfig.shop", **{"Laurel Points Balance": 3})
        with synced.runtime.transaction() as session:
            session.execute(update(Member).values(updated_at=synced.clock() - timedelta(days=1)))
        app = create_app(synced.settings(tmp_path))
        runner = app.test_cli_runner()
        asked = ["klaviyo", "check", "--shop", "fern-and-fig", "--json"]

        before = runner.invoke(args=asked)
        assert before.exit_code == 1
        assert "3 profiles differ from the books" in before.output
        healed = json.loads(runner.invoke(args=[*asked, "--repair"]).stdout)
        assert (healed["drifted"], healed["healed"], len(healed["members"])) == (3, 3, 3)
        after = runner.invoke(args=asked)
        assert after.exit_code == 0
        assert json.loads(after.stdout)["in_order"] == 250
        plain = runner.invoke(args=asked[:-1])
        assert "Nothing to show." in plain.stdout
        app.extensions["laurel"].runtime.engine.dispose()
