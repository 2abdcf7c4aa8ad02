"""What only one may do, or may be done once: on both databases the second one is told so."""

from datetime import timedelta

from sqlalchemy import text

from loyalty import api_actions, leases
from loyalty.models import Shop
from loyalty.runtime import Runtime
from tests.integration.loyalty.conftest import NOW


class TestOnce:
    def test_lease(self, runtime: Runtime) -> None:
        """A right has one holder until it is given back."""
        with runtime.transaction() as session:
            assert leases.acquire(session, "a", holder="one", seconds=60, now=NOW)
        with runtime.transaction() as session:
            assert not leases.acquire(session, "a", holder="other", seconds=60, now=NOW)
            leases.release(session, "a", holder="one")
            assert leases.acquire(session, "a", holder="other", seconds=60, now=NOW)

    def test_period(self, runtime: Runtime) -> None:
        """A period is claimed once; a claim that comes of nothing writes nothing."""
        minute = timedelta(minutes=1)
        with runtime.transaction() as session:
            assert leases.claim_period(session, "cron:sweep", period=minute, now=NOW)
        with runtime.transaction() as session:
            assert not leases.claim_period(session, "cron:sweep", period=minute, now=NOW)
            if session.get_bind().dialect.name == "postgresql":
                assert session.scalar(text("SELECT pg_current_xact_id_if_assigned()")) is None
            assert leases.claim_period(session, "cron:sweep", period=minute, now=NOW + minute)

    def test_action(self, runtime: Runtime, shop: Shop) -> None:
        """An action that was told of before is no new one."""
        for is_new in (True, False):
            with runtime.transaction() as session:
                found = api_actions.note(session, shop.id or 0, key="k-1", rule="survey", now=NOW)
                assert found is is_new
