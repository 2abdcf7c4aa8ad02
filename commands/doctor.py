"""``flask doctor``: is everything here that the app needs, and does it answer?"""

import click
from flask.cli import with_appcontext
from redis.exceptions import RedisError
from rq import Worker
from sqlalchemy import func
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from commands.output import as_json, house, show
from engines import schema
from loyalty import calendar
from loyalty.models import InboxMessage, OutboxMessage, Shop
from queues import job_queue


@click.command("doctor")
@as_json
@with_appcontext
def doctor(*, as_json: bool) -> None:
    """Check settings, database, queue, workers and backlog; fail when something is wrong."""
    checks = [_settings(), _database(), _queue(), _workers(), *_backlog()]
    rows = [
        {"check": name, "state": "ok" if healthy else "wrong", "detail": detail}
        for name, healthy, detail in checks
    ]
    show(rows, as_json=as_json)
    wrong = [name for name, healthy, _ in checks if not healthy]
    if wrong:
        raise click.ClickException(f"wrong: {', '.join(wrong)}")


Check = tuple[str, bool, str]


def _settings() -> Check:
    settings = house().settings
    missing = [name for name in ("shopify_api_key", "shopify_api_secret") if not getattr(settings, name)]
    roads = "OAuth and private key" if settings.klaviyo_client_id else "private key only"
    if missing:
        return "settings", False, f"not set: {', '.join(name.upper() for name in missing)}"
    return "settings", True, f"{settings.laurel_env}; Klaviyo by {roads}"


def _database() -> Check:
    engine = house().runtime.engine
    try:
        current = schema.is_current(engine)
    except SQLAlchemyError as error:
        return "database", False, f"does not answer ({type(error).__name__})"
    return "database", current, engine.dialect.name if current else "migrations are missing: flask db upgrade"


def _queue() -> Check:
    try:
        house().redis.ping()
    except RedisError as error:
        return "queue", False, f"does not answer ({type(error).__name__})"
    return "queue", True, "answers"


def _workers() -> Check:
    try:
        # Not Worker.count: that goes on counting those that were killed.
        count = len(Worker.all(queue=job_queue(house().redis)))
    except RedisError:
        return "workers", False, "unknown"
    return "workers", count > 0, f"{count} at work" if count else "none: start `flask worker`"


def _backlog() -> list[Check]:
    try:
        with house().runtime.reading() as session:
            shops = session.scalar(select(func.count()).select_from(Shop))
            parked_in = session.scalar(
                select(func.count()).select_from(InboxMessage).where(InboxMessage.state == "parked")
            )
            parked_out = session.scalar(
                select(func.count()).select_from(OutboxMessage).where(OutboxMessage.state == "parked")
            )
            oldest = session.scalar(
                select(func.min(OutboxMessage.created_at)).where(col(OutboxMessage.state) == "due")
            )
            behind = calendar.count_behind(session, now=house().runtime.clock())
    except SQLAlchemyError:
        return []
    age = f"the oldest waits since {oldest:%Y-%m-%d %H:%M} UTC" if oldest else "nothing waits"
    return [
        ("stores", True, f"{shops}"),
        ("inbox", not parked_in, f"{parked_in} parked"),
        ("outbox", not parked_out, f"{parked_out} parked; {age}"),
        (
            "calendar",
            not behind,
            f"{behind} members waiting for more than an hour" if behind else "up to date",
        ),
    ]
