"""*Sync customer data* while things go wrong, on real processes."""

import pytest

from loyalty.models import Run, RunItem

# More than one batch.
PEOPLE = 10_400
WREN = "wren@fernandfig.shop"


@pytest.fixture
def crowd(house):
    """A shop with many members of old, connected to Klaviyo, of whom one has no e-mail address."""
    house.in_shop("/customers/synthetic", count=PEOPLE, label="shopper")
    house.in_shop("/customers", phone="+15550100123", first_name="Nomail", last_name="Fig", silent=True)
    house.in_shop("/install")
    house.merchant.page("/")
    house.eventually("done", lambda: house.run_state("customer_import"))
    return house.connect()


def sync(house) -> Run | None:
    """The newest sync."""
    runs = house.rows(Run, kind="klaviyo_sync")
    return runs[-1] if runs else None


class TestSync:
    @pytest.mark.acceptance("S4-12", "S4-13", "S4-20")
    def test_killed_in_the_middle(self, crowd):
        """A sync whose worker is killed goes on where it was and covers everybody once; live events do not wait for it."""
        slow = {"place": "POST /api/profile-bulk-import-jobs", "kind": "slow"}
        crowd.klaviyo.post("/faults", **slow, skip=1, seconds=30)  # the second batch takes a while
        crowd.merchant.press("/klaviyo/sync")
        crowd.eventually(True, lambda: (run := sync(crowd)) is not None and "after" in run.cursor)
        crowd.kill_worker()
        killed = sync(crowd)
        assert killed.state == "running"
        crowd.add_worker()
        wren = crowd.sign_up(WREN)
        crowd.buy(wren, "50.00")
        crowd.eventually(150, lambda: crowd.profile_balance(WREN))

        crowd.a_minute_passes()
        crowd.eventually("done", lambda: sync(crowd).state)
        done = sync(crowd)
        assert done.id == killed.id
        assert done.skipped == 1
        assert [(row.outcome, row.reason) for row in crowd.rows(RunItem, run_id=done.id)] == [
            ("skipped", "no_email")
        ]
        assert crowd.klaviyo.get("/counts")["profiles"] == PEOPLE + 1
        assert crowd.events(email="shopper") == []

    def test_cancelled(self, house):
        """A sync that is cancelled stops before its next piece, says so, and may be begun again."""
        house.install().connect()
        house.sign_up(WREN)
        house.settle()
        house.klaviyo.post(
            "/faults", place="POST /api/profile-bulk-import-jobs", kind="429", times=None, retry_after=1
        )
        house.merchant.press("/klaviyo/sync")
        house.eventually("running", lambda: (run := sync(house)) and run.state)
        house.merchant.press(f"/runs/{sync(house).id}/cancel")
        house.eventually("cancelled", lambda: sync(house).state)

        house.klaviyo.delete("/faults")
        house.merchant.press("/klaviyo/sync")
        house.eventually("done", lambda: sync(house).state)
        assert len(house.rows(Run, kind="klaviyo_sync")) == 2
