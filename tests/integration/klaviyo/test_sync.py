"""Sync customer data against the local Klaviyo: everybody arrives, whoever cannot is named, and a kill costs nothing."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import select

from klaviyo_oauth import connections, limits, payloads, pointers, sync, sync_batches, wording
from klaviyo_oauth.bulk_profiles import Taken
from klaviyo_oauth.dialects import OURS
from klaviyo_oauth.disconnecting import disconnect
from klaviyo_oauth.resync import resync_if_due
from klaviyo_oauth.sync_jobs import Job
from loyalty import calendar, outbox, runs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.models import Run, RunItem
from tests.integration.klaviyo.conftest import World

TIERS = DEFAULT_DOCUMENT | {
    "tiers": {"metric": "spent", "ladder": [{"key": "gold", "title": "Gold", "threshold": "1000"}]}
}


def _start(world: World) -> int:
    with world.runtime.transaction() as session:
        run = sync.start_sync(session, world.shop.shop_id, now=world.clock())
        session.flush()
        assert run.id is not None
        return run.id


def _advance(world: World, run_id: int, *, size: int = 40) -> float | None:
    step = sync.create_step(world.runtime, world.config, world.redis, world.http, batch_size=size)
    return runs.advance(world.runtime, run_id, step, seconds=0)


def _finish(world: World, run_id: int, *, size: int = 40) -> Run:
    for _ in range(200):
        world.no_pause()
        wait = _advance(world, run_id, size=size)
        if wait is None:
            break
        world.clock.forward(seconds=wait)
        # Imports at Klaviyo take as long as they take; its clock may run ahead.
        world.sandbox("POST", "/clock", forward_seconds=max(wait, 0.1))
    return _run(world, run_id)


def _run(world: World, run_id: int) -> Run:
    with world.runtime.reading() as session:
        run = session.get(Run, run_id)
        assert run is not None
        return run


def _items(world: World) -> list[tuple[str, str]]:
    with world.runtime.reading() as session:
        found = session.exec(select(RunItem).order_by(RunItem.id)).all()
        return [(item.outcome, item.reason) for item in found]


def _counts(run: Run) -> dict[str, Any]:
    return {
        "state": run.state,
        "total": run.total,
        "done": run.done,
        "failed": run.failed,
        "skipped": run.skipped,
    }


class TestSync:
    """A run of the kind ``klaviyo_sync``."""

    @pytest.mark.acceptance("S4-12", "S4-13", "S4-20", "S0-28")
    def test_everybody(self, either_world: World) -> None:
        """Every member with a usable address arrives with typed properties; the others are skipped with a reason."""
        world = either_world
        world.connect()
        world.add_members(100)
        world.add_member(None)
        world.add_member("x@test.com")
        world.add_member("gone@fernandfig.shop", state="redacted")
        run = _finish(world, _start(world))
        assert _counts(run) == {"state": "done", "total": 102, "done": 100, "failed": 0, "skipped": 2}
        assert sorted(_items(world)) == [("skipped", "no_email"), ("skipped", "test_address")]
        assert world.counts()["profiles"] == 100
        properties = world.profile("member99@fernandfig.shop")["properties"]
        assert properties["Laurel Points Balance"] == 540
        assert properties["Laurel State"] == "member"
        assert world.profile("gone@fernandfig.shop") is None
        assert len(world.requests_to("/api/profile-bulk-import-jobs")) >= 6  # three posted, each looked at
        assert "needs_sync" not in world.connection().details

    def test_no_flow(self, connected: World) -> None:
        """A sync tells no event, so no flow starts."""
        connected.add_members(5)
        _finish(connected, _start(connected))
        assert connected.counts()["events"]["recorded"] == 0
        assert connected.counts()["flows"]["total"] == 0

    def test_nobody(self, connected: World) -> None:
        """A shop without members has nothing to sync and is done."""
        run = _finish(connected, _start(connected))
        assert _counts(run) == {"state": "done", "total": 0, "done": 0, "failed": 0, "skipped": 0}

    def test_started_twice(self, connected: World) -> None:
        """Pressing the button twice is one sync."""
        assert _start(connected) == _start(connected)

    def test_resumes(self, connected: World) -> None:
        """A sync whose worker was killed goes on after the last batch that was recorded."""
        connected.add_members(100)
        run_id = _start(connected)
        step = sync.create_step(
            connected.runtime, connected.config, connected.redis, connected.http, batch_size=10
        )
        with pytest.raises(KeyboardInterrupt):
            runs.advance(connected.runtime, run_id, _killed_after(connected, step), seconds=0)
        assert 0 < _run(connected, run_id).cursor["after"]
        run = _finish(connected, run_id, size=10)
        assert (run.state, run.done) == ("done", 100)
        assert connected.counts()["profiles"] == 100

    def test_refused_at_the_door(self, connected: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A profile that spoils its batch is taken out and named, and its neighbours arrive."""
        connected.add_members(30)
        connected.add_member("spoiler@fernandfig.shop", first_name="x" * 110_000)
        run = _finish(connected, _start(connected))
        assert (run.done, run.failed) == (30, 1)
        ((outcome, reason),) = _items(connected)
        assert outcome == "failed"
        assert "100 KB" in reason

    def test_failed_later(self, connected: World) -> None:
        """What an accepted job could not take is fetched, page by page, with its reasons."""
        connected.add_members(250)
        emails = [f"member{number}@fernandfig.shop" for number in range(120)]
        connected.sandbox("POST", "/import-failures", emails=emails, code="suppressed")
        run = _finish(connected, _start(connected), size=250)
        assert (run.state, run.done, run.failed) == ("done", 130, 120)
        items = _items(connected)
        assert len(items) == 120
        assert items[0][1].startswith("suppressed: ")
        with connected.runtime.reading() as session:
            assert all(item.member_id for item in session.exec(select(RunItem)))

    @pytest.mark.parametrize("kind", ["429", "500", "503", "reset", "lost_reply"])
    @pytest.mark.parametrize("place", ["POST /api/profile-bulk-import-jobs", "GET /api/profile-bulk-*"])
    def test_trouble(self, connected: World, place: str, kind: str) -> None:
        """Trouble on the way delays the sync and costs nobody."""
        connected.fault(place, kind)
        connected.add_members(60)
        run = _finish(connected, _start(connected))
        assert (run.state, run.failed, run.skipped) == ("done", 0, 0)
        assert run.done == 60
        assert connected.counts()["profiles"] == 60

    def test_cancel(self, connected: World) -> None:
        """A cancelled sync stops before its next step."""
        connected.add_members(100)
        run_id = _start(connected)
        _advance(connected, run_id, size=5)
        with connected.runtime.transaction() as session:
            assert runs.cancel(session, connected.shop.shop_id, run_id, now=connected.clock())
        assert _advance(connected, run_id, size=5) is None
        run = _run(connected, run_id)
        assert run.state == "cancelled"
        assert connected.counts()["profiles"] < 100

    def test_disconnected(self, connected: World) -> None:
        """Without a link the sync ends and says so; with a broken one it waits."""
        connected.add_members(5)
        run_id = _start(connected)
        connected.change_connection(
            state="disconnected", problem=connections.AUTHORIZATION_LOST, account_id=None
        )
        assert (_advance(connected, run_id) or 0) > 0
        connected.change_connection(problem=None)
        assert _advance(connected, run_id) is None
        run = _run(connected, run_id)
        assert (run.state, run.error) == ("failed", "not_connected")

    def test_uninstalled(self, connected: World) -> None:
        """When the app is removed from the shop, a sync that is under way sends nothing more, and says why it ended."""
        connected.add_members(100)
        run_id = _start(connected)
        _advance(connected, run_id, size=5)
        connected.change_shop(uninstalled_at=connected.clock())
        asked = len(connected.requests_to("/api"))
        assert _advance(connected, run_id, size=5) is None
        assert len(connected.requests_to("/api")) == asked
        run = _run(connected, run_id)
        assert (run.state, run.error) == ("failed", connections.UNINSTALLED)
        assert "removed" in wording.reason(connections.UNINSTALLED)

    @pytest.mark.parametrize("steps", [1, 3])
    def test_other_account(self, connected: World, steps: int) -> None:
        """A sync is of one account. When another is connected meanwhile it ends, and that one still asks to be synced."""
        connected.add_members(100)
        run_id = _start(connected)
        for _ in range(steps):
            _advance(connected, run_id, size=40)
        assert connected.connect(account="HarbCf") == "connected"
        run = _finish(connected, run_id)
        assert (run.state, run.error) == ("failed", sync.OTHER_ACCOUNT)
        assert connected.connection().details["needs_sync"] == "other_account"
        assert connected.counts("HarbCf")["profiles"] == 0

    def test_lone_member(self, connected: World) -> None:
        """The only member of a shop is not blamed for a server error."""
        connected.fault("POST /api/profile-bulk-import-jobs", "500", times=4)
        connected.add_members(1)
        run = _finish(connected, _start(connected))
        assert (run.state, run.done, run.failed) == ("done", 1, 0)

    def test_heavy_profiles(self, connected: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Profiles that are too heavy for one request become several import jobs, each of which is followed to its end."""
        monkeypatch.setattr(payloads, "MOST_BYTES", 20_000)
        for number in range(60):
            connected.add_member(f"m{number}@fernandfig.shop", first_name="\N{HERB}" * 60)
        run = _finish(connected, _start(connected), size=60)
        assert _counts(run) == {"state": "done", "total": 60, "done": 60, "failed": 0, "skipped": 0}
        assert 2 < connected.counts()["imports"]["jobs"] < 10
        assert connected.counts()["profiles"] == 60

    def test_full_requests(self, connected: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where bytes are what is scarce every request is filled with them, across the batches in which members are read; nobody is left out,
        sent twice or skipped twice."""
        monkeypatch.setattr(payloads, "MOST_BYTES", 20_000)
        for number in range(120):
            email = None if number % 7 == 6 else f"m{number}@fernandfig.shop"
            connected.add_member(email, first_name="\N{HERB}" * (number % 60))
        shop_id = connected.shop.shop_id
        everybody = sync_batches.read(connected.runtime, shop_id, OURS, after=0, size=1000)
        assert everybody is not None
        weight = sum(len(profile) + 1 for _, profile in everybody.sendable)
        run = _finish(connected, _start(connected), size=50)
        assert _counts(run) == {"state": "done", "total": 120, "done": 103, "failed": 0, "skipped": 17}
        assert len(_items(connected)) == 17
        assert math.ceil(weight / 20_000) <= connected.counts()["imports"]["jobs"] <= weight / 18_000 + 1
        assert connected.counts()["profiles"] == 103

    def test_overtaken(self, connected: World) -> None:
        """An import job that Klaviyo comes to late overwrites what an event has written meanwhile. Whoever changed since the job was made is
        written once more when it has ended, and nobody else is."""
        world = connected
        world.sandbox("PATCH", "/settings", import_delay_seconds=600)
        first, *_ = world.add_members(30)
        run_id = _start(world)
        _advance(world, run_id)
        world.clock.forward(seconds=30)
        world.change_member(first, balance=700, updated_at=world.clock())
        world.put_news(first, 1, points_balance=700)
        world.drain()
        assert world.profile("member0@fernandfig.shop")["properties"]["Laurel Points Balance"] == 700
        world.sandbox("POST", "/clock", forward_seconds=601)
        assert world.profile("member0@fernandfig.shop")["properties"]["Laurel Points Balance"] == 540
        assert _finish(world, run_id).state == "done"
        assert [m.member_id for m in world.messages() if m.channel == outbox.PROFILES] == [first]
        world.clock.forward(seconds=11)
        world.drain(channel=outbox.PROFILES)
        assert world.profile("member0@fernandfig.shop")["properties"]["Laurel Points Balance"] == 700

    def test_many_poisons(self, connected: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """More refusals than can be found out within a minute do not keep a sync from its end."""
        monkeypatch.setitem(limits.QUOTAS, "POST profile-bulk-import-jobs", limits.Quota(20, 16))
        monkeypatch.setattr(pointers, "blamed", lambda reply, size: {})
        for number in range(40):
            poison = {"first_name": "x" * 110_000} if number % 8 == 3 else {}
            connected.add_member(f"m{number}@fernandfig.shop", **poison)
        run_id = _start(connected)
        for _ in range(60):
            wait = _advance(connected, run_id)
            if wait is None:
                break
            connected.clock.forward(seconds=wait)
            connected.sandbox("POST", "/clock", forward_seconds=max(wait, 0.1))
            # A minute is over.
            for key in connected.redis.scan_iter("laurel:klaviyo:*:calls"):
                connected.redis.delete(key)
        assert _counts(_run(connected, run_id)) == {
            "state": "done", "total": 40, "done": 35, "failed": 5, "skipped": 0,
        }  # fmt: skip

    def test_real_limits(self, connected: World) -> None:
        """Under the published limits Klaviyo never has to refuse a sync."""
        connected.sandbox("PUT", "/limits", limits="real")
        connected.add_members(120)
        run = _finish(connected, _start(connected), size=10)
        assert run.done == 120
        assert connected.counts()["throttled"]["total"] == 0


class TestJob:
    """An import job as a cursor keeps it."""

    def test_kept(self) -> None:
        """It is read as it was written, and so is one that was under way before members and instant were noted."""
        at = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
        job = Job.of(Taken("J1", (3, 5, 9)), read_at=at, posted_at=at)
        assert (job.size, job.first, job.last) == (3, 3, 9)
        assert Job.from_json(job.to_json()) == job
        assert Job.from_json(["J1", 3, at.isoformat(), "page"]) == Job("J1", 3, at, "page")


class TestResync:
    """The monthly repetition."""

    @pytest.mark.acceptance("S0-29")
    def test_after_a_month(self, connected: World) -> None:
        """A sync is repeated when the last one is thirty days old, not before, and never begun for the merchant."""
        shop_id = connected.shop.shop_id
        assert not resync_if_due(connected.runtime, shop_id)
        _finish(connected, _start(connected))
        connected.clock.forward(days=29)
        assert not resync_if_due(connected.runtime, shop_id)
        connected.clock.forward(days=1, hours=1)
        assert resync_if_due(connected.runtime, shop_id)
        job, run_id = connected.nudges[-1]
        assert (job, _run(connected, run_id).state) == ("advance_run", "queued")

    def test_linked_again(self, connected: World) -> None:
        """A link that the merchant had ended and makes again has all profiles written anew: what changed meanwhile was told to nobody. One that
        Klaviyo broke needs none, as its news has waited."""
        world, shop_id = connected, connected.shop.shop_id
        (member_id,) = world.add_members(1)
        assert disconnect(world.runtime, shop_id)
        assert world.connect() == "connected"
        assert not resync_if_due(world.runtime, shop_id)
        _finish(world, _start(world))
        world.change_connection(
            state="disconnected",
            problem=connections.AUTHORIZATION_LOST,
            account_id=None,
            last_account_id="FernFg",
        )
        assert world.connect() == "connected"
        assert not resync_if_due(world.runtime, shop_id)

        assert disconnect(world.runtime, shop_id)
        world.change_member(member_id, balance=700)
        assert world.connect() == "connected"
        assert resync_if_due(world.runtime, shop_id)
        _finish(world, world.nudges[-1][1])
        assert world.profile("member0@fernandfig.shop")["properties"]["Laurel Points Balance"] == 700
        assert not resync_if_due(world.runtime, shop_id)

    def test_program_changed(self, connected: World) -> None:
        """When the program calls something else, all profiles are written anew, once everybody is up to date, and once; dates that move are
        written by themselves."""
        world, shop_id = connected, connected.shop.shop_id
        world.add_members(3)
        world.apply(TIERS)
        _finish(world, _start(world))
        assert not resync_if_due(world.runtime, shop_id)
        world.apply(TIERS | {"points": {"one": "leaf", "many": "leaves"}})
        assert not resync_if_due(world.runtime, shop_id)

        world.apply(TIERS | {"expiry": {"kind": "inactivity", "months": 12}})
        assert not resync_if_due(world.runtime, shop_id)
        ladder = [TIERS["tiers"]["ladder"][0] | {"title": "Gold Leaf"}]
        world.apply(TIERS | {"tiers": TIERS["tiers"] | {"ladder": ladder}})
        with world.runtime.transaction() as session:
            refresh = calendar.start_refresh(session, shop_id, now=world.clock()).id
        assert refresh is not None
        assert not resync_if_due(world.runtime, shop_id)
        while runs.advance(world.runtime, refresh, calendar.refresh_step, seconds=0) is not None:
            pass
        assert resync_if_due(world.runtime, shop_id)
        job, run_id = world.nudges[-1]
        assert job == "advance_run"
        _finish(world, run_id)
        assert world.profile("member1@fernandfig.shop")["properties"]["Laurel Next Tier"] == "Gold Leaf"
        assert not resync_if_due(world.runtime, shop_id)


def _killed_after(world: World, step: Any) -> Any:
    """A step that is killed right after its first batches were recorded."""

    def killed(runtime: Any, view: Any) -> Any:
        step(runtime, view)
        raise KeyboardInterrupt

    return killed
