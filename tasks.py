"""The jobs. Each is a summary of what the app does on its own initiative; what carries it out lives in the packages.

Jobs take ids, never personal data or secrets. Every one may be killed at any line and run again, alone or beside itself.
"""

import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ParamSpec

import structlog
from sqlalchemy import ColumnElement, exists, or_
from sqlmodel import Session, col, select

import klaviyo_oauth.farewells
import klaviyo_oauth.goodbye
import klaviyo_oauth.registration
import klaviyo_oauth.reviews
import klaviyo_oauth.tokens
import shopify_app.lifecycle
import shopify_app.missed_orders
import shopify_app.tokens
from loyalty import calendar, outbox, pruning, redemption, referrals, runs
from loyalty.models import InboxMessage, KlaviyoConnection, OutboxMessage, Run, Shop
from loyalty.receiving import drain_inbox as receive
from loyalty.sending import drain_outbox as send
from settings import load_settings
from wiring import House, build

P = ParamSpec("P")

log = structlog.get_logger(__name__)

_built: list[House] = []


def house() -> House:
    """This process's parts, built from the environment on first use."""
    if not _built:
        _built.append(build(load_settings()))
    return _built[0]


def use(parts: House) -> None:
    """Use parts that the process has already."""
    _built[:] = [parts]


class JobFailed(Exception):
    """A job ended with an error of this kind; the log says where."""


def job(function: Callable[P, None]) -> Callable[P, None]:
    """Tells the bell that the job has begun, and binds its name and arguments to the log lines. RQ writes what a job raises to its own log
    and keeps it for days, so it is told the kind of an error and not its text, which may quote a row and with it a person."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        house().bell.begun(function.__name__, *args)  # type: ignore[arg-type]  # jobs take ids and names
        with structlog.contextvars.bound_contextvars(job=function.__name__, args=args):
            try:
                function(*args, **kwargs)
            except Exception as error:
                log.exception("job failed")
                raise JobFailed(type(error).__name__) from None

    return run


@job
def drain_inbox(shop_domain: str) -> None:
    """Settle what was delivered for a shop, then ring for what has to be sent because of it."""
    drained = receive(house().runtime, house().reception, shop_domain)
    for channel in drained.channels:
        house().bell("drain_outbox", drained.shop_id or 0, channel)
    if drained.more:
        house().bell("drain_inbox", shop_domain)
    for run_id in _due_runs(drained.shop_id):
        # An import's file is ready, or a shop has to be erased: the message that said so made the run due.
        house().bell("advance_run", run_id)


@job
def drain_outbox(shop_id: int, channel: str) -> None:
    """Send what is due on a channel; come back when the next message is."""
    sent = send(house().runtime, house().senders[channel], shop_id)
    for touched in sent.channels - {channel}:
        house().bell("drain_outbox", shop_id, touched)
    if sent.again_in is not None:
        house().bell("drain_outbox", shop_id, channel, delay=sent.again_in)


@job
def advance_run(run_id: int) -> None:
    """Take a long job some steps further."""
    with house().runtime.reading() as session:
        run = session.get(Run, run_id)
    if run is None:
        return
    again_in = runs.advance(house().runtime, run_id, house().steps[run.kind])
    for channel in house().senders:
        house().bell("drain_outbox", run.shop_id, channel)
    if again_in is not None:
        house().bell("advance_run", run_id, delay=again_in)


@job
def keep_tokens_alive(shop_id: int) -> None:
    """Refresh a shop's tokens, so that none dies of disuse, and look what the shop says of itself by now."""
    # First, and with whatever token there is: a renewal that fails must not cost the look.
    with house().runtime.transaction() as session:
        shopify_app.lifecycle.look_again(session, shop_id, now=house().runtime.clock())
    house().bell("drain_outbox", shop_id, outbox.SHOPIFY)
    shopify_app.tokens.keep_alive(house().runtime, house().shopify, shop_id, session=house().http)
    klaviyo_oauth.tokens.keep_alive(house().runtime, house().klaviyo, shop_id)


@job
def find_missed_orders(shop_id: int) -> None:
    """Have the orders read of which no message came."""
    parts = house()
    if shopify_app.missed_orders.find(parts.runtime, parts.shopify, shop_id, session=parts.http):
        parts.bell("drain_outbox", shop_id, outbox.SHOPIFY)


@job
def poll_reviews(shop_id: int) -> None:
    """Ask Klaviyo for reviews that no webhook told us of."""
    parts = house()
    again_in = klaviyo_oauth.reviews.poll(parts.runtime, parts.klaviyo, parts.redis, shop_id, http=parts.http)
    parts.bell("drain_inbox", _domain(shop_id))
    if again_in is not None:
        parts.bell("poll_reviews", shop_id, delay=again_in)


@job
def check_klaviyo(shop_id: int) -> None:
    """See that the review webhook is there and switched on."""
    parts = house()
    again_in = klaviyo_oauth.registration.check(
        parts.runtime, parts.klaviyo, parts.redis, shop_id, http=parts.http
    )
    if again_in is not None:
        parts.bell("check_klaviyo", shop_id, delay=again_in)


@job
def say_goodbye_to_klaviyo(shop_id: int) -> None:
    """Tell Klaviyo that a link has ended here: remove the webhook, give the grant back."""
    parts = house()
    again_in = klaviyo_oauth.goodbye.say_goodbye(
        parts.runtime, parts.klaviyo, parts.redis, shop_id, http=parts.http
    )
    if again_in is not None:
        parts.bell("say_goodbye_to_klaviyo", shop_id, delay=again_in)


@job
def sweep() -> None:
    """Ring for everything that is due: first tries, retries and what a killed process left behind take this one road."""
    now = house().runtime.clock()
    with house().runtime.reading() as session:
        domains = session.exec(select(Shop.domain).where(_has_due_deliveries(now))).all()
        channels = [
            (shop_id, channel)
            for channel in house().senders
            for shop_id in session.exec(
                select(Shop.id).where(col(Shop.uninstalled_at).is_(None), _has_due_messages(channel, now))
            )
            if shop_id is not None
        ]
        leaving = klaviyo_oauth.farewells.shops_with_due(session, now=now)
    for domain in domains:
        house().bell("drain_inbox", domain)
    for shop_id, channel in channels:
        house().bell("drain_outbox", shop_id, channel)
    for run_id in _due_runs():
        house().bell("advance_run", run_id)
    for shop_id in leaving:
        house().bell("say_goodbye_to_klaviyo", shop_id)


@job
def keep_all_tokens_alive() -> None:
    """Ring for every installed shop."""
    for shop_id in _installed(with_klaviyo=False):
        house().bell("keep_tokens_alive", shop_id)


@job
def find_all_missed_orders() -> None:
    """Ring for every installed shop."""
    for shop_id in _installed(with_klaviyo=False):
        house().bell("find_missed_orders", shop_id)


@job
def poll_all_reviews() -> None:
    """Ring for every shop that is connected to Klaviyo."""
    for shop_id in _installed(with_klaviyo=True):
        house().bell("poll_reviews", shop_id)


@job
def check_all_klaviyo() -> None:
    """Ring for every shop that is connected to Klaviyo."""
    for shop_id in _installed(with_klaviyo=True):
        house().bell("check_klaviyo", shop_id)


@job
def return_overdue_rewards() -> None:
    """Look after rewards that Shopify could not make for a day, or would not take back."""
    parts = house()
    with parts.runtime.reading() as session:
        shop_ids = redemption.shops_with_overdue(session, now=parts.runtime.clock())
    for shop_id in shop_ids:
        with parts.runtime.transaction() as session:
            shop = session.get_one(Shop, shop_id)
            channels = redemption.return_overdue(session, shop, now=parts.runtime.clock())
        for channel in channels:
            parts.bell("drain_outbox", shop_id, channel)


@job
def settle_calendars() -> None:
    """Ring for every shop in which time has something to bring about."""
    parts = house()
    with parts.runtime.reading() as session:
        shop_ids = calendar.shops_with_due(session, now=parts.runtime.clock())
    for shop_id in shop_ids:
        parts.bell("settle_calendar", shop_id)


@job
def settle_calendar(shop_id: int) -> None:
    """Do what is due for a shop's members for a turn; ring again rather than keep others waiting for long."""
    parts = house()
    ran = calendar.run(parts.runtime, shop_id, at=parts.runtime.clock(), seconds=parts.runtime.step_seconds)
    for channel in ran.channels:
        parts.bell("drain_outbox", shop_id, channel)
    if ran.more:
        parts.bell("settle_calendar", shop_id)


@job
def prune() -> None:
    """Forget what nobody needs any longer."""
    runtime = house().runtime
    pruning.prune(runtime)
    forgotten = 1
    while forgotten:
        with runtime.transaction() as session:
            forgotten = referrals.forget_invitations(session, now=runtime.clock())


# What `flask cron` rings for. A period is claimed in the database, so any number of cron processes ring once.
PERIODIC: dict[str, timedelta] = {
    # Often, because RQ's own scheduler pauses for a minute when its worker is killed; it reads a few small indexes.
    "sweep": timedelta(seconds=10),
    "poll_all_reviews": timedelta(minutes=5),
    "check_all_klaviyo": timedelta(hours=1),
    "find_all_missed_orders": timedelta(hours=1),
    # Balance reminders have an hour; everything else falls on a midnight, and no two shops' midnights are the same.
    "settle_calendars": timedelta(minutes=15),
    "return_overdue_rewards": timedelta(hours=1),
    "keep_all_tokens_alive": timedelta(days=1),
    "prune": timedelta(days=1),
}


def _has_due_deliveries(now: datetime) -> ColumnElement[bool]:
    """Whether a shop has something due. It stops at the first row: a backlog of a million costs no more than one of ten."""
    return exists().where(
        col(InboxMessage.shop_domain) == col(Shop.domain),
        col(InboxMessage.state) == "due",
        col(InboxMessage.due_at) <= now,
    )


def _has_due_messages(channel: str, now: datetime) -> ColumnElement[bool]:
    state = col(OutboxMessage.state)
    return exists().where(
        col(OutboxMessage.shop_id) == col(Shop.id),
        col(OutboxMessage.channel) == channel,
        state.in_(("due", "sending")),  # as the partial index says it
        or_(
            (state == "due") & (col(OutboxMessage.due_at) <= now),
            (state == "sending") & (col(OutboxMessage.lease_until) <= now),
        ),
    )


def _due_runs(shop_id: int | None = None) -> list[int]:
    parts = house()
    due = select(Run.id).where(col(Run.state).in_(runs.OPEN), col(Run.due_at) <= parts.runtime.clock())
    if shop_id is not None:
        due = due.where(Run.shop_id == shop_id)
    with parts.runtime.reading() as session:
        return [run_id for run_id in session.exec(due) if run_id is not None]


def _installed(*, with_klaviyo: bool) -> list[int]:
    with house().runtime.reading() as session:
        return [
            shop_id for shop_id in _installed_ids(session, with_klaviyo=with_klaviyo) if shop_id is not None
        ]


def _installed_ids(session: Session, *, with_klaviyo: bool) -> list[int | None]:
    installed = select(Shop.id).where(col(Shop.uninstalled_at).is_(None))
    if with_klaviyo:
        connected = select(KlaviyoConnection.shop_id).where(KlaviyoConnection.state == "connected")
        installed = installed.where(col(Shop.id).in_(connected))
    return list(session.exec(installed).all())


def _domain(shop_id: int) -> str:
    with house().runtime.reading() as session:
        return session.exec(select(Shop.domain).where(Shop.id == shop_id)).one()
