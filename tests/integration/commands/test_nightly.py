"""What the night's jobs do for a shop, whatever goes wrong beside it."""

from datetime import UTC, datetime

import pytest
from sqlmodel import select

import tasks
from loyalty.database import transaction
from loyalty.models import OutboxMessage, Shop
from queues import job_queue
from shopify_app.lifecycle import SHOP_DETAILS
from tests.shop_story import tell_story


@pytest.fixture(name="house")
def _house(sqlite_engine, open_app, tmp_path):
    """The app's parts, with a shop whose token no key opens any more."""
    with transaction(sqlite_engine) as session:
        story = tell_story(session, now=datetime.now(UTC), lived=False)
        shop = session.get_one(Shop, story.shop_id)
        shop.access_token, shop.refresh_token = "sealed-by-a-key-that-is-gone", "and-so-is-this"
        session.add(shop)
    house = open_app().extensions["laurel"]
    before = list(tasks._built)
    tasks.use(house)
    yield house
    tasks._built[:] = before


class TestKeepTokensAlive:
    def test_looks_all_the_same(self, house):
        """A token that cannot even be tried does not cost the daily look at what the shop says of itself."""
        with house.runtime.reading() as session:
            shop_id = session.exec(select(Shop.id)).one()
        with pytest.raises(tasks.JobFailed, match="SealBroken"):
            tasks.keep_tokens_alive(shop_id)
        with house.runtime.reading() as session:
            kinds = session.exec(select(OutboxMessage.kind).where(OutboxMessage.state == "due")).all()
        assert SHOP_DETAILS in kinds
        assert "tasks.drain_outbox" in [job.func_name for job in job_queue(house.redis).get_jobs()]
