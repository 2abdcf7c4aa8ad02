"""A running local Shopify with the app installed, and the shortest ways to speak to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from sandbox.shopify import DEMO_SHOP, ShopifySandbox, start

CLIENT_ID = "laurel-client-id"
SECRET = "laurel-client-secret"
EXCHANGE = {
    "client_id": CLIENT_ID,
    "client_secret": SECRET,
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
    "requested_token_type": "urn:shopify:params:oauth:token-type:offline-access-token",
    "expiring": "1",
}


@dataclass
class Receiver:
    """A server in the app's place that keeps what it gets and answers as told."""

    url: str
    got: list[tuple[dict[str, str], bytes, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Serve in the app's place; `statuses` are the answers to come, then 200."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept.got.append((dict(self.headers), body, self.path))
            self.send_response(kept.statuses.pop(0) if kept.statuses else 200)
            self.send_header("Set-Cookie", "app=1")
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"ok":true}')

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_words: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Rig:
    """One sandbox and the shop the tests play in."""

    sandbox: ShopifySandbox
    domain: str = DEMO_SHOP

    @property
    def base(self) -> str:
        """The control API of the shop."""
        return f"{self.sandbox.url}/_sandbox/shops/{self.domain}"

    def post(self, path: str, refused: int | None = None, /, **body: Any) -> Any:
        """Call the control API; a path from the root begins with two slashes."""
        url = f"{self.sandbox.url}/_sandbox/{path[2:]}" if path.startswith("//") else f"{self.base}{path}"
        answer = requests.post(url, json=body, timeout=30)
        if refused is None:
            assert answer.ok, answer.text
        else:
            assert answer.status_code == refused, answer.text
        return answer.json()

    def patch(self, path: str = "", /, **body: Any) -> Any:
        """Change what is there: the shop itself, or what the path names."""
        answer = requests.patch(f"{self.base}{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def exchange(self, **changes: Any) -> requests.Response:
        """Exchange an ID token for access."""
        body = EXCHANGE | {"subject_token": self.post("/id_token")["id_token"]} | changes
        return self.oauth(**body)

    def oauth(self, **body: Any) -> requests.Response:
        """Call the token endpoint."""
        return requests.post(
            f"{self.sandbox.url}/shops/{self.domain}/admin/oauth/access_token", json=body, timeout=10
        )

    def refresh(self, token: str) -> requests.Response:
        """Refresh access."""
        return self.oauth(
            client_id=CLIENT_ID, client_secret=SECRET, grant_type="refresh_token", refresh_token=token
        )

    def raw(self, query: str, token: str, **variables: Any) -> requests.Response:
        """Call GraphQL and return the HTTP answer."""
        return requests.post(
            f"{self.sandbox.url}/shops/{self.domain}/admin/api/2026-10/graphql.json",
            json={"query": query, "variables": variables},
            headers={"X-Shopify-Access-Token": token},
            timeout=30,
        )

    def graph(self) -> Callable[..., Any]:
        """Return a function that calls GraphQL with a fresh token."""
        token = self.exchange().json()["access_token"]
        return lambda query, **variables: self.raw(query, token, **variables).json()

    def order(self, *lines: dict[str, Any], **fields: Any) -> Any:
        """Place an order."""
        return self.post("/orders", lines=list(lines) or [{"product": "boston-fern"}], **fields)

    def sent(self, topic: str) -> list[Any]:
        """The deliveries of a topic, with bodies, once nothing is due any more."""
        assert self.post("//webhooks/wait", timeout=25)["idle"]
        answer = requests.get(
            f"{self.sandbox.url}/_sandbox/webhooks", params={"topic": topic, "body": 1}, timeout=10
        )
        return answer.json()["deliveries"]


@contextmanager
def rig(**options: Any) -> Iterator[Rig]:
    """Run a sandbox with the app installed; webhooks go to a closed port unless `app_url` is given."""
    options = {"app_url": "http://127.0.0.1:9", "time_scale": 0.000_001, "install": True} | options
    with start(**options) as sandbox:
        yield Rig(sandbox)
