"""The routes below ``/api/v1``. A program is known by its key; what it tells of is kept before it is answered, and settled after.

Nothing that a program sends reaches a log.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from flask import Blueprint, Response, abort, jsonify, request
from sqlmodel import Session
from werkzeug.routing import PathConverter

from loyalty import api_actions, api_keys, inbox, programs
from loyalty.api_actions import Outcome
from loyalty.core.program import SELF_REPORTED_WAYS
from loyalty.inbox import Malformed
from loyalty.models import Shop
from loyalty.runtime import Runtime
from shopify_app import reading
from shopify_app.api.told_action import TOPIC, Mistaken, ToldAction, kept_body, read_action

LARGEST_BODY = 4 * 1024
MOST_PER_MINUTE = 600
# Social ways too: a program may know more of a follower than the widget does.
TELLABLE_WAYS = frozenset({"custom", "nps", "answer"}) | SELF_REPORTED_WAYS
_MINUTE = timedelta(minutes=1)


class _ActionId(PathConverter):
    """A caller's own id of an action, whatever slashes are in it."""

    regex = ".+"
    part_isolating = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose program is asking, and by which key."""

    shop: Shop
    key_id: int


def create_blueprint(runtime: Runtime) -> Blueprint:
    """``POST /api/v1/actions`` and ``GET /api/v1/actions/<id>``."""
    blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
    blueprint.record_once(lambda state: state.app.url_map.converters.update(action_id=_ActionId))

    @blueprint.after_request
    def never_stored(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.post("/actions")
    def tell_action() -> tuple[Response, int]:
        caller = _caller(runtime)
        told = _told(runtime)
        is_new, outcome = _keep(runtime, caller, told)
        if is_new:
            runtime.nudge("drain_inbox", caller.shop.domain)
        return jsonify(_shown(outcome)), 202 if is_new else 200

    @blueprint.get("/actions/<action_id:key>", merge_slashes=False)
    def ask_action(key: str) -> Response:
        caller = _caller(runtime)
        with runtime.reading() as session:
            outcome = api_actions.outcome(session, caller.shop, key, now=runtime.clock())
        if outcome is None:
            _refuse(404, "unknown_action", "You have told of no action with this id.")
        return jsonify(_shown(outcome))

    return blueprint


def _caller(runtime: Runtime) -> Caller:
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    with runtime.reading() as session:
        found = api_keys.owner(session, presented.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        _refuse(401, "bad_key", "Send a good key of the shop: Authorization: Bearer laurel_…")
    shop, key = found
    if shop.uninstalled_at is not None:
        _refuse(403, "not_installed", "The app is not installed in this shop any more.")
    return Caller(shop, key.id or 0)


def _told(runtime: Runtime) -> ToldAction:
    # A body of unknown length is cut off where the limit is: one byte more tells that it was.
    request.max_content_length = LARGEST_BODY + 1
    if (request.content_length or 0) > LARGEST_BODY or len(request.get_data()) > LARGEST_BODY:
        _refuse(413, "too_large", f"An action has at most {LARGEST_BODY} bytes.")
    try:
        return read_action(reading.document(request.get_data()), now=runtime.clock())
    except Malformed:
        _refuse(422, "bad_request", "The body must be a JSON object.")
    except Mistaken as mistaken:
        _refuse(422, "bad_request", "Some fields are wrong.", errors=dict(mistaken.errors))


def _keep(runtime: Runtime, caller: Caller, told: ToldAction) -> tuple[bool, Outcome]:
    """Note the action and put it into the inbox, together; the same id again changes nothing."""
    now = runtime.clock()
    with runtime.transaction() as session:
        api_keys.used(session, caller.key_id, now=now)
        known = api_actions.outcome(session, caller.shop, told.key, now=now)
        if known is not None:
            return False, known
        shop_id = caller.shop.id or 0
        _check(session, shop_id, told)
        if api_actions.told_since(session, shop_id, now - _MINUTE) >= MOST_PER_MINUTE:
            _refuse(429, "too_many", f"At most {MOST_PER_MINUTE} actions a minute.", retry_after=60)
        is_new = api_actions.note(session, shop_id, key=told.key, rule=told.rule, now=now)
        inbox.receive(
            session.connection(),
            shop_domain=caller.shop.domain,
            source=inbox.API,
            delivery_id=told.key,
            topic=TOPIC,
            body=kept_body(told),
            now=now,
        )
        outcome = api_actions.outcome(session, caller.shop, told.key, now=now)
        assert outcome is not None
        return is_new, outcome


def _check(session: Session, shop_id: int, told: ToldAction) -> None:
    try:
        rule = programs.current(session, shop_id).rule(told.rule)
    except programs.NoProgram:
        rule = None
    if rule is None:
        errors = {"rule": "is not a rule of the program, or is switched off"}
        _refuse(422, "unknown_rule", "The program has no such rule.", errors=errors)
    if rule.way not in TELLABLE_WAYS:
        errors = {"rule": "is of a way that Laurel learns of by itself"}
        _refuse(422, "unknown_rule", "This rule cannot be told of.", errors=errors)


def _shown(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.key,
        "rule": outcome.rule,
        "state": outcome.state,
        "points": outcome.points,
        "reason": outcome.reason,
        "available_at": outcome.available_at.isoformat() if outcome.available_at else None,
        "received_at": outcome.received_at.isoformat(),
    }


def _refuse(status: int, code: str, message: str, *, retry_after: int | None = None, **more: Any) -> NoReturn:
    response = jsonify(error=code, message=message, **more)
    response.status_code = status
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    abort(response)
