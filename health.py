"""What operators ask a web process: are you alive, are you ready, how is it going. It tells nothing about shops or people."""

import hmac
from collections.abc import Callable

from flask import Blueprint, Response, abort, jsonify, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError
from sqlalchemy import func, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from engines import schema
from loyalty.models import InboxMessage, OutboxMessage
from loyalty.runtime import Runtime
from wiring import House

# One index each, and word for word its condition: a log of ten million rows must not be read for every scrape.
_INBOX_STATES = ("state = 'due'", "state = 'parked'")
_OUTBOX_STATES = ("state IN ('due', 'sending')", "state IN ('refused', 'parked')")
_LOOPBACK = frozenset(("127.0.0.1", "::1"))


def create_blueprint(house: House) -> Blueprint:
    """``/healthz``, ``/readyz`` and ``/metrics``."""
    blueprint = Blueprint("health", __name__)
    registry = CollectorRegistry()
    registry.register(_Backlog(house.runtime))

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="alive")

    @blueprint.get("/readyz")
    def readyz() -> tuple[Response, int]:
        problems = [name for name, holds in _checks(house).items() if not holds()]
        return jsonify(status="ready" if not problems else "not ready", problems=problems), (
            503 if problems else 200
        )

    @blueprint.get("/metrics")
    def metrics() -> Response:
        if not _may_see_metrics(house.settings.metrics_token):
            abort(404)
        return Response(generate_latest(registry), content_type="text/plain; version=0.0.4; charset=utf-8")

    return blueprint


def _checks(house: House) -> dict[str, Callable[[], bool]]:
    return {
        "database": lambda: _is_current(house),
        "redis": lambda: _answers(house),
    }


def _is_current(house: House) -> bool:
    try:
        return schema.is_current(house.runtime.engine)
    except SQLAlchemyError:
        return False


def _answers(house: House) -> bool:
    try:
        return bool(house.redis.ping())
    except RedisError:
        return False


def _may_see_metrics(token: str | None) -> bool:
    """With a token: who shows it. Without one: this machine only, and only when no proxy speaks for somebody else."""
    if token:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(shown.encode(), token.encode())
    return request.remote_addr in _LOOPBACK and "X-Forwarded-For" not in request.headers


class _Backlog(Collector):
    """Counts what is waiting, at the moment of asking."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> list[GaugeMetricFamily]:
        now = self._runtime.clock()
        inbox = GaugeMetricFamily("laurel_inbox_messages", "Deliveries waiting or parked", labels=["state"])
        outbox = GaugeMetricFamily(
            "laurel_outbox_messages", "Messages waiting or parked", labels=["channel", "state"]
        )
        lag = GaugeMetricFamily(
            "laurel_outbox_lag_seconds", "Age of the oldest waiting message", labels=["channel"]
        )
        with self._runtime.reading() as session:
            for condition in _INBOX_STATES:
                waiting_in = select(InboxMessage.state, func.count()).where(text(condition))
                for state, count in session.execute(waiting_in.group_by(InboxMessage.state)):
                    inbox.add_metric([state], count)
            for condition in _OUTBOX_STATES:
                waiting_out = select(
                    OutboxMessage.channel,
                    OutboxMessage.state,
                    func.count(),
                    func.min(OutboxMessage.created_at),
                ).where(text(condition), col(OutboxMessage.state) != "refused")
                for channel, state, count, oldest in session.execute(
                    waiting_out.group_by(OutboxMessage.channel, OutboxMessage.state)
                ):
                    outbox.add_metric([channel, state], count)
                    if state == "due":
                        lag.add_metric([channel], (now - oldest).total_seconds())
        return [inbox, outbox, lag]
