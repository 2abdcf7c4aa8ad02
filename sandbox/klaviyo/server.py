"""Builds the application and serves it from a thread. Refuses any address but loopback."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.klaviyo import (
    api_events,
    api_imports,
    api_lists,
    api_profiles,
    api_reviews,
    api_webhooks,
    control,
    gate,
    inbox,
    oauth,
    watch,
)
from sandbox.klaviyo.door import Door
from sandbox.klaviyo.state import State

_BLUEPRINTS = (
    oauth.blueprint,
    api_events.blueprint,
    api_profiles.blueprint,
    api_imports.blueprint,
    api_lists.blueprint,
    api_reviews.blueprint,
    api_webhooks.blueprint,
    watch.blueprint,
    control.blueprint,
    inbox.blueprint,
)


def create_app(state: State) -> Flask:
    """The Flask application around a state."""
    app = Flask("sandbox.klaviyo", template_folder=str(Path(__file__).parent / "pages"), static_folder=None)
    app.url_map.strict_slashes = False
    app.extensions["klaviyo"] = state
    gate.register(app)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.wsgi_app = Door(app.wsgi_app, state, app.url_map)  # type: ignore[method-assign]
    return app


class _QuietHandler(WSGIRequestHandler):
    """Requests are in the sandbox's own log; a line for each on the terminal would hide everything else."""

    def connection_dropped(self, *_: object, **__: object) -> None:
        # The socket is gone, and reading another request from it would only raise.
        self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name is werkzeug's
        if type == "error":
            super().log(type, message, *args)


class KlaviyoSandbox:
    """A running local Klaviyo."""

    def __init__(self, server: BaseWSGIServer, state: State) -> None:
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="klaviyo-sandbox", daemon=True
        )
        self.state = state
        self.url = f"http://127.0.0.1:{server.server_port}"

    def serve(self) -> None:
        self._thread.start()
        self.state.dispatcher.start()

    def stop(self) -> None:
        """Stop serving and delivering; what was remembered can still be read from `state`."""
        self.state.dispatcher.stop()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def __enter__(self) -> KlaviyoSandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def listen(state: State, port: int) -> KlaviyoSandbox:
    """Serve a state on a port of the loopback address; port 0 takes a free one."""
    server = make_server("127.0.0.1", port, create_app(state), threaded=True, request_handler=_QuietHandler)
    running = KlaviyoSandbox(server, state)
    running.serve()
    return running
