"""What keeps the app going besides its pages: jobs that are rung for, the process that rings, and what operators ask them."""

import os
import signal
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from rq.worker_registration import WORKERS_BY_QUEUE_KEY
from sqlalchemy.exc import OperationalError
from sqlmodel import select

import commands.processes
import queues
import tasks
from app import create_app
from loyalty import inbox
from loyalty.database import transaction
from loyalty.models import InboxMessage, OutboxMessage
from queues import Bell, job_queue
from settings import load_settings
from tests.shop_story import tell_story

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(name="app")
def _app(sqlite_engine, sqlite_url, queue_url, tmp_path) -> Iterator[Flask]:
    """The app over an empty database."""
    app = create_app(load_settings(laurel_var=tmp_path, database_url=sqlite_url, redis_url=queue_url))
    yield app
    app.extensions["laurel"].runtime.engine.dispose()


class TestBell:
    def test_once(self, queue):
        """Many rings for a job that has not begun are one; once it has begun, the next one counts."""
        bell = Bell(queue)
        bell("drain_inbox", "fern")
        bell("drain_inbox", "fern")
        assert job_queue(queue).count == 1
        bell.begun("drain_inbox", "fern")
        bell("drain_inbox", "fern")
        assert job_queue(queue).count == 2

    def test_reward_first(self, queue):
        """What a shopper waits for goes before all that is in the line already."""
        bell = Bell(queue)
        bell("advance_run", 1)
        bell("drain_outbox", 7, "klaviyo")
        bell("drain_outbox", 7, "rewards")
        assert [job.args for job in job_queue(queue).jobs] == [[7, "rewards"], [1], [7, "klaviyo"]]

    def test_later_once(self, queue):
        """One message that waits for an hour has one ring to come, however often the job runs meanwhile for others."""
        bell, later = Bell(queue), job_queue(queue).scheduled_job_registry
        for _ in range(3):
            bell("drain_outbox", 7, "klaviyo", delay=3600)
            bell("drain_outbox", 7, "klaviyo")
            bell.begun("drain_outbox", 7, "klaviyo")
        assert later.count == 1
        bell("drain_outbox", 7, "klaviyo", delay=60)
        assert later.count == 2, "one that shall come sooner is another one"
        bell("drain_outbox", 8, "klaviyo", delay=3600)
        assert later.count == 3

    def test_later_again(self, queue, monkeypatch):
        """When the second of its time has come a ring is over: the job may ask for the rest of it."""
        bell, later = Bell(queue), job_queue(queue).scheduled_job_registry
        monkeypatch.setattr(queues.time, "time", lambda: 1000.7)
        bell("advance_run", 7, delay=60)
        monkeypatch.setattr(queues.time, "time", lambda: 1059.9)
        bell("advance_run", 7, delay=0.8)
        assert later.count == 1
        monkeypatch.setattr(queues.time, "time", lambda: 1060.1)
        bell("advance_run", 7, delay=0.6)
        assert later.count == 2


class TestJob:
    def test_text(self, app):
        """What RQ is told of a failed job is the kind of the error: the text may quote a row."""
        tasks.use(app.extensions["laurel"])

        @tasks.job
        def stumbling() -> None:
            raise ValueError("ada@fernandfig.shop")

        with pytest.raises(tasks.JobFailed, match=r"^ValueError$") as failed:
            stumbling()
        assert "ada@" not in "".join(traceback.format_exception(failed.value))


class TestCron:
    def test_database_away(self, app, monkeypatch):
        """A database that does not answer for a moment does not end the process that rings for everything."""
        tries: list[int] = []

        def ring() -> None:
            tries.append(1)
            if len(tries) == 1:
                raise OperationalError("SELECT 1", {}, ConnectionError())
            os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(commands.processes, "ring_for_periods", ring)
        before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
        try:
            answer = app.test_cli_runner().invoke(args=["cron"])
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)
        assert (answer.exit_code, len(tries)) == (0, 2)


class TestDoctor:
    def test_killed_worker(self, app, queue):
        """A worker that was killed is not at work, though RQ's list still has its name."""
        queue.sadd(WORKERS_BY_QUEUE_KEY % queues.NAME, "rq:worker:killed")
        answer = app.test_cli_runner().invoke(args=["doctor"])
        assert "none: start `flask worker`" in answer.output


class TestMetrics:
    def test_backlog(self, app, sqlite_engine):
        """What waits, is parked or has waited for how long is counted, and nothing else of the log."""
        with transaction(sqlite_engine) as session:
            story = tell_story(session, now=NOW)
            waiting = select(OutboxMessage).where(
                OutboxMessage.channel == "klaviyo", OutboxMessage.state == "delivered"
            )
            session.exec(waiting.limit(1)).one().state = "parked"
            assert session.get_one(OutboxMessage, story.refused_id).state == "refused"
            for number, state in enumerate(("due", "due", "parked", "done")):
                values = {"source": inbox.SHOPIFY, "topic": "orders/paid", "body": b"", "state": state}
                when = {"received_at": NOW, "due_at": NOW}
                session.add(
                    InboxMessage(shop_domain="x.myshopify.com", delivery_id=f"d{number}", **values, **when)
                )
        told = app.test_client().get("/metrics").text
        assert 'laurel_inbox_messages{state="due"} 2.0' in told
        assert 'laurel_inbox_messages{state="parked"} 2.0' in told, "one of the story's"
        assert 'state="done"' not in told
        assert 'laurel_outbox_messages{channel="klaviyo",state="due"}' in told
        assert 'laurel_outbox_messages{channel="klaviyo",state="parked"} 1.0' in told
        assert 'state="refused"' not in told
        assert 'laurel_outbox_lag_seconds{channel="klaviyo"}' in told
