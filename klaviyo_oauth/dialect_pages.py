"""The page on which a merchant chooses the names under which Klaviyo is told of things, sees all of them, and sends test events."""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, jsonify, request
from flask.wrappers import Response

from klaviyo_oauth import choosing, connections, samples, sampling, wording
from klaviyo_oauth.dialects import DIALECTS, LAUREL, Dialect, Metric
from klaviyo_oauth.dialects.dialect import key_names
from klaviyo_oauth.event_properties import event_properties
from klaviyo_oauth.pages import AdminPages
from klaviyo_oauth.standing import ShopView
from loyalty import outbox
from loyalty.core.email import normal_email
from loyalty.core.program import PointsName
from loyalty.delivery import Message
from loyalty.runtime import Runtime

_WORDS = ShopView(points_name=PointsName("point", "points"))
_EXAMPLE = Message(
    0, 0, "", "", {}, datetime(2026, 1, 1, tzinfo=UTC), backfill=True, attempts=0,
)  # fmt: skip
_OURS = {metric.kind: metric.name for metric in LAUREL.metrics}


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric for people to read: its name, which of our events it tells (``when``), and what it says."""

    name: str
    when: str
    keys: tuple[str, ...]


def create_blueprint(runtime: Runtime, pages: AdminPages) -> Blueprint:
    """The page about dialects and its two actions."""
    blueprint = Blueprint("klaviyo_dialects", __name__)
    blueprint.before_request(pages.let_in)
    views = _Views(runtime, pages)
    add = blueprint.add_url_rule
    add("/klaviyo/dialects", "dialects", views.dialects)
    add("/klaviyo/dialects", "choose", views.choose, methods=["POST"])
    add("/klaviyo/dialects/test", "test", views.test, methods=["POST"])
    return blueprint


class _Views:
    def __init__(self, runtime: Runtime, pages: AdminPages) -> None:
        self.runtime = runtime
        self.pages = pages

    def dialects(self) -> Response:
        with self.runtime.reading() as session:
            shop = self.pages.shop(session)
            row = connections.load(session, shop.id or 0)
            choice = connections.choice_of(row)
            return self.pages.render(
                "klaviyo/dialects.html",
                shop,
                connected=row is not None and row.state == connections.CONNECTED,
                dialects=tuple(DIALECTS.values()),
                spoken={each.key for each in choice.spoken},
                rows=lambda dialect: tuple(rows(dialect)),
                own_key=LAUREL.key,
            )

    def choose(self) -> tuple[Response, int] | Response:
        keys = request.form.getlist("dialects")
        with self.runtime.transaction() as session:
            shop_id = self.pages.shop(session).id
            assert shop_id is not None
            try:
                chosen = choosing.choose(session, shop_id, keys, now=self.runtime.clock())
            except choosing.NotLinked:
                return _refused("Connect Klaviyo first.", 409)
            except ValueError:
                return _refused("Choose at least one dialect.", 422)
            run_id = chosen.run.id if chosen.run is not None else None
        if run_id is not None:
            self.runtime.nudge("advance_run", run_id)
        if not chosen.changed:
            said = "Nothing has changed"
        elif run_id is not None:
            said = "Events are told so from now on; the profiles are being written anew"
        else:
            said = "Events are told so from now on"
        return jsonify({"ok": True, "message": said, "redirect": self.pages.link("/klaviyo/dialects")})

    def test(self) -> tuple[Response, int] | Response:
        email = normal_email(request.form.get("email", "")) or ""
        with self.runtime.transaction() as session:
            shop_id = self.pages.shop(session).id
            assert shop_id is not None
            row = connections.load(session, shop_id)
            if row is None or row.state != connections.CONNECTED:
                return _refused("Connect Klaviyo first.", 409)
            problem = sampling.want(
                session,
                self.runtime.cipher,
                shop_id,
                email,
                key=secrets.token_hex(8),
                now=self.runtime.clock(),
            )
        if problem is not None:
            said = "Enter your e-mail address." if problem == "no_email" else wording.reason(problem)
            return jsonify({"ok": False, "message": said, "errors": {"email": said}}), 422
        self.runtime.nudge("drain_outbox", shop_id, outbox.KLAVIYO)
        said = "Test events are on their way. Klaviyo shows them within a few minutes"
        return jsonify({"ok": True, "message": said})


def rows(dialect: Dialect) -> Iterator[MetricRow]:
    """The metrics of a dialect, each with everything that makes it up: what is told by several of our events is one row."""
    found: dict[str, list[Metric]] = {}
    for metric in dialect.metrics:
        found.setdefault(metric.name, []).append(metric)
    for name, metrics in found.items():
        keys = dict.fromkeys(key for metric in metrics for key in _keys(metric))
        yield MetricRow(name, "; ".join(_when(metric) for metric in metrics), tuple(keys))


def _keys(metric: Metric) -> Iterable[str]:
    """What an event says; where that is everything that is known, what a test event of it says."""
    if metric.keys is not None:
        return key_names(metric.keys)
    return event_properties(samples.sample_of(metric, _EXAMPLE), _WORDS)


def _when(metric: Metric) -> str:
    """Which of our events it tells, with what makes it one that it tells."""
    traits = ", ".join(f"{name} {' or '.join(sorted(allowed))}" for name, allowed in metric.only.items())
    return _OURS[metric.kind] + (f" ({traits})" if traits else "")


def _refused(message: str, status: int) -> tuple[Response, int]:
    return jsonify({"ok": False, "message": message}), status
