"""``flask calendar`` as an operator runs it, and the jobs that do the same by themselves."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

import tasks
from loyalty import programs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.database import transaction
from loyalty.models import Member, Shop
from loyalty.points import absorb
from queues import job_queue
from tests.integration.loyalty.story import ADA, bought, joined
from tests.shop_story import tell_story

HELD = {"order": {"title": "Place an order", "rate": "1", "hold_days": 1}}


@pytest.fixture(name="app")
def _app(sqlite_engine, open_app, tmp_path):
    """A shop in which somebody's points are to be released since yesterday."""
    then = datetime.now(UTC) - timedelta(days=3)
    order = bought(ADA, 1, "80")
    order = replace(order, order=replace(order.order, created_at=then, updated_at=then))
    with transaction(sqlite_engine) as session:
        story = tell_story(session, now=then - timedelta(days=1), lived=False)
        shop = session.get_one(Shop, story.shop_id)
        document = DEFAULT_DOCUMENT | {"earn": HELD}
        programs.apply(session, story.shop_id, document, author="test", now=then - timedelta(hours=1))
        absorb(session, shop, [joined(ADA), order], now=then)
    return open_app()


@pytest.fixture(name="run")
def _run(app):
    """``flask calendar run``, with more arguments."""

    def run(*more):
        return app.test_cli_runner().invoke(args=["calendar", "run", "--shop", "fern-and-fig", *more])

    return run


def balance(app):
    """What there is to spend."""
    with app.extensions["laurel"].runtime.reading() as session:
        return session.exec(select(Member.balance)).one()


class TestRun:
    def test_once(self, app, run):
        """What is due is done, and said; again there is nothing to do."""
        first, second = run("--json"), run("--json")
        assert [json.loads(answer.stdout)["settled"] for answer in (first, second)] == [1, 0]
        assert balance(app) == 80

    def test_up_to(self, app, run):
        """Only what was due at the instant is done."""
        before = (datetime.now(UTC) - timedelta(days=2, hours=12)).isoformat()
        assert json.loads(run("--json", "--at", before).stdout)["settled"] == 0
        assert balance(app) == 0

    def test_future(self, app, run):
        """The future has to be meant; then it is done."""
        ahead = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        refused = run("--at", ahead)
        assert refused.exit_code != 0
        assert "--ahead" in refused.output
        assert balance(app) == 0
        assert json.loads(run("--json", "--at", ahead, "--ahead").stdout)["settled"] == 1

    @pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", ""])
    def test_no_instant(self, run, text):
        """What is no instant is named."""
        answer = run("--at", text)
        assert answer.exit_code == 2
        assert "is no instant" in answer.output


class TestJobs:
    def test_rings_and_settles(self, app):
        """The periodic job rings for the shop, and the shop's own job does the work."""
        house = app.extensions["laurel"]
        tasks.use(house)
        tasks.settle_calendars()
        rung = [job.func_name for job in job_queue(house.redis).get_jobs()]
        assert "tasks.settle_calendar" in rung

        with house.runtime.reading() as session:
            shop_id = session.exec(select(Shop.id)).one()
        tasks.settle_calendar(shop_id)
        assert balance(app) == 80


class TestDoctor:
    def test_behind(self, app, run):
        """The doctor says when the calendar is behind, and when it no longer is."""

        def calendar():
            rows = json.loads(app.test_cli_runner().invoke(args=["doctor", "--json"]).stdout)
            return next((row["state"], row["detail"]) for row in rows if row["check"] == "calendar")

        assert calendar() == ("wrong", "1 members waiting for more than an hour")
        run()
        assert calendar() == ("ok", "up to date")
