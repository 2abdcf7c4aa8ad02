"""What the Klaviyo page and the status command are told."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from klaviyo_oauth import connections, registration, reviews, status
from tests.integration.klaviyo.conftest import World


def _status(world: World) -> status.Status:
    with world.runtime.reading() as session:
        return status.status(session, world.shop.shop_id, now=world.clock())


def _call(job: Callable[..., float | None], world: World) -> float | None:
    return job(world.runtime, world.config, world.redis, world.shop.shop_id, http=world.http)


class TestStatus:
    """``status.status``."""

    def test_never(self, world: World) -> None:
        """A shop that was never connected is invited to connect."""
        found = _status(world)
        assert (found.state, found.deliveries.due, found.reviews.road) == (status.NEVER, 0, "off")
        assert found.remedy is not None
        assert "Connect" in found.remedy

    @pytest.mark.acceptance("S0-24")
    def test_connected(self, either_world: World) -> None:
        """A healthy link names its account, counts its deliveries and asks for the first sync."""
        world = either_world
        world.connect()
        world.put_news(world.add_member("ada@fernandfig.shop"), 1)
        world.put_news(world.add_member("bad address"), 2)
        world.drain()
        world.put_news(world.add_member("bob@fernandfig.shop"), 3)
        world.clock.forward(seconds=90)
        found = _status(world)
        assert (found.state, found.account_name, found.missing_scopes) == ("connected", "Fern & Fig", ())
        counted = found.deliveries
        assert (counted.due, counted.delivered, counted.refused, counted.lag_seconds) == (1, 1, 1, 90.0)
        assert counted.last_at == world.clock() - timedelta(seconds=90)
        assert found.needs_sync == "first"
        assert "Sync customer data" in (found.remedy or "")
        json.dumps(found.to_json())

    def test_lost(self, connected: World) -> None:
        """A link that broke says why and what to do."""
        connected.sandbox("POST", "/uninstall", account="FernFg")
        connected.put_news(connected.add_member("ada@fernandfig.shop"), 1)
        connected.drain()
        found = _status(connected)
        assert (found.state, found.problem) == ("disconnected", connections.AUTHORIZATION_LOST)
        assert "Connect again" in (found.remedy or "")
        assert found.deliveries.due == 1

    def test_outage(self, connected: World) -> None:
        """An outage is shown with its lag, and heals without a hand."""
        connected.fault("/api/*", "503")
        connected.put_news(connected.add_member("ada@fernandfig.shop"), 1)
        connected.drain()
        assert "tried again by itself" in (_status(connected).remedy or "")
        connected.no_pause()
        connected.clock.forward(minutes=1)
        connected.drain()
        assert _status(connected).deliveries.last_error is None

    def test_missing_scopes(self, connected: World) -> None:
        """Permissions that were not granted are named."""
        connected.change_connection(scopes="accounts:read events:write", details={})
        found = _status(connected)
        assert "reviews:read" in found.missing_scopes
        assert "reviews:read" in (found.remedy or "")


class TestReviews:
    """What is said of reviews."""

    @pytest.mark.acceptance("S4-39")
    def test_roads(self, connected: World) -> None:
        """How we hear of reviews is told, and each point of the set-up is looked at rather than asked for."""
        before = _status(connected)
        assert before.reviews.road == "polling"
        assert _call(registration.check, connected) is None
        assert _call(reviews.poll, connected) is None
        after = _status(connected)
        assert (after.reviews.road, after.reviews.polled_at) == ("webhook", connected.clock())
        done = {check.title: check.done for check in after.checklist}
        assert done["Klaviyo Reviews is in use"] is True
        assert done["The program rewards reviews"] is False
        assert done["We hear of new reviews"] is True
