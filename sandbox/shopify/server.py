"""Starts and stops the sandbox: two listeners on loopback, one world behind them.

The main listener is Shopify (APIs, admin, control); each storefront listener is one shop's own domain.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.shopify import accounts, admin, api, cdn, config, control, storefront, visit
from sandbox.shopify.actions import shops
from sandbox.shopify.sessions import Visitors
from sandbox.shopify.theme import Theme
from sandbox.shopify.webhooks.sender import Sender
from sandbox.shopify.world import World

HOST = "127.0.0.1"
POLL_SECONDS = 0.02  # how soon a listener notices that it should stop
DEMO_SHOP = "fern-and-fig.myshopify.com"
DEMO_NAME = "Fern & Fig"


class QuietHandler(WSGIRequestHandler):
    """Serves without writing a line for every request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def create_app(world: World, extension: Path | None) -> Flask:
    """Build the Flask application that shows a world."""
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["world"] = world
    app.extensions["buckets"] = {}
    app.extensions["visitors"] = Visitors()
    app.extensions["theme"] = Theme(extension) if extension else None
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    for part in (api, control, admin, cdn, storefront, accounts):
        app.register_blueprint(part.blueprint)
    return app


@dataclass
class ShopifySandbox:
    """A running sandbox."""

    url: str
    state: World
    app: Flask
    storefront_url: str = ""
    _servers: list[BaseWSGIServer] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def shop_url(self) -> str:
        """The value for SHOPIFY_SHOP_URL."""
        return f"{self.url}/shops/{{shop}}"

    def set_app_url(self, app_url: str) -> None:
        """Tell the sandbox where the app is, when it started later."""
        self.state.config.app_url = app_url

    def listen(self, application: Any, port: int) -> str:
        """Serve a WSGI application on a port and return its address."""
        server = make_server(HOST, port, application, threaded=True, request_handler=QuietHandler)
        thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
        thread.start()
        self._servers.append(server)
        self._threads.append(thread)
        return f"http://{HOST}:{server.server_port}"

    def open_storefront(self, domain: str, port: int = 0) -> str:
        """Give a shop a listener of its own, where its paths are as in a real store."""
        address = self.listen(visit.OwnAddress(self.app, domain), port)
        self.state.storefronts[domain] = address
        return address

    def stop(self) -> None:
        """Stop listening and delivering, and remove the files."""
        self.state.closing.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self.state.sender.close()
        for thread in (*self._threads, *self.state.background):
            thread.join(timeout=10)
        shutil.rmtree(self.state.directory, ignore_errors=True)

    def __enter__(self) -> ShopifySandbox:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()


def start(
    *,
    port: int = 0,
    client_id: str = "laurel-client-id",
    client_secret: str = "laurel-client-secret",
    app_url: str = "http://127.0.0.1:5000",
    toml_path: str | Path | None = None,
    scopes: str | None = None,
    time_scale: float = 1.0,
    shop: str | None = DEMO_SHOP,
    install: bool = False,
    extension_path: str | Path | None = None,
    storefront_port: int = 0,
    webhook_workers: int = 4,
) -> ShopifySandbox:
    """Start a sandbox in this process; port 0 picks a free one."""
    settings = config.read(
        toml_path, client_id=client_id, client_secret=client_secret, app_url=app_url, scopes=scopes
    )
    world = World(config=settings, sender=Sender(time_scale=time_scale, workers=webhook_workers))
    world.directory = tempfile.mkdtemp(prefix="laurel-sandbox-")
    app = create_app(world, Path(extension_path) if extension_path else None)
    sandbox = ShopifySandbox(url="", state=world, app=app)
    try:
        sandbox.url = world.base_url = sandbox.listen(app, port)
        if shop is not None:
            name = {"name": DEMO_NAME} if shop == DEMO_SHOP else {}
            made = shops.create(world, shop, **name)
            if install:
                shops.install(world, made)
            sandbox.storefront_url = sandbox.open_storefront(shop, storefront_port)
    except BaseException:  # werkzeug leaves by SystemExit when a port is taken
        sandbox.stop()
        raise
    return sandbox
