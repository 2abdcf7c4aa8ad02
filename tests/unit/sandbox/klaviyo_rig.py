"""A local Klaviyo with a clock that the test moves, and the few calls every test of it makes."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from sandbox import klaviyo

CALLBACK = "http://127.0.0.1:9/klaviyo/callback"
VERIFIER = "v" * 43 + "-._~"
CLIENT = ("laurel-test", "secret-of-the-test")
SCOPES = (
    "accounts:read events:read events:write metrics:read profiles:read profiles:write lists:read lists:write "
    "reviews:read reviews:write webhooks:read webhooks:write data-privacy:write"
)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Rig:
    """The sandbox, its clock and a connected app."""

    def __init__(self, *, limits: str | dict[str, float] = "off", scopes: str = SCOPES) -> None:
        self.clock = Clock()
        self.sandbox = klaviyo.start(
            client_id=CLIENT[0],
            client_secret=CLIENT[1],
            redirect_uris=[CALLBACK],
            limits=limits,
            clock=self.clock,
        )
        self.url = self.sandbox.url
        self.tokens = self.connect(scopes)

    def close(self) -> None:
        self.sandbox.stop()

    def authorize(
        self, account: str = "FernFg", *, decision: str = "allow", **changed: str
    ) -> requests.Response:
        """Press a button on the consent page; an empty value leaves a parameter out."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": CLIENT[0],
            "redirect_uri": CALLBACK,
            "scope": SCOPES,
            "state": "st",
            "code_challenge_method": "S256",
            "code_challenge": challenge,
        } | changed
        return requests.post(
            f"{self.url}/oauth/authorize",
            params={name: value for name, value in query.items() if value},
            data={"decision": decision, "account": account},
            allow_redirects=False,
            timeout=30,
        )

    def token(self, **form: str) -> requests.Response:
        return requests.post(f"{self.url}/oauth/token", data=form, auth=CLIENT, timeout=30)

    def exchange(self, code: str, **changed: str) -> requests.Response:
        form = {"code": code, "code_verifier": VERIFIER, "redirect_uri": CALLBACK} | changed
        return self.token(grant_type="authorization_code", **form)

    def refresh(self, token: str) -> requests.Response:
        return self.token(grant_type="refresh_token", refresh_token=token)

    def connect(self, scopes: str = SCOPES, account: str = "FernFg") -> dict[str, Any]:
        """The whole flow; the tokens."""
        found: dict[str, Any] = self.exchange(code_in(self.authorize(account, scope=scopes))).json()
        return found

    def call(self, method: str, path: str, json: Any = None, **given: Any) -> requests.Response:
        headers = {
            "Authorization": f"Bearer {self.tokens['access_token']}",
            "revision": "2026-10-15",
            "Content-Type": "application/vnd.api+json",
        } | given.pop("headers", {})
        sent = {name: value for name, value in headers.items() if value is not None}
        return requests.request(method, self.url + path, json=json, headers=sent, timeout=30, **given)

    def control(self, method: str, path: str, **body: Any) -> Any:
        reply = requests.request(method, f"{self.url}/_sandbox{path}", json=body or None, timeout=30)
        assert reply.ok, reply.text
        return reply.json()

    def send(self, **given: Any) -> requests.Response:
        """One event on the single road."""
        return self.call("POST", "/api/events", {"data": single_event(**given)})

    @property
    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.control("GET", "/counts")
        return found


def code_in(reply: requests.Response) -> str:
    """The authorization code in a redirect."""
    return parse_qs(urlsplit(reply.headers["Location"]).query)["code"][0]


def pointers(reply: requests.Response) -> list[str]:
    """Where the problems of a refusal are."""
    return [error["source"].get("pointer") for error in reply.json()["errors"]]


def profile(email: str = "ann@fernandfig.shop", **properties: Any) -> dict[str, Any]:
    return {"type": "profile", "attributes": {"email": email, "properties": properties}}


def metric(name: str) -> dict[str, Any]:
    return {"data": {"type": "metric", "attributes": {"name": name}}}


def single_event(
    name: str = "Points Earned",
    properties: dict[str, Any] | None = None,
    who: dict[str, Any] | None = None,
    **attributes: Any,
) -> dict[str, Any]:
    held = {"data": who or profile()}
    given = {"metric": metric(name), "profile": held, "properties": properties or {"points": 120}}
    return {"type": "event", "attributes": given | attributes}


def bulk_entry(
    *events: dict[str, Any], who: dict[str, Any] | None = None, **attributes: Any
) -> dict[str, Any]:
    listed = [
        {"type": "event", "attributes": {"metric": metric("Points Earned"), "properties": {}} | e}
        for e in events
    ]
    held = {"profile": {"data": who or profile()}, "events": {"data": listed}}
    return {"type": "event-bulk-create", "attributes": held | attributes}


def bulk_events(*entries: dict[str, Any]) -> dict[str, Any]:
    held = {"events-bulk-create": {"data": list(entries)}}
    return {"data": {"type": "event-bulk-create-job", "attributes": held}}


def import_job(*profiles: dict[str, Any], lists: list[str] | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {
        "type": "profile-bulk-import-job",
        "attributes": {"profiles": {"data": list(profiles)}},
    }
    if lists is not None:
        data["relationships"] = {"lists": {"data": [{"type": "list", "id": ident} for ident in lists]}}
    return {"data": data}


def webhook(
    url: str, secret: str = "s" * 32, topics: tuple[str, ...] = ("event:klaviyo.submitted_review",)
) -> dict[str, Any]:
    given = {"name": "Reviews", "endpoint_url": url, "secret_key": secret}
    held = {"webhook-topics": {"data": [{"type": "webhook-topic", "id": topic} for topic in topics]}}
    return {"data": {"type": "webhook", "attributes": given, "relationships": held}}


class Receiver:
    """An endpoint that keeps what is delivered to it and answers with the next of its statuses."""

    def __init__(self, *statuses: int) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses = list(statuses)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
                return

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks/klaviyo"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Poll until the condition gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")
