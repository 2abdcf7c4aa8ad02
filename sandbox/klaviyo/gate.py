"""What every API request passes before its view: authorization, revision, scope, quota, content type.

Refuses in the order in which the real service does, and knows no resource.
"""

from __future__ import annotations

import re
import zlib
from typing import Any

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as WerkzeugResponse

from sandbox.klaviyo.account import Account
from sandbox.klaviyo.checks import parse_json
from sandbox.klaviyo.errors import CONTENT_TYPE, Problem, Refused, document
from sandbox.klaviyo.grants import Caller
from sandbox.klaviyo.operations import OPERATIONS, Operation
from sandbox.klaviyo.state import State

# Stable or deprecated today; anything older has been retired.
REVISIONS = (
    "2025-01-15",
    "2025-04-15",
    "2025-07-15",
    "2025-10-15",
    "2026-01-15",
    "2026-04-15",
    "2026-07-15",
    "2026-10-15",
)
MAX_BODY = 5_000_000
# What the gate tells the layer outside of it.
ACCOUNT, OPERATION = "klaviyo.account", "klaviyo.operation"
_REVISION = re.compile(r"20\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(\.[a-z0-9.-]+)?")
_JSON_TYPES = ("application/vnd.api+json", "application/json")


def state() -> State:
    """The state behind the current application."""
    found: State = current_app.extensions["klaviyo"]
    return found


def caller() -> Caller:
    found: Caller = g.caller
    return found


def account() -> Account:
    """The account of the caller, brought up to now. Hold the state's lock around it."""
    return state().account(caller().account)


def revision() -> str:
    found: str = g.revision
    return found


def body(most: int = MAX_BODY) -> dict[str, Any]:
    """The JSON body of the request, unzipped, at most 5 MB or fewer bytes."""
    raw = request.get_data(cache=True)
    if request.headers.get("Content-Encoding", "").lower() == "gzip":
        raw = _unzip(raw)
    if len(raw) > most:
        detail = f"The payload may not be larger than {most} bytes here."
        raise Refused(400, [Problem(detail, pointer="/", code="payload_too_large")])
    return parse_json(raw)


def _unzip(raw: bytes) -> bytes:
    try:
        unzip = zlib.decompressobj(wbits=31)
        plain = unzip.decompress(raw, MAX_BODY + 1)
    except zlib.error as error:
        raise Refused(400, [Problem("The body is not gzip.", code="parse_error")]) from error
    if not unzip.eof and len(plain) <= MAX_BODY:
        raise Refused(400, [Problem("The gzip body is cut off.", code="parse_error")])
    return plain


def register(app: Flask) -> None:
    """Put the gate in front of the API of an application."""
    app.before_request(_enter)
    app.after_request(_leave)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _http_error)


def _enter() -> None:
    if not request.path.startswith("/api/"):
        return
    g.caller = _authenticate()
    g.revision = _revision()
    if request.routing_exception is not None:
        return  # Flask answers 404 or 405, in our error shape.
    assert request.url_rule is not None
    operation = OPERATIONS.get(("GET" if request.method == "HEAD" else request.method, request.url_rule.rule))
    if operation is None:  # Flask would answer OPTIONS by itself.
        raise MethodNotAllowed
    request.environ[OPERATION] = operation.name
    demand_scopes(operation.scopes)
    _count(operation)
    with_body = request.method in ("POST", "PATCH", "DELETE") and request.get_data(cache=True)
    if with_body and request.mimetype not in _JSON_TYPES:
        problem = Problem(
            f"Use {CONTENT_TYPE}.", code="unsupported_media_type", title="Unsupported media type."
        )
        raise Refused(415, [problem])


def _authenticate() -> Caller:
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if not credential:
        raise _unauthorized("not_authenticated", "Authentication credentials were not provided.")
    with state().lock:
        grants = state().grants
        if scheme.lower() == "bearer":
            found = grants.bearer(credential, state().now())
        elif scheme.lower() == "klaviyo-api-key":
            found = grants.private_key(credential)
        else:
            found = None
    if found is None:
        raise _unauthorized("authentication_failed", "Incorrect authentication credentials.")
    request.environ[ACCOUNT] = found.account
    return found


def _unauthorized(code: str, detail: str) -> Refused:
    return Refused(401, [Problem(detail, pointer="/data/", code=code, title=detail)])


def _revision() -> str:
    wanted = request.headers.get("revision", "")
    if not wanted:
        raise Refused(
            400, [Problem("A revision header is required.", parameter="revision", code="missing_revision")]
        )
    if not _REVISION.fullmatch(wanted):
        raise Refused(
            400,
            [Problem("The revision header is not a date.", parameter="revision", code="invalid_revision")],
        )
    if wanted in REVISIONS:
        return wanted
    if request.headers.get("X-Klaviyo-Revision-Fall-Forward-Opt-Out", "").lower() in ("1", "true"):
        status, code = (410, "retired_revision") if wanted < REVISIONS[0] else (400, "invalid_revision")
        raise Refused(
            status, [Problem(f"Revision {wanted} is not available.", parameter="revision", code=code)]
        )
    later = [known for known in REVISIONS if known > wanted]
    return later[0] if later else REVISIONS[-1]


def demand_scopes(scopes: frozenset[str]) -> None:
    """Refuse a caller to whom one of the scopes was not granted."""
    missing = scopes - caller().scopes
    if missing:
        detail = f"This operation needs the scopes: {', '.join(sorted(missing))}."
        raise Refused(
            403,
            [
                Problem(
                    detail,
                    code="permission_denied",
                    title="You do not have permission to perform this action.",
                )
            ],
        )


def _count(operation: Operation) -> None:
    costly = operation.costly
    extra = costly is not None and costly.value in request.args.get(costly.parameter, "").split(",")
    who = caller()
    verdict = state().limiter.take(who.app, who.account, operation, state().now(), extra=extra)
    if not verdict.allowed:
        wait = verdict.headers["Retry-After"]
        detail = f"Request was throttled. Expected available in {wait} seconds."
        raise Refused(
            429, [Problem(detail, code="throttled", title="Request was throttled.")], verdict.headers
        )
    g.limit_headers = verdict.headers


def _leave(response: Response) -> Response:
    if request.path.startswith("/api/") and response.status_code != 429:
        response.headers.update(g.get("limit_headers", {}))
    return response


def _refused(error: Refused) -> Response:
    reply = Response(document(error.status, error.problems), error.status, content_type=CONTENT_TYPE)
    reply.headers.update(error.headers)
    return reply


def _http_error(error: HTTPException) -> WerkzeugResponse:
    if not request.path.startswith("/api/") or error.code is None:
        return error.get_response()
    method = isinstance(error, MethodNotAllowed)
    code = "method_not_allowed" if method else "not_found"
    title = "Method not allowed." if method else "Not found."
    return _refused(Refused(error.code, [Problem(error.description or title, code=code, title=title)]))
