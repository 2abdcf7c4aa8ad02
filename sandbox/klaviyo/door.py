"""The outermost layer: writes the request log and lets the ordered faults strike.

It stands outside Flask because a reset connection and a lost reply are below HTTP. Refuses to touch the
control and inbox pages, so that a broken Klaviyo can still be watched and mended.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException

from sandbox.klaviyo.errors import CONTENT_TYPE, Problem, document
from sandbox.klaviyo.faults import Fault
from sandbox.klaviyo.gate import ACCOUNT, OPERATION
from sandbox.klaviyo.state import LoggedRequest, State

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication
    from werkzeug.routing import Map

_WATCHED = ("/api/", "/oauth/")
_NAMES = {
    "429": "Too Many Requests",
    "500": "Internal Server Error",
    "502": "Bad Gateway",
    "503": "Service Unavailable",
}


class Door:
    """WSGI middleware around the Flask application."""

    def __init__(self, app: WSGIApplication, state: State, places: Map) -> None:
        self._app = app
        self._state = state
        self._places = places

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith(_WATCHED):
            return self._app(environ, start_response)
        began = time.perf_counter()
        seen: list[int | None] = [None]

        def remember(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
            seen[0] = int(status[:3])
            return start_response(status, headers, exc_info)

        try:
            return self._serve(environ, remember)
        except ConnectionResetError:
            seen[0] = None
            raise
        finally:
            self._log(environ, path, seen[0], time.perf_counter() - began)

    def _serve(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        fault = self._state.faults.take(method, path, lambda: self._account(environ))
        if fault is None:
            return self._app(environ, start_response)
        if fault.kind == "slow":
            time.sleep(fault.seconds)
            return self._app(environ, start_response)
        if fault.kind == "lost_reply":
            for _ in self._app(environ, _ignore):
                pass
            _reset(environ)
        if fault.kind == "reset":
            _reset(environ)
        return _broken(environ, fault, start_response)

    def _account(self, environ: dict[str, Any]) -> str | None:
        scheme, _, credential = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        with self._state.lock:
            grants = self._state.grants
            if scheme.lower() == "bearer":
                found = grants.bearer(credential, self._state.now())
            else:
                found = grants.private_key(credential)
        return found.account if found else None

    def _log(self, environ: dict[str, Any], path: str, status: int | None, seconds: float) -> None:
        account = environ.get(ACCOUNT) or self._account(environ)
        entry = LoggedRequest(self._state.now(), environ["REQUEST_METHOD"], path, status, seconds, account)
        self._state.log(entry, environ.get(OPERATION) or self._operation(environ))

    def _operation(self, environ: dict[str, Any]) -> str:
        """The name of an operation that the gate did not see: whatever path was tried, the log stays short."""
        method = environ["REQUEST_METHOD"]
        try:
            rule, _ = self._places.bind_to_environ(environ).match(return_rule=True)
        except HTTPException:
            return f"{method} (unknown)"
        return f"{method} {rule.rule}".replace("<ident>", "{id}")


def _ignore(*_: object) -> Callable[[bytes], object]:
    """Stands in for start_response when nobody will hear the answer."""
    return lambda _data: None


def _broken(environ: dict[str, Any], fault: Fault, start_response: StartResponse) -> Iterable[bytes]:
    # Read what was sent, or the client may see a reset instead of the answer.
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    name = _NAMES[fault.kind]
    problem = Problem(f"{name} (ordered).", code="throttled" if fault.kind == "429" else "error", title=name)
    body = document(int(fault.kind), [problem])
    headers = [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))]
    if fault.kind in ("429", "503"):
        headers.append(("Retry-After", str(fault.retry_after)))
    start_response(f"{fault.kind} {name.upper()}", headers)
    return [body]


def _reset(environ: dict[str, Any]) -> None:
    """Cut the connection so that the client sees a reset and no answer."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The server holds files over this socket, which would keep a plain close from taking effect.
        socket.close(connection.detach())
    raise ConnectionResetError("an ordered fault cut the connection")
